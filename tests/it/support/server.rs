//! A loopback HTTP/1.1 server whose paths are scripted rules and which records every request with all its headers.
//!
//! A rule is a function of the request and of how many came before it on its path, so state advances with each request.
//! The server also plays any host of the internet when it is asked as a proxy: the path is then the whole URL
//! (`http://news.example/feed.xml`). It runs on a thread of its own, for tests with and without a runtime.

use std::{
    collections::HashMap,
    io::Write as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinSet,
};

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// When its header was complete.
    pub at: Instant,
    /// When its answer was sent; `None` while it is in flight.
    pub ended: Option<Instant>,
    pub method: String,
    /// Path and query; the whole URL where the server was asked as a proxy.
    pub target: String,
    /// In order, names as written, values byte for byte.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The connection it came on, counted from 0.
    pub connection: usize,
}

impl Recorded {
    /// The field's bytes as text (one character a byte), if it was sent.
    pub fn header(&self, name: &str) -> Option<String> {
        let (_, value) = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(value.iter().map(|&byte| char::from(byte)).collect())
    }

    /// Whether it carried a validator.
    pub fn is_conditional(&self) -> bool {
        self.header("if-none-match").is_some() || self.header("if-modified-since").is_some()
    }
}

/// What is sent after the header.
#[derive(Clone, Debug)]
enum Body {
    Whole(Vec<u8>),
    /// More is announced than comes before the connection is closed.
    Cut(Vec<u8>),
    /// Nothing is announced: the end of the connection is the end.
    Unannounced(Vec<u8>),
    /// The same bytes, chunk after chunk, until the client goes away.
    Endless(Vec<u8>),
    /// Some bytes, then silence until the client goes away.
    Stalled(Vec<u8>),
    /// These very bytes instead of an HTTP answer.
    Raw(Vec<u8>),
    /// Nothing at all, until the client goes away.
    Mute,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Body,
    delay: Duration,
}

impl Reply {
    /// An empty answer.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Body::Whole(Vec::new()), delay: Duration::ZERO }
    }

    /// 200 with a feed.
    pub fn feed(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).header("Content-Type", "application/rss+xml; charset=utf-8").body(body)
    }

    /// A redirect.
    pub fn redirect(status: u16, to: &str) -> Self {
        Self::status(status).header("Location", to)
    }

    /// Bytes that are no HTTP.
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { body: Body::Raw(bytes.into()), ..Self::status(0) }
    }

    /// No answer until the client gives up.
    pub fn mute() -> Self {
        Self { body: Body::Mute, ..Self::status(0) }
    }

    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub fn body(self, bytes: impl Into<Vec<u8>>) -> Self {
        Self { body: Body::Whole(bytes.into()), ..self }
    }

    /// Announces twice what comes.
    pub fn cut(self) -> Self {
        Self { body: Body::Cut(self.bytes()), ..self }
    }

    /// Says nothing of the length and closes the connection behind the body.
    pub fn unannounced(self) -> Self {
        Self { body: Body::Unannounced(self.bytes()), ..self }
    }

    /// The body again and again.
    pub fn endless(self) -> Self {
        Self { body: Body::Endless(self.bytes()), ..self }
    }

    /// The body as a beginning, then nothing.
    pub fn stalled(self) -> Self {
        Self { body: Body::Stalled(self.bytes()), ..self }
    }

    /// Compresses the body.
    pub fn gzip(self) -> Self {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&self.bytes()).unwrap();
        let bytes = encoder.finish().unwrap();
        self.header("Content-Encoding", "gzip").body(bytes)
    }

    /// Waits before answering.
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    fn bytes(&self) -> Vec<u8> {
        match &self.body {
            Body::Whole(bytes) => bytes.clone(),
            _ => Vec::new(),
        }
    }
}

type Rule = Box<dyn FnMut(&Recorded, usize) -> Reply + Send>;

#[derive(Default)]
struct State {
    rules: HashMap<String, (usize, Rule)>,
    log: Vec<Recorded>,
    connections: usize,
}

