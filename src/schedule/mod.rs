//! When is a feed due next? Pure arithmetic on instants that are handed in.
//!
//! [`State`] is what a feed's row remembers. After each poll, [`State::observe`] takes in what the poll brought
//! ([`Signals`]) and [`plan`] says when to poll next, what every rule asked for and which of them decided: that is what
//! `feeds explain` prints. [`next`] does both. The same state, options and seed always give the same plan.
//!
//! The rules are lower bounds and the longest one decides; a jitter of a tenth only ever delays. What a server orders
//! (Retry-After, 410) is never shortened by anything.

pub mod clock;
pub mod moves;
mod rhythm;
mod skip;

use serde::{Deserialize, Serialize};

use crate::model::{PollHints, Timestamp};

/// A feed is stale when it has been silent for this many of its usual gaps.
pub const STALE_AFTER_GAPS: i64 = 4;

/// For staleness a usual gap counts as an hour at least: a busy feed is allowed its nights.
const SHORTEST_STALE_GAP_SECONDS: i64 = 3_600;

/// A silent feed is asked without validators at most this often.
const FULL_GET_EVERY_SECONDS: i64 = 7 * 86_400;

/// The interval of a feed whose rhythm is not known yet.
const UNKNOWN_INTERVAL_SECONDS: u32 = 3_600;

/// 2^20 times any interval is beyond every cap; it keeps the arithmetic finite.
const MAX_BACKOFF_HALVES: u32 = 40;

/// How often a feed is polled, from `[poll]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Follow the feed's rhythm or keep a fixed interval.
    pub interval: Interval,
    /// The shortest interval that a rhythm can lead to.
    pub min_interval_seconds: u32,
    /// The longest wait that anything but a server's order can lead to, jitter aside.
    pub max_interval_seconds: u32,
    /// How long a permanent redirect must stand before it is adopted; 0: at once.
    pub adopt_redirects_after_seconds: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            interval: Interval::Auto,
            min_interval_seconds: 15 * 60,
            max_interval_seconds: 86_400,
            adopt_redirects_after_seconds: 48 * 3_600,
        }
    }
}

/// `[poll] interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interval {
    /// Follows the feed's own rhythm.
    Auto,
    /// Seconds.
    Fixed(u32),
}

/// What a feed's row remembers about its polls.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// When the last poll ended, however it went.
    pub last_poll_at: Option<Timestamp>,
    /// When a poll last brought an answer that could be understood.
    pub last_success_at: Option<Timestamp>,
    /// When a poll last brought a new entry.
    pub last_new_at: Option<Timestamp>,
    /// When a whole document last came, or was asked for without validators.
    pub last_full_get_at: Option<Timestamp>,
    /// Between new entries, learned.
    pub usual_gap_seconds: Option<u32>,
    /// Failed polls in a row.
    pub failures: u32,
    /// A server's order: not asked before.
    pub retry_after_until: Option<Timestamp>,
    /// 410: not asked again.
    pub gone_at: Option<Timestamp>,
    /// A permanent redirect that is being watched.
    pub moved: Option<moves::Watched>,
    /// What else the plan depends on.
    pub memory: Memory,
}

/// What the plan depends on and nobody queries: one JSON object in the feed's row (`feeds.poll_memory`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// The last answer's max-age less Age.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_age_seconds: Option<u32>,
    /// The last answer's Expires less Date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_seconds: Option<u32>,
    /// The last document's `ttl` or `sy:updatePeriod`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// The last document's skipHours, as in [`PollHints`].
    pub skip_hours: u32,
    /// The last document's skipDays, as in [`PollHints`].
    pub skip_days: u8,
    /// The backoff's exponent in halves: a hard failure adds two, a soft one adds one.
    pub backoff_halves: u32,
    /// Since when the feed has brought nothing new, in seconds since 1970; the first poll brings something new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<i64>,
    /// When the newest entry of the first document was published: until more comes, the rhythm counts from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_newest: Option<i64>,
    /// The smoothed gap between new entries as polls saw them arrive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrival_gap_seconds: Option<u32>,
    /// Polls that brought new entries, the first one aside.
    pub arrivals: u32,
    /// How many times in a row the whole process was killed while the feed was to be polled.
    #[serde(skip_serializing_if = "is_zero")]
    pub interruptions: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// How a poll ended, as far as the schedule cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer that could be understood: a document, or "not modified".
    Success,
    /// A failure.
    Failed {
        /// It may be ours, or pass by itself (`fetch::Error::is_soft`).
        is_soft: bool,
    },
    /// 410.
    Gone,
    /// Nothing was asked: the origin is closed until then.
    Held(Timestamp),
}

