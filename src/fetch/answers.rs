//! One request for one URL in a cycle: feeds that redirect to the same place, or list the same page, share what it answers,
//! be it a failure.
//!
//! An answer serves whoever would have sent the same request (credentials, further fields, proxy and address guard the
//! same), and each feed once: a feed that comes again has begun a new cycle. Who comes while the question is under way
//! waits for its answer. What is kept is bounded in age and bytes.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{Hash, Hasher},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::{sync::OwnedMutexGuard, time::Instant};
use url::Url;

use super::{Error, Freshness, Received, RetryAfter, Validators, client};

/// How long an answer may serve another feed: polls that fall due together are over by then, and nothing gets old.
const KEPT_FOR: Duration = Duration::from_secs(120);
/// The bodies that are kept, in all ...
const MAX_BYTES: usize = 8 << 20;
/// ... and each.
const MAX_BODY_BYTES: usize = 2 << 20;
/// Answers without a body take room too.
const MAX_ANSWERS: usize = 4_096;

/// A request less its validators: what must be the same for an answer to be shared.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    client: client::Key,
    url: Url,
    fields: Vec<(HeaderName, HeaderValue)>,
}

impl Hash for Question {
    /// Requests for one URL hardly ever differ in the rest.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.url.hash(state);
    }
}

impl Question {
    pub(super) fn new(client: client::Key, url: &Url, fields: &HeaderMap) -> Self {
        let fields = fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Self { client, url: url.clone(), fields }
    }
}

/// What a server said.
#[derive(Debug)]
pub(super) enum Answer {
    Redirect { status: u16, target: Url },
    Document(Document),
    Failed(Error),
}

/// A success or "not modified".
#[derive(Debug)]
pub(super) struct Document {
    pub(super) status: u16,
    pub(super) body: Option<Received>,
    pub(super) validators: Option<Validators>,
    pub(super) freshness: Freshness,
    pub(super) retry_after: Option<RetryAfter>,
}

impl Answer {
    fn body_bytes(&self) -> usize {
        match self {
            Self::Document(Document { body: Some(body), .. }) => body.bytes.len(),
            _ => 0,
        }
    }

    /// Whether a feed that takes bodies of at most `max_body` bytes would have got it too.
    pub(super) fn holds_for(&self, max_body: u64) -> bool {
        match self {
            Self::Failed(Error::TooLarge { what: "body", limit }) => max_body <= *limit,
            _ => self.body_bytes() as u64 <= max_body,
        }
    }

    /// Whether something was asked at all, and anybody else would have met the same.
    fn came_from_the_url(&self) -> bool {
        !matches!(
            self,
            Self::Failed(
                Error::Held { .. }
                    | Error::Robots { .. }
                    | Error::Credentials(_)
                    | Error::ForbiddenAddress { .. }
            )
        )
    }

    fn copy(&self) -> Self {
        match self {
            Self::Redirect { status, target } => {
                Self::Redirect { status: *status, target: target.clone() }
            }
            Self::Document(document) => Self::Document(Document {
                status: document.status,
                body: document.body.as_ref().map(|body| Received {
                    bytes: body.bytes.clone(),
                    encoding: body.encoding.clone(),
                    content_type: body.content_type.clone(),
                    ends_with_connection: body.ends_with_connection,
                    budget: None,
                }),
                validators: document.validators.clone(),
                freshness: document.freshness,
                retry_after: document.retry_after.clone(),
            }),
            Self::Failed(error) => Self::Failed(error.clone()),
        }
    }

    /// "Not modified" says something only to who sent the same validators.
    fn depends_on_validators(&self) -> bool {
        matches!(self, Self::Document(Document { body: None, .. }))
    }
}

/// The answers of the last minutes.
#[derive(Debug, Default)]
pub(super) struct Answers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    gates: HashMap<Arc<Question>, Arc<tokio::sync::Mutex<()>>>,
    kept: HashMap<Arc<Question>, Kept>,
    /// In order of age; an answer that was replaced has another number.
    order: VecDeque<(u64, Arc<Question>)>,
    last_number: u64,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    answer: Answer,
    sent: Option<Validators>,
    at: Instant,
    /// The feeds that have had it ([`super::Request::asker`]).
    served: HashSet<String>,
}

/// The only one who asks a question at the moment.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    answers: &'a Answers,
    question: Arc<Question>,
    gate: Option<Arc<tokio::sync::Mutex<()>>>,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Answers {
    /// Somebody who wants to ask; [`Turn::wait`] says when.
    pub(super) fn turn(&self, question: Question) -> Turn<'_> {
        let question = Arc::new(question);
        let gate = Arc::clone(self.lock().gates.entry(Arc::clone(&question)).or_default());
        let guard = Arc::clone(&gate).try_lock_owned().ok();
        Turn { answers: self, question, gate: Some(gate), guard }
    }

    /// Nothing that is done under the lock can leave it half changed.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn<'_> {
    /// Whether nobody else is asking.
    pub(super) fn has_come(&self) -> bool {
        self.guard.is_some()
    }

    /// Waits for the one who is asking.
    pub(super) async fn wait(&mut self) {
        if let (None, Some(gate)) = (&self.guard, &self.gate) {
            self.guard = Some(Arc::clone(gate).lock_owned().await);
        }
    }

    /// The answer that another feed got, for `feed`, which would send these validators.
    pub(super) fn earlier(&self, feed: &str, sent: Option<&Validators>) -> Option<Answer> {
        let mut state = self.answers.lock();
        let kept = state.kept.get_mut(&self.question)?;
        let is_for_all = !kept.answer.depends_on_validators() || kept.sent.as_ref() == sent;
        let serves = is_for_all && kept.at.elapsed() <= KEPT_FOR;
        (serves && kept.served.insert(feed.to_owned())).then(|| kept.answer.copy())
    }

    /// Keeps the answer that `feed` got for others.
    pub(super) fn keep(&self, feed: &str, sent: Option<&Validators>, answer: &Answer) {
        let mut state = self.answers.lock();
        state.forget(&self.question);
        let bytes = answer.body_bytes();
        if bytes <= MAX_BODY_BYTES && answer.came_from_the_url() {
            state.last_number += 1;
            state.bytes += bytes;
            let number = state.last_number;
            let kept = Kept {
                number,
                answer: answer.copy(),
                sent: sent.cloned(),
                at: Instant::now(),
                served: HashSet::from([feed.to_owned()]),
            };
            state.kept.insert(Arc::clone(&self.question), kept);
            state.order.push_back((number, Arc::clone(&self.question)));
        }
        state.shrink();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.answers.lock();
        drop(self.guard.take());
        drop(self.gate.take());
        if state.gates.get(&self.question).is_some_and(|gate| Arc::strong_count(gate) == 1) {
            state.gates.remove(&self.question);
        }
    }
}