/// The running server; stops when dropped.
pub struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let served = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = accept(listener, served) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address: told.recv().unwrap(), state, stop: Some(stop), thread: Some(thread) }
    }

    /// `http://127.0.0.1:port` and the path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers `target` (a path, or a whole URL when asked as a proxy) by `rule`, which is handed the request and how
    /// many came before it there.
    pub fn on(&self, target: &str, rule: impl FnMut(&Recorded, usize) -> Reply + Send + 'static) {
        self.state.lock().unwrap().rules.insert(target.to_owned(), (0, Box::new(rule)));
    }

    /// Always the same answer.
    pub fn always(&self, target: &str, reply: Reply) {
        self.on(target, move |_, _| reply.clone());
    }

    /// One answer after the other; the last one stays.
    pub fn in_turn(&self, target: &str, replies: Vec<Reply>) {
        self.on(target, move |_, earlier| replies[earlier.min(replies.len() - 1)].clone());
    }

    /// `reply`, but 304 to whoever sends the validators that it carries.
    pub fn validated(&self, target: &str, reply: Reply) {
        self.on(target, move |request, _| {
            let fits = |ours: &str, theirs: &str| {
                let (_, ours) = reply.headers.iter().find(|(name, _)| name == ours)?;
                let sent =
                    request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(theirs));
                Some(sent.is_some_and(|(_, theirs)| ours == theirs))
            };
            let both = [fits("ETag", "if-none-match"), fits("Last-Modified", "if-modified-since")];
            if both.contains(&Some(true)) && !both.contains(&Some(false)) {
                let headers =
                    reply.headers.iter().filter(|(name, _)| !name.starts_with("Content-")).cloned();
                return Reply { headers: headers.collect(), ..Reply::status(304) };
            }
            reply.clone()
        });
    }

    /// Every request so far.
    pub fn log(&self) -> Vec<Recorded> {
        self.state.lock().unwrap().log.clone()
    }

    /// Every request for `target` so far.
    pub fn requests(&self, target: &str) -> Vec<Recorded> {
        self.log().into_iter().filter(|request| request.target == target).collect()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    /// The most requests that were in flight at one time.
    pub fn most_in_flight(&self) -> usize {
        let log = self.log();
        let in_flight_at = |at: Instant| {
            log.iter()
                .filter(|request| request.at <= at && request.ended.is_none_or(|end| end > at))
                .count()
        };
        log.iter().map(|request| in_flight_at(request.at)).max().unwrap_or(0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut tasks = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let connection = {
            let mut state = state.lock().unwrap();
            state.connections += 1;
            state.connections - 1
        };
        let state = Arc::clone(&state);
        tasks.spawn(async move {
            let _ = serve(stream, connection, state).await;
        });
        while tasks.try_join_next().is_some() {}
    }
}

/// Answers the requests of one connection until either side closes it.
async fn serve(
    mut stream: TcpStream,
    connection: usize,
    state: Arc<Mutex<State>>,
) -> std::io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer, connection).await? {
        let (index, reply) = {
            let mut state = state.lock().unwrap();
            state.log.push(request.clone());
            (state.log.len() - 1, answer(&mut state, &request))
        };
        tokio::time::sleep(reply.delay).await;
        let stays_open = send(&mut stream, &reply, || {
            state.lock().unwrap().log[index].ended = Some(Instant::now());
        })
        .await;
        state.lock().unwrap().log[index].ended.get_or_insert_with(Instant::now);
        if !stays_open? {
            break;
        }
    }
    Ok(())
}

fn answer(state: &mut State, request: &Recorded) -> Reply {
    let path = request.target.split('?').next().unwrap_or_default();
    let key = if state.rules.contains_key(&request.target) { &request.target } else { path };
    match state.rules.get_mut(key) {
        Some((earlier, rule)) => {
            *earlier += 1;
            rule(request, *earlier - 1)
        }
        None => Reply::status(404),
    }
}

/// How a TLS client begins.
const TLS_HANDSHAKE: &[u8] = &[0x16, 0x03];

async fn read_request(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    connection: usize,
) -> std::io::Result<Option<Recorded>> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
        if buffer.starts_with(TLS_HANDSHAKE) {
            stream.write_all(b"HTTP/1.1 400 This port speaks no TLS\r\n\r\n").await?;
            return Ok(None);
        }
    };
    let head: Vec<u8> = buffer.drain(..end + 4).collect();
    let mut lines = head[..end]
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let mut words = first.split(' ');
    let (method, target) =
        (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned());
    let headers = lines.filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let value = line[colon + 1..].strip_prefix(b" ").unwrap_or(&line[colon + 1..]);
        Some((String::from_utf8_lossy(&line[..colon]).into_owned(), value.to_vec()))
    });
    let headers = headers.collect();
    Ok(Some(Recorded { at: Instant::now(), ended: None, method, target, headers, connection }))
}

/// Sends an answer; `false`: the connection is not to be used again. `done` is called before the last byte leaves, so
/// that no request can follow an answer that does not count as sent.
async fn send(stream: &mut TcpStream, reply: &Reply, done: impl FnOnce()) -> std::io::Result<bool> {
    let mut head = format!("HTTP/1.1 {} Scripted\r\n", reply.status).into_bytes();
    for (name, value) in &reply.headers {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value);
        head.extend_from_slice(b"\r\n");
    }
    let has_body = reply.status != 304 && reply.status != 204;
    match &reply.body {
        Body::Whole(bytes) => {
            if has_body {
                head.extend_from_slice(format!("Content-Length: {}\r\n", bytes.len()).as_bytes());
            }
            head.extend_from_slice(b"\r\n");
            head.extend_from_slice(bytes);
            done();
            stream.write_all(&head).await?;
            Ok(true)
        }
        Body::Cut(bytes) | Body::Stalled(bytes) => {
            head.extend_from_slice(
                format!("Content-Length: {}\r\n\r\n", bytes.len() * 2 + 1).as_bytes(),
            );
            head.extend_from_slice(bytes);
            stream.write_all(&head).await?;
            if matches!(reply.body, Body::Stalled(_)) {
                until_closed(stream).await;
            }
            Ok(false)
        }
        Body::Unannounced(bytes) => {
            head.extend_from_slice(b"\r\n");
            head.extend_from_slice(bytes);
            stream.write_all(&head).await?;
            Ok(false)
        }
        Body::Endless(bytes) => {
            head.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            stream.write_all(&head).await?;
            let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
            loop {
                stream.write_all(&chunk).await?;
            }
        }
        Body::Raw(bytes) => {
            stream.write_all(bytes).await?;
            Ok(false)
        }
        Body::Mute => {
            until_closed(stream).await;
            Ok(false)
        }
    }
}

async fn until_closed(stream: &mut TcpStream) {
    let mut byte = [0];
    while stream.read(&mut byte).await.is_ok_and(|count| count > 0) {}
}

/// A small RSS feed with items of these titles, each with a text of its own.
pub fn rss(titles: &[&str]) -> String {
    let items: String = titles
        .iter()
        .enumerate()
        .map(|(index, title)| {
            format!(
                "<item><title>{title}</title><link>https://site.example/{title}</link><guid>{title}</guid>\
                 <description>The text of {title}, number {index}, which stands for itself.</description></item>"
            )
        })
        .collect();
    format!("<rss version=\"2.0\"><channel><title>Scripted</title>{items}</channel></rss>")
}