/// What a poll brought, as far as the schedule cares.
#[derive(Clone, Debug)]
pub struct Signals<'a> {
    /// How it ended.
    pub outcome: Outcome,
    /// Whether the answer said anything about its freshness; a 304 that says nothing leaves what was said before.
    pub max_age_seconds: Option<u32>,
    /// As [`Self::max_age_seconds`], from Expires.
    pub expires_seconds: Option<u32>,
    /// The server's order, beside a failure.
    pub retry_after_seconds: Option<u32>,
    /// Whether it was asked without validators.
    pub was_unconditional: bool,
    /// What the document said, where one came and could be read.
    pub document: Option<DocumentSignals<'a>>,
}

impl Signals<'_> {
    /// A poll that ended so and brought nothing else.
    pub fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            max_age_seconds: None,
            expires_seconds: None,
            retry_after_seconds: None,
            was_unconditional: false,
            document: None,
        }
    }
}

/// What a document said, as far as the schedule cares.
#[derive(Clone, Debug)]
pub struct DocumentSignals<'a> {
    /// ttl, sy:*, skipHours, skipDays.
    pub hints: &'a PollHints,
    /// The dates of the entries that were built (known ones are not), in any order.
    pub entry_times: &'a [Timestamp],
    /// Entries never listed before, whether they became articles or copies.
    pub new_entries: u32,
    /// All entries of the document.
    pub listed_entries: u32,
}

/// What one rule asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// The rule: a word of `feeds.next_poll_reason`.
    pub name: &'static str,
    /// Not before; `None`: never again.
    pub asks: Option<Timestamp>,
    /// Why, in a few words.
    pub note: String,
}

/// When a feed is polled next, and why then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextPoll {
    /// `None`: not again until its configuration changes (410).
    pub at: Option<Timestamp>,
    /// The rule that decided.
    pub reason: &'static str,
    /// What every rule asked for, in the order in which they were considered.
    pub rules: Vec<Rule>,
}

/// Takes in what a poll brought and says when the next one is due.
pub fn next(
    state: &mut State,
    signals: &Signals<'_>,
    options: &Options,
    now: Timestamp,
    jitter_seed: u64,
) -> NextPoll {
    state.observe(signals, now);
    plan(state, options, jitter_seed)
}

impl State {
    /// Takes in what a poll that ended at `now` brought.
    pub fn observe(&mut self, signals: &Signals<'_>, now: Timestamp) {
        if let Outcome::Held(until) = signals.outcome {
            self.retry_after_until = self.retry_after_until.max(Some(until));
            self.last_poll_at = self.last_poll_at.or(Some(now));
            return;
        }
        let is_first = self.last_success_at.is_none();
        self.last_poll_at = Some(now);
        self.memory.interruptions = 0;
        match signals.outcome {
            Outcome::Failed { is_soft } => self.fail(if is_soft { 1 } else { 2 }),
            Outcome::Gone => {
                self.fail(2);
                self.gone_at = Some(now);
            }
            Outcome::Success | Outcome::Held(_) => self.succeed(signals, now),
        }
        if let (Some(seconds), true) = (signals.retry_after_seconds, self.failures > 0) {
            self.retry_after_until =
                self.retry_after_until.max(Some(now.plus_seconds(i64::from(seconds))));
        }
        if signals.was_unconditional || signals.document.is_some() {
            self.last_full_get_at = Some(now);
        }
        if let Some(document) = &signals.document {
            self.learn(document, is_first, now);
        }
    }

