//! A loopback HTTPS server that speaks HTTP/2: one document on every path, requests and connections counted.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread::JoinHandle,
};

use bytes::Bytes;
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio::{net::TcpListener, sync::oneshot, task::JoinSet};
use tokio_rustls::TlsAcceptor;

/// The certificate authority to be trusted (`SSL_CERT_FILE`).
pub fn authority() -> PathBuf {
    fixture("authority.pem")
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls")).join(name)
}

/// The running server; stops when dropped.
pub struct TlsServer {
    address: SocketAddr,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TlsServer {
    pub fn start(document: &str) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let (requests, connections) = (Arc::default(), Arc::default());
        let counters = (Arc::clone(&requests), Arc::clone(&connections));
        let document = Bytes::from(document.to_owned());
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = accept(listener, document, counters.0, counters.1) => {}
                    _ = stopped => {}
                }
            });
        });
        let address = told.recv().unwrap();
        Self { address, requests, connections, stop: Some(stop), thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    /// Requests over HTTP/2, the only kind that it understands.
    pub fn requests(&self) -> usize {
        self.requests.load(SeqCst)
    }

    /// Connections whose TLS handshake was completed.
    pub fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn acceptor() -> TlsAcceptor {
    let certificate = CertificateDer::from_pem_file(fixture("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("server.key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut config =
        builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(
    listener: TcpListener,
    document: Bytes,
    requests: Arc<AtomicUsize>,
    connections: Arc<AtomicUsize>,
) {
    let acceptor = acceptor();
    let mut tasks = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, document) = (acceptor.clone(), document.clone());
        let (requests, connections) = (Arc::clone(&requests), Arc::clone(&connections));
        tasks.spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            connections.fetch_add(1, SeqCst);
            let Ok(mut connection) = h2::server::handshake(stream).await else { return };
            while let Some(Ok((_, mut respond))) = connection.accept().await {
                requests.fetch_add(1, SeqCst);
                let head = http::Response::builder().header("content-type", "application/rss+xml");
                if let Ok(mut body) = respond.send_response(head.body(()).unwrap(), false) {
                    let _ = body.send_data(document.clone(), true);
                }
            }
        });
    }
}
