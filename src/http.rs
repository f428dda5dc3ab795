//! Metrics and health over HTTP, for the daemon.
//!
//! Two pages, `/metrics` and `/health`, on a TCP address or a Unix socket. Whoever connects is not trusted: HTTP/1.1
//! without bodies, deadlines on every wait, a bound on connections. Nothing here can change anything, and nothing
//! here touches the database: what is answered was handed to [`Metrics`] and [`Health`] before.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, UnixListener, UnixStream},
    task::{AbortHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::{
    config::Listen,
    health::Health,
    metrics::{self, Metrics},
};

/// More than a scraper, a prober and a person need. A connection beyond them ends the oldest one, which is idle: an
/// answer takes no time.
const MAX_CONNECTIONS: usize = 32;
/// A request's header must be there in this time, also on a connection that is kept open.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Whatever happens on a connection, it ends then.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
/// Running out of file descriptors must not become a busy loop.
const PAUSE_AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);
/// A scraper needs a few hundred bytes.
const MAX_HEADER_BYTES: usize = 16 * 1024;

/// Listening failed.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct Error {
    address: String,
    source: io::Error,
}

/// An open socket; a Unix one is removed with it.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    address: String,
}

#[derive(Debug)]
enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// What is answered with.
#[derive(Debug)]
pub struct Pages {
    /// For `/metrics`.
    pub metrics: Arc<Metrics>,
    /// For `/health`.
    pub health: Health,
}

impl Listener {
    /// Opens the socket. A Unix socket that a process left behind is replaced, one that answers is not, nor any
    /// other file; members of the file's group may connect.
    pub async fn bind(listen: &Listen) -> Result<Self, Error> {
        let (address, socket) = match listen {
            Listen::Tcp(address) => {
                (address.to_string(), TcpListener::bind(address).await.map(Socket::Tcp))
            }
            Listen::Unix(path) => (format!("unix:{}", path.display()), bind_unix(path).await),
        };
        match socket {
            Ok(socket) => Ok(Self { address: socket.address().unwrap_or(address), socket }),
            Err(source) => Err(Error { address, source }),
        }
    }

    /// Where it listens; for port 0 with the port that the system chose.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Answers until it is dropped. Never fails: what goes wrong on a connection ends that connection.
    pub async fn serve(self, pages: Pages) {
        let pages = Arc::new(pages);
        let mut connections = JoinSet::new();
        let mut open = VecDeque::with_capacity(MAX_CONNECTIONS);
        loop {
            let pages = Arc::clone(&pages);
            let accepted = match &self.socket {
                Socket::Tcp(listener) => listener
                    .accept()
                    .await
                    .map(|(stream, _)| connections.spawn(converse(stream, pages))),
                Socket::Unix(listener, _) => listener
                    .accept()
                    .await
                    .map(|(stream, _)| connections.spawn(converse(stream, pages))),
            };
            while connections.try_join_next().is_some() {}
            match accepted {
                Ok(connection) => {
                    open.retain(|it: &AbortHandle| !it.is_finished());
                    open.push_back(connection);
                    if open.len() > MAX_CONNECTIONS {
                        open.pop_front().inspect(AbortHandle::abort);
                    }
                }
                Err(error) => {
                    tracing::warn!(error = %error, "cannot take a connection to metrics and health: {error}");
                    sleep(PAUSE_AFTER_FAILED_ACCEPT).await;
                }
            }
        }
    }
}

impl Socket {
    fn address(&self) -> Option<String> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok().map(|it| it.to_string()),
            Self::Unix(..) => None,
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // It may be gone with its folder already.
            let _ = fs::remove_file(path);
        }
    }
}

async fn bind_unix(path: &Path) -> io::Result<Socket> {
    if fs::symlink_metadata(path).is_ok_and(|it| it.file_type().is_socket()) {
        let refused = UnixStream::connect(path).await.err().map(|error| error.kind());
        if refused == Some(io::ErrorKind::ConnectionRefused) {
            fs::remove_file(path)?;
        }
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    Ok(Socket::Unix(listener, path.to_owned()))
}

async fn converse<S>(stream: S, pages: Arc<Pages>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request| {
        let pages = Arc::clone(&pages);
        async move { Ok::<_, Infallible>(answer(&request, &pages, Instant::now())) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_TIMEOUT, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::debug!(error = %error, "a connection to metrics and health broke")
        }
        Err(_) => tracing::debug!("a connection to metrics and health was open for too long"),
    }
}

fn answer(request: &Request<Incoming>, pages: &Pages, now: Instant) -> Response<Full<Bytes>> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD\n".into());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/metrics" => page(StatusCode::OK, metrics::CONTENT_TYPE, pages.metrics.render()),
        "/health" => {
            let report = pages.health.report(now);
            let status =
                if report.is_healthy() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let mut body = serde_json::to_string(&report).expect("numbers and texts are JSON");
            body.push('\n');
            page(status, "application/json", body)
        }
        "/" => page(StatusCode::OK, TEXT, "newsfold: /metrics /health\n".into()),
        _ => page(StatusCode::NOT_FOUND, TEXT, "newsfold has /metrics and /health\n".into()),
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

fn page(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