    fn fail(&mut self, halves: u32) {
        self.failures = self.failures.saturating_add(1);
        self.memory.backoff_halves = (self.memory.backoff_halves + halves).min(MAX_BACKOFF_HALVES);
    }

    fn succeed(&mut self, signals: &Signals<'_>, now: Timestamp) {
        self.failures = 0;
        self.memory.backoff_halves = 0;
        self.last_success_at = Some(now);
        self.retry_after_until = None;
        self.gone_at = None;
        // RFC 9111 (4.3.4): a 304 updates what it names and leaves the rest of the stored answer as it was.
        let says_something = signals.max_age_seconds.is_some() || signals.expires_seconds.is_some();
        if says_something || signals.document.is_some() {
            self.memory.max_age_seconds = signals.max_age_seconds;
            self.memory.expires_seconds = signals.expires_seconds;
        }
    }

    fn learn(&mut self, document: &DocumentSignals<'_>, is_first: bool, now: Timestamp) {
        self.memory.ttl_seconds = document.hints.min_interval_seconds;
        self.memory.skip_hours = document.hints.skip_hours;
        self.memory.skip_days = document.hints.skip_days;
        rhythm::learn(self, document, is_first, now);
    }

    /// Since when the feed has brought nothing new, as far as polls saw it.
    pub fn silent_since(&self) -> Option<Timestamp> {
        self.memory.silent_since.and_then(Timestamp::from_unix_seconds).or(self.last_new_at)
    }

    /// Whether the feed has gone silent: four times its usual gap without anything new.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        match (self.usual_gap_seconds, self.silent_since()) {
            (Some(gap), Some(since)) => now.seconds_since(since) > stale_after(gap),
            _ => false,
        }
    }

    /// Whether the next poll goes without validators: the feed has gone silent and only "not modified" has come for as
    /// long, which a broken cache would say too. At most once in seven days.
    pub fn wants_full_get(&self, now: Timestamp) -> bool {
        let since_full = self.last_full_get_at.map_or(0, |at| now.seconds_since(at));
        let gap = self.usual_gap_seconds.unwrap_or(0);
        self.is_stale(now) && since_full > stale_after(gap).max(FULL_GET_EVERY_SECONDS)
    }

    /// Whether a server has ordered that nothing is asked at `now`; such an order holds for `once --all` too.
    pub fn is_under_orders(&self, now: Timestamp) -> bool {
        self.gone_at.is_some() || self.retry_after_until.is_some_and(|until| until > now)
    }
}

fn stale_after(gap: u32) -> i64 {
    STALE_AFTER_GAPS * i64::from(gap).max(SHORTEST_STALE_GAP_SECONDS)
}

/// When the feed is due next, from what its row remembers.
pub fn plan(state: &State, options: &Options, jitter_seed: u64) -> NextPoll {
    let Some(last) = state.last_poll_at else {
        let rule =
            Rule { name: "new", asks: Some(Timestamp::MIN), note: "never polled".to_owned() };
        return NextPoll { at: rule.asks, reason: rule.name, rules: vec![rule] };
    };
    if let Some(gone_at) = state.gone_at {
        let note =
            format!("the server said 410 at {gone_at}; a changed configuration entry asks again");
        return NextPoll {
            at: None,
            reason: "gone",
            rules: vec![Rule { name: "gone", asks: None, note }],
        };
    }
    let mut rules = lower_bounds(state, options, last);
    let (reason, bound) = longest(&rules, last);
    let cap = last.plus_seconds(i64::from(longest_wait(options))).max(bound);
    let jitter = jitter_seconds(
        bound.seconds_since(last).min(i64::from(longest_wait(options))),
        jitter_seed,
    );
    let jittered = bound.plus_seconds(jitter);
    rules.push(Rule {
        name: "jitter",
        asks: Some(jittered),
        note: format!("{} later", in_words(jitter)),
    });
    let (at, reason) = match skip::next_allowed(jittered, cap, &state.memory, jitter_seed) {
        Some(skipped) => {
            rules.push(Rule { name: skipped.name, asks: Some(skipped.at), note: skipped.note });
            if skipped.at > jittered { (skipped.at, skipped.name) } else { (jittered, reason) }
        }
        None => (jittered, reason),
    };
    NextPoll { at: Some(at), reason, rules }
}