impl State {
    fn forget(&mut self, question: &Question) {
        if let Some(kept) = self.kept.remove(question) {
            self.bytes -= kept.answer.body_bytes();
        }
    }

    /// Lets go of what is too old or too much.
    fn shrink(&mut self) {
        while let Some((number, question)) = self.order.front() {
            let kept = self.kept.get(question).filter(|kept| kept.number == *number);
            let is_too_much = self.bytes > MAX_BYTES || self.order.len() > MAX_ANSWERS;
            if kept.is_some_and(|kept| !is_too_much && kept.at.elapsed() <= KEPT_FOR) {
                break;
            }
            let is_there = kept.is_some();
            if let Some((_, question)) = self.order.pop_front()
                && is_there
            {
                self.forget(&question);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn question(path: &str) -> Question {
        let client = client::Key { tls: false, allow_private: true, proxy: None };
        let url = Url::parse("http://news.example/").unwrap().join(path).unwrap();
        Question::new(client, &url, &HeaderMap::new())
    }

    fn document(body: Option<usize>) -> Answer {
        let body = body.map(|size| Received {
            bytes: vec![b'x'; size],
            encoding: None,
            content_type: None,
            ends_with_connection: false,
            budget: None,
        });
        Answer::Document(Document {
            status: 200,
            body,
            validators: None,
            freshness: Freshness::default(),
            retry_after: None,
        })
    }

    fn validators(etag: &str) -> Validators {
        let etag = Some(etag.to_owned());
        Validators { url: "http://news.example/feed".to_owned(), etag, last_modified: None }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_serves_each_feed_once_and_not_for_long() {
        let answers = Answers::default();
        let turn = answers.turn(question("feed"));
        assert!(turn.has_come() && turn.earlier("a", None).is_none());
        turn.keep("a", None, &document(Some(10)));
        assert!(turn.earlier("a", None).is_none(), "that is another cycle");
        assert!(turn.earlier("b", Some(&validators("1"))).is_some());
        assert!(turn.earlier("b", None).is_none());
        tokio::time::advance(KEPT_FOR + Duration::from_secs(1)).await;
        assert!(turn.earlier("c", None).is_none());
    }

    #[tokio::test]
    async fn not_modified_serves_who_has_the_same_validators() {
        let answers = Answers::default();
        let turn = answers.turn(question("feed"));
        turn.keep("a", Some(&validators("1")), &document(None));
        assert!(turn.earlier("b", None).is_none());
        assert!(turn.earlier("b", Some(&validators("2"))).is_none());
        assert!(turn.earlier("b", Some(&validators("1"))).is_some());
    }

    #[tokio::test]
    async fn a_failure_is_shared_with_whom_it_would_have_met() {
        let answers = Answers::default();
        let turn = answers.turn(question("feed"));
        turn.keep("a", None, &Answer::Failed(Error::TooLarge { what: "body", limit: 100 }));
        let answer = turn.earlier("b", None).unwrap();
        assert!(answer.holds_for(100) && !answer.holds_for(101));
        let held = Error::Held { origin: "http://news.example".to_owned(), until: Timestamp::MIN };
        turn.keep("a", None, &Answer::Failed(held));
        assert!(turn.earlier("c", None).is_none(), "nothing was asked");
    }

    #[tokio::test]
    async fn who_comes_meanwhile_waits_and_nothing_is_left() {
        let answers = Answers::default();
        let first = answers.turn(question("feed"));
        let mut second = answers.turn(question("feed"));
        assert!(!second.has_come() && answers.turn(question("other")).has_come());
        drop(first);
        second.wait().await;
        assert!(second.has_come());
        drop(second);
        assert!(answers.lock().gates.is_empty());
    }

    #[tokio::test]
    async fn what_is_kept_has_its_bounds() {
        let answers = Answers::default();
        for n in 0..MAX_ANSWERS + 40 {
            let turn = answers.turn(question(&n.to_string()));
            turn.keep("a", None, &document((n < 20).then_some(MAX_BODY_BYTES)));
            turn.keep("a", None, &document((n < 20).then_some(MAX_BODY_BYTES)));
            let state = answers.lock();
            let bytes: usize = state.kept.values().map(|kept| kept.answer.body_bytes()).sum();
            assert!(state.bytes == bytes && bytes <= MAX_BYTES);
            assert!(state.kept.len() <= MAX_ANSWERS && state.order.len() <= MAX_ANSWERS);
        }
        let turn = answers.turn(question("large"));
        turn.keep("a", None, &document(Some(MAX_BODY_BYTES + 1)));
        assert!(turn.earlier("b", None).is_none());
    }
}
