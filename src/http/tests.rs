use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::*;
use crate::{
    health::{Part, Phase},
    model::Timestamp,
};

const STALLED: Duration = Duration::from_secs(60);

/// Serves on `listen` while `test` runs; both see the same health.
async fn serving<F: Future<Output = ()>>(listen: Listen, test: impl FnOnce(String, Health) -> F) {
    let health = Health::new(STALLED, Instant::now());
    let listener = Listener::bind(&listen).await.unwrap();
    let address = listener.address().to_owned();
    let pages = Pages { metrics: Arc::new(Metrics::new(Timestamp::MIN)), health: health.clone() };
    tokio::select! {
        () = listener.serve(pages) => unreachable!("it serves until it is dropped"),
        () = test(address, health) => {}
    }
}

fn any_port() -> Listen {
    Listen::Tcp(([127, 0, 0, 1], 0).into())
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    let request = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

async fn tcp(address: &str, request: &str) -> String {
    ask(TcpStream::connect(address).await.unwrap(), request).await
}

#[tokio::test]
async fn pages_and_their_status() {
    serving(any_port(), async |address, health| {
        health.enter(Phase::Running);
        for (request, status, content) in [
            ("GET /metrics", "200 OK", "# TYPE newsfold_polls_total counter"),
            ("GET /metrics", "200 OK", "content-type: text/plain; version=0.0.4"),
            ("GET /health", "200 OK", "\"status\":\"ok\""),
            ("GET /health?verbose", "200 OK", "application/json"),
            ("GET /", "200 OK", "/metrics /health"),
            ("GET /etc/passwd", "404 Not Found", "/health"),
            ("POST /health", "405 Method Not Allowed", "allow: GET, HEAD"),
        ] {
            let answer = tcp(&address, request).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{request}: {answer}");
            assert!(answer.contains(content), "{request}: {answer}");
        }
        let head = tcp(&address, "HEAD /metrics").await;
        assert!(head.ends_with("\r\n\r\n") && head.contains("content-length: "), "{head}");
    })
    .await;
}

#[tokio::test]
async fn health_is_503_and_says_why_where_something_is_wrong() {
    serving(any_port(), async |address, health| {
        let starting = tcp(&address, "GET /health").await;
        assert!(starting.starts_with("HTTP/1.1 503"), "{starting}");
        assert!(starting.contains("\"status\":\"starting\""), "{starting}");
        health.enter(Phase::Running);
        health.set_trouble("database", Some("the disk is full".to_owned()));
        let failing = tcp(&address, "GET /health").await;
        assert!(failing.starts_with("HTTP/1.1 503"), "{failing}");
        assert!(failing.contains("\"problems\":[\"database: the disk is full\"]"), "{failing}");
        health.set_trouble("database", None);
        health.progressed(Part::Writer, Instant::now());
        assert!(tcp(&address, "GET /health").await.starts_with("HTTP/1.1 200"));
    })
    .await;
}

#[tokio::test]
async fn nonsense_and_hangers_on_do_not_keep_others_from_an_answer() {
    serving(any_port(), async |address, health| {
        health.enter(Phase::Running);
        let mut idle = Vec::new();
        for _ in 0..2 * MAX_CONNECTIONS {
            idle.push(TcpStream::connect(&address).await.unwrap());
        }
        let asked = Instant::now();
        let answer = tcp(&address, "\u{1}\u{2} nonsense").await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        let long = format!("GET /{}", "x".repeat(2 * MAX_HEADER_BYTES));
        let answer = tcp(&address, &long).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
        assert!(tcp(&address, "GET /health").await.starts_with("HTTP/1.1 200"));
        // Not only when the idle ones have been cut off for their silence.
        assert!(asked.elapsed() < HEADER_TIMEOUT / 2, "{:?}", asked.elapsed());
    })
    .await;
}

#[tokio::test]
async fn a_unix_socket_is_for_the_group_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http");
    let listen = Listen::Unix(path.clone());
    serving(listen.clone(), async |_, health| {
        health.enter(Phase::Running);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o660);
        let answer = ask(UnixStream::connect(&path).await.unwrap(), "GET /health").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let second = Listener::bind(&listen).await;
        assert!(second.is_err(), "a socket that answers is not taken over");
    })
    .await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_socket_left_behind_is_replaced_but_no_other_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let listener = Listener::bind(&Listen::Unix(path.clone())).await.unwrap();
    assert_eq!(listener.address(), format!("unix:{}", path.display()));
    drop(listener);
    fs::write(&path, "somebody's file").unwrap();
    let error = Listener::bind(&Listen::Unix(path.clone())).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on unix:{}", path.display()));
    assert_eq!(fs::read_to_string(&path).unwrap(), "somebody's file");
}