/// Killed so many times in a row while a feed was to be polled, the process polls that feed by itself: one of those that
/// were under way may be the reason ...
const ALONE_AFTER_INTERRUPTIONS: u32 = 2;
/// ... and each has so many seconds until the next one is due.
const ALONE_FOR_SECONDS: i64 = 5;

/// After the process was killed while a feed was to be polled, once more than before: when it is polled now. `place`
/// counts those that are polled one by one. `None`: as before.
pub fn after_interruption(
    state: &mut State,
    options: &Options,
    place: &mut i64,
    now: Timestamp,
    jitter_seed: u64,
) -> Option<NextPoll> {
    let times = state.memory.interruptions;
    if times > ALONE_AFTER_INTERRUPTIONS {
        let signals = Signals::of(Outcome::Failed { is_soft: true });
        let mut next = next(state, &signals, options, now, jitter_seed);
        state.memory.interruptions = times;
        let note = format!("killed {times} times in a row, at last while it was polled by itself");
        next.rules.push(Rule { name: "interrupted", asks: next.at, note });
        return Some(next);
    }
    if times < ALONE_AFTER_INTERRUPTIONS {
        return None;
    }
    *place += 1;
    let at = now.plus_seconds(*place * ALONE_FOR_SECONDS);
    let note =
        format!("killed {times} times in a row with polls under way: each is made by itself");
    let rule = Rule { name: "interrupted", asks: Some(at), note };
    Some(NextPoll { at: rule.asks, reason: rule.name, rules: vec![rule] })
}

/// Whether a feed that is due at `now` is better asked later, and the rule that says so: a poll may have waited until
/// it came into hours that the feed skips.
pub fn put_off(
    state: &State,
    options: &Options,
    now: Timestamp,
    jitter_seed: u64,
) -> Option<(Timestamp, &'static str)> {
    let cap = state.last_poll_at?.plus_seconds(i64::from(longest_wait(options)));
    let skipped = skip::next_allowed(now, cap, &state.memory, jitter_seed)?;
    (skipped.at > now).then_some((skipped.at, skipped.name))
}

/// When a feed may be asked earlier than was planned, because its options allow it now; `None` where they do not, or only
/// the jitter would differ.
pub fn hastened(
    state: &State,
    options: &Options,
    planned: Timestamp,
    jitter_seed: u64,
) -> Option<NextPoll> {
    let last = state.last_poll_at?;
    let next = plan(state, options, jitter_seed);
    // Two plans of one bound differ by a tenth at most.
    let without_jitter = last.plus_seconds(planned.seconds_since(last) * 10 / 11);
    (next.at? < without_jitter).then_some(next)
}

/// What each rule asks for, in seconds after the last poll, before jitter.
fn lower_bounds(state: &State, options: &Options, last: Timestamp) -> Vec<Rule> {
    let memory = &state.memory;
    let (name, interval, note) = interval(state, options, last);
    let after = |seconds: u32| Some(last.plus_seconds(i64::from(seconds)));
    let mut rules = Vec::with_capacity(6);
    rules.push(Rule { name, asks: after(interval), note });
    if state.failures > 0 {
        let wait = backoff_seconds(interval, memory.backoff_halves, longest_wait(options));
        let note = match state.failures {
            1 => "failed once".to_owned(),
            times => format!("failed {times} times in a row"),
        };
        rules.push(Rule { name: "backoff", asks: after(wait), note });
    }
    let asked = [
        ("max_age", memory.max_age_seconds, "Cache-Control: max-age less Age"),
        ("expires", memory.expires_seconds, "Expires"),
        ("ttl", memory.ttl_seconds, "ttl or sy:updatePeriod of the feed"),
    ];
    for (name, seconds, what) in asked {
        if let Some(seconds) = seconds.filter(|&seconds| seconds > 0) {
            let wait = seconds.min(longest_wait(options));
            let capped = if wait < seconds { ", held to max_interval" } else { "" };
            let note = format!("{what}: {}{capped}", in_words(i64::from(seconds)));
            rules.push(Rule { name, asks: after(wait), note });
        }
    }
    if let Some(until) = state.retry_after_until {
        rules.push(Rule {
            name: "retry_after",
            asks: Some(until),
            note: "the server's order".to_owned(),
        });
    }
    rules
}

/// The interval that the feed would have without anything else.
fn interval(state: &State, options: &Options, last: Timestamp) -> (&'static str, u32, String) {
    match options.interval {
        Interval::Fixed(seconds) => {
            ("interval", seconds, format!("poll.interval = {}", in_words(i64::from(seconds))))
        }
        Interval::Auto => {
            let (wished, note) = rhythm::wished_interval(state, last);
            let max = options.max_interval_seconds.max(options.min_interval_seconds);
            ("auto", wished.clamp(options.min_interval_seconds, max), note)
        }
    }
}

/// The cap of everything but a server's orders: `max_interval`, or a fixed interval longer than that.
pub fn longest_wait(options: &Options) -> u32 {
    match options.interval {
        Interval::Fixed(seconds) => options.max_interval_seconds.max(seconds),
        Interval::Auto => options.max_interval_seconds.max(options.min_interval_seconds),
    }
}

/// The interval, doubled for each hard failure in a row and for each two soft ones, up to `cap`.
fn backoff_seconds(interval: u32, halves: u32, cap: u32) -> u32 {
    let factor = 1_u64 << (halves / 2).min(20);
    // An odd half is the square root of two, 181/128.
    let (mul, div) = if halves % 2 == 1 { (181, 128) } else { (1, 1) };
    let wait = u64::from(interval.max(1)) * factor * mul / div;
    u32::try_from(wait).unwrap_or(u32::MAX).min(cap)
}

/// The last of the longest bounds and the rule that set it; never before the last poll.
fn longest(rules: &[Rule], last: Timestamp) -> (&'static str, Timestamp) {
    let mut decided = ("interval", last);
    for rule in rules {
        if let Some(asks) = rule.asks.filter(|asks| *asks > decided.1) {
            decided = (rule.name, asks);
        }
    }
    decided
}

/// From nothing to a tenth of `wait`.
fn jitter_seconds(wait: i64, seed: u64) -> i64 {
    spread(seed, wait / 10)
}

/// A number from 0 to `up_to`, even over all seeds.
fn spread(seed: u64, up_to: i64) -> i64 {
    let range = u128::from(up_to.max(0).unsigned_abs()) + 1;
    i64::try_from((u128::from(mix(seed)) * range) >> 64).unwrap_or(0)
}

/// A seed for one feed's jitter after one poll: different for each feed and each poll, the same when asked again.
pub fn jitter_seed(feed_id: i64, last_poll_at: Timestamp) -> u64 {
    mix(feed_id.unsigned_abs()) ^ last_poll_at.unix_seconds().unsigned_abs()
}

/// The finalizer of SplitMix64: neighbouring seeds come out unlike each other.
fn mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// `90 s`, `15 min`, `2 h 30 min`, `3 d 4 h`: the two largest units.
pub fn in_words(seconds: i64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let total = seconds.max(0);
    let Some(first) = units.iter().position(|(size, _)| total >= *size) else {
        return "0 s".to_owned();
    };
    let (size, name) = units[first];
    let mut words = format!("{} {name}", total / size);
    if let Some((small, small_name)) = units.get(first + 1) {
        let rest = total % size / small;
        if rest > 0 {
            words.push_str(&format!(" {rest} {small_name}"));
        }
    }
    words
}

#[cfg(test)]
mod tests;
