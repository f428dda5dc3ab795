//! Manners towards hosts: how many requests at once, how long between two starts, and who asked to be left alone.
//!
//! [`Pacer`] is the arithmetic, with `now` handed in. [`Hosts`] shares one pacer between whoever starts polls and
//! the fetches that are redirected to another host; [`Slot`] is the permission to have one request in flight.
//! All of it lives in memory: what must survive a restart (an origin's order to wait) is kept in the database too.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Notify, Semaphore, SemaphorePermit, futures::Notified};

use crate::model::Timestamp;

/// The manners, from `[fetch]`.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    /// Requests in flight to one host at most.
    pub per_host: usize,
    /// Between the starts of two requests to one host at least.
    pub host_delay: Duration,
}

/// Why a request may not start now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The host's delay has not passed: not before then.
    Until(Instant),
    /// As many requests as allowed are in flight: not before one of them ends.
    Busy,
}

/// Counts the requests in flight and the starts of each host.
#[derive(Debug)]
pub struct Pacer {
    manners: Manners,
    hosts: HashMap<Box<str>, Host>,
}

#[derive(Clone, Copy, Debug)]
struct Host {
    in_flight: usize,
    last_start: Instant,
}

/// So many hosts are remembered before the quiet ones are forgotten.
const FORGET_ABOVE: usize = 4_096;

impl Pacer {
    /// A pacer that has seen no request.
    pub fn new(manners: Manners) -> Self {
        Self { manners, hosts: HashMap::new() }
    }

    /// Starts a request to `host`, or says when to try again. Each start is to be followed by one [`Self::finish`].
    ///
    /// # Errors
    ///
    /// What there is to wait for.
    pub fn try_start(&mut self, host: &str, now: Instant) -> Result<(), Wait> {
        if let Some(known) = self.hosts.get_mut(host) {
            if known.in_flight >= self.manners.per_host.max(1) {
                return Err(Wait::Busy);
            }
            let earliest = known.last_start + self.manners.host_delay;
            if now < earliest {
                return Err(Wait::Until(earliest));
            }
            *known = Host { in_flight: known.in_flight + 1, last_start: now };
            return Ok(());
        }
        self.forget_quiet(now);
        self.hosts.insert(host.into(), Host { in_flight: 1, last_start: now });
        Ok(())
    }

    /// A request to `host` has ended.
    pub fn finish(&mut self, host: &str) {
        if let Some(known) = self.hosts.get_mut(host) {
            known.in_flight = known.in_flight.saturating_sub(1);
        }
    }

    fn forget_quiet(&mut self, now: Instant) {
        if self.hosts.len() > FORGET_ABOVE {
            let delay = self.manners.host_delay;
            self.hosts.retain(|_, host| host.in_flight > 0 || now < host.last_start + delay);
        }
    }
}

/// One pacer, shared; and the origins that have closed their doors for a while.
#[derive(Clone, Debug)]
pub struct Hosts(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    pacer: Mutex<Pacer>,
    closed: Mutex<Closed>,
    ended: Notify,
}

/// Origins that are not to be asked, counted by the clock that nobody sets.
#[derive(Debug, Default)]
struct Closed {
    until: HashMap<String, tokio::time::Instant>,
    /// Those closed since somebody last took them to be kept.
    unkept: Vec<String>,
}

impl Hosts {
    /// Nothing in flight, nothing closed.
    pub fn new(manners: Manners) -> Self {
        let pacer = Mutex::new(Pacer::new(manners));
        Self(Arc::new(Shared { pacer, closed: Mutex::default(), ended: Notify::new() }))
    }

    /// Starts a request to `host` if its manners allow one now.
    ///
    /// # Errors
    ///
    /// What there is to wait for.
    pub fn try_enter(&self, host: &str, now: Instant) -> Result<Slot, Wait> {
        lock(&self.0.pacer).try_start(host, now)?;
        Ok(Slot { hosts: self.clone(), host: host.into() })
    }

    /// Waits until a request to `host` may start, and starts it.
    pub async fn enter(&self, host: &str) -> Slot {
        self.enter_within(host, &Semaphore::new(1)).await.0
    }

    /// As [`Self::enter`], with a place in `gate`, which is never held while waiting for the host; the host's clock
    /// runs from when both are there.
    pub(super) async fn enter_within<'g>(
        &self,
        host: &str,
        gate: &'g Semaphore,
    ) -> (Slot, Option<SemaphorePermit<'g>>) {
        loop {
            let ended = self.0.ended.notified();
            let place = gate.acquire().await.ok();
            let wait = match self.try_enter(host, tokio::time::Instant::now().into_std()) {
                Ok(slot) => return (slot, place),
                Err(wait) => wait,
            };
            drop(place);
            match wait {
                Wait::Until(instant) => tokio::time::sleep_until(instant.into()).await,
                Wait::Busy => ended.await,
            }
        }
    }

    /// Waits until a request to any host ends; one that ends from now on counts, waited for or not.
    pub fn request_ended(&self) -> Notified<'_> {
        self.0.ended.notified()
    }

    /// Nothing is to be asked of `origin` for so long; an earlier order that lasts longer stands.
    pub fn close(&self, origin: &str, wait: Duration) {
        lock(&self.0.closed).add(origin, wait);
    }

    /// As [`Self::close`], of an order that a server has just given: see [`Self::take_unkept`].
    pub(super) fn obey(&self, origin: &str, wait: Duration) {
        let mut closed = lock(&self.0.closed);
        closed.add(origin, wait);
        closed.unkept.push(origin.to_owned());
    }

    /// The origins that servers have closed since this was last called, and until when: to be kept where they outlast
    /// the process.
    pub fn take_unkept(&self, now: Timestamp) -> Vec<(String, Timestamp)> {
        let mut closed = lock(&self.0.closed);
        let unkept = std::mem::take(&mut closed.unkept);
        let until = |origin: String| closed.until(&origin, now).map(|until| (origin, until));
        unkept.into_iter().filter_map(until).collect()
    }

    /// Until when `origin` is closed, if it is.
    pub fn closed_until(&self, origin: &str, now: Timestamp) -> Option<Timestamp> {
        let mut closed = lock(&self.0.closed);
        let at = tokio::time::Instant::now();
        closed.until.retain(|_, until| *until > at);
        closed.until(origin, now)
    }

    /// Whether any origin is closed at all: lets the usual case go without making a key.
    pub(super) fn any_closed(&self) -> bool {
        !lock(&self.0.closed).until.is_empty()
    }
}

impl Closed {
    fn add(&mut self, origin: &str, wait: Duration) {
        let until = tokio::time::Instant::now() + wait;
        let stands = self.until.entry(origin.to_owned()).or_insert(until);
        *stands = (*stands).max(until);
    }

    /// To the second, never earlier than ordered.
    fn until(&self, origin: &str, now: Timestamp) -> Option<Timestamp> {
        let left = self.until.get(origin)?.duration_since(tokio::time::Instant::now());
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        Some(now.plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)))
    }
}

/// The permission to have one request to one host in flight; ends when dropped.
#[derive(Debug)]
pub struct Slot {
    hosts: Hosts,
    host: Box<str>,
}

impl Slot {
    /// The host that may be asked.
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.hosts.0.pacer).finish(&self.host);
        self.hosts.0.ended.notify_waiters();
    }
}

/// A panic elsewhere leaves counts that are still counts.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Polls that wait for their hosts: a host that may not be asked yet never holds up the others.
///
/// Whoever drives it takes from [`Queue::next`] as long as it has room for more polls, and asks again when a poll has
/// ended or the instant that it was given has come.
#[derive(Debug)]
pub struct Queue<T> {
    waiting: HashMap<Box<str>, VecDeque<T>>,
    /// Hosts to be tried, in turn; every host of `waiting` is in exactly one of these three.
    ready: VecDeque<Box<str>>,
    busy: Vec<Box<str>>,
    delayed: BinaryHeap<Reverse<(Instant, Box<str>)>>,
    len: usize,
}

/// What a [`Queue`] has to offer.
#[derive(Debug)]
pub enum Next<T> {
    /// This may start now.
    Start(T, Slot),
    /// Nothing before that instant, unless a request ends.
    Wait(Instant),
    /// Nothing before a request ends.
    Busy,
    /// Nothing at all.
    Empty,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            waiting: HashMap::new(),
            ready: VecDeque::new(),
            busy: Vec::new(),
            delayed: BinaryHeap::new(),
            len: 0,
        }
    }
}

impl<T> Queue<T> {
    /// Adds `item` behind the others of its host.
    pub fn push(&mut self, host: &str, item: T) {
        self.len += 1;
        if let Some(items) = self.waiting.get_mut(host) {
            items.push_back(item);
            return;
        }
        self.waiting.insert(host.into(), VecDeque::from([item]));
        self.ready.push_back(host.into());
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the next item whose host may be asked, hosts in turn.
    pub fn next(&mut self, hosts: &Hosts, now: Instant) -> Next<T> {
        while let Some(Reverse((instant, _))) = self.delayed.peek() {
            if *instant > now {
                break;
            }
            self.ready.extend(self.delayed.pop().map(|Reverse((_, host))| host));
        }
        let mut busy_tried = false;
        loop {
            if self.ready.is_empty() && !busy_tried {
                busy_tried = true;
                self.ready.extend(self.busy.drain(..));
            }
            let Some(host) = self.ready.pop_front() else { break };
            match hosts.try_enter(&host, now) {
                Ok(slot) => {
                    if let Some(item) = self.take(host) {
                        return Next::Start(item, slot);
                    }
                }
                Err(Wait::Until(instant)) => self.delayed.push(Reverse((instant, host))),
                Err(Wait::Busy) => self.busy.push(host),
            }
        }
        match self.delayed.peek() {
            Some(Reverse((instant, _))) => Next::Wait(*instant),
            None if self.busy.is_empty() => Next::Empty,
            None => Next::Busy,
        }
    }

    /// The host's first item; the host goes to the end of the line if it has more.
    fn take(&mut self, host: Box<str>) -> Option<T> {
        let items = self.waiting.get_mut(&host)?;
        let item = items.pop_front();
        self.len -= usize::from(item.is_some());
        if items.is_empty() {
            self.waiting.remove(&host);
        } else {
            self.ready.push_back(host);
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

    fn manners(per_host: usize, delay_ms: u64) -> Manners {
        Manners { per_host, host_delay: Duration::from_millis(delay_ms) }
    }

    #[test]
    fn a_host_has_its_delay_and_its_limit() {
        let t0 = Instant::now();
        let at = |ms| t0 + Duration::from_millis(ms);
        let mut pacer = Pacer::new(manners(2, 1_000));
        assert_eq!(pacer.try_start("a", at(0)), Ok(()));
        assert_eq!(pacer.try_start("a", at(10)), Err(Wait::Until(at(1_000))));
        assert_eq!(pacer.try_start("b", at(10)), Ok(()));
        assert_eq!(pacer.try_start("a", at(1_000)), Ok(()));
        assert_eq!(pacer.try_start("a", at(5_000)), Err(Wait::Busy));
        pacer.finish("a");
        assert_eq!(pacer.try_start("a", at(5_000)), Ok(()));
    }

    #[test]
    fn a_slow_host_does_not_hold_up_the_others() {
        let t0 = Instant::now();
        let hosts = Hosts::new(manners(1, 0));
        let mut queue = Queue::default();
        for item in ["slow 1", "slow 2", "slow 3"] {
            queue.push("slow", item);
        }
        queue.push("other", "other 1");
        let mut slots = Vec::new();
        let mut started = Vec::new();
        while let Next::Start(item, slot) = queue.next(&hosts, t0) {
            started.push(item);
            slots.push(slot);
        }
        assert_eq!(started, ["slow 1", "other 1"]);
        assert!(matches!(queue.next(&hosts, t0), Next::Busy));
        slots.clear();
        assert!(matches!(queue.next(&hosts, t0), Next::Start("slow 2", _)));
        assert!(matches!(queue.next(&hosts, t0), Next::Start("slow 3", _)));
        assert!(matches!(queue.next(&hosts, t0), Next::Empty));
    }

    #[tokio::test(start_paused = true)]
    async fn an_origin_stays_closed_for_the_longest_order() {
        let hosts = Hosts::new(manners(1, 0));
        let at = |seconds| Timestamp::from_unix_seconds(seconds).unwrap();
        hosts.obey("https://a", Duration::from_secs(100));
        hosts.close("https://a", Duration::from_secs(50));
        tokio::time::advance(Duration::from_millis(98_500)).await;
        assert_eq!(hosts.take_unkept(at(0)), [("https://a".to_owned(), at(2))]);
        assert!(hosts.take_unkept(at(0)).is_empty());
        // Whatever somebody sets the wall clock to.
        assert_eq!(hosts.closed_until("https://a", at(9_000_000)), Some(at(9_000_002)));
        assert_eq!(hosts.closed_until("https://b", at(0)), None);
        tokio::time::advance(Duration::from_millis(1_500)).await;
        assert_eq!(hosts.closed_until("https://a", at(0)), None);
    }

    #[tokio::test]
    async fn waiting_for_a_host_ends_with_its_delay_and_with_the_request_before() {
        let hosts = Hosts::new(manners(1, 20));
        let begin = Instant::now();
        for _ in 0..3 {
            drop(hosts.enter("a").await);
        }
        assert!(begin.elapsed() >= Duration::from_millis(40));

        let hosts = Hosts::new(manners(1, 0));
        let held = hosts.enter("a").await;
        let mut second = Box::pin(hosts.enter("a"));
        assert!(second.as_mut().now_or_never().is_none());
        drop(held);
        assert_eq!(second.await.host(), "a");
    }

    proptest! {
        /// Whatever the order of pushes, ends and time: limits and delays hold, nothing is lost, nothing stalls.
        #[test]
        fn every_item_starts_once_and_politely(
            items in proptest::collection::vec((0_u8..5, 1_u64..3_000), 1..120),
            per_host in 1_usize..4,
            delay in prop::sample::select(vec![0_u64, 250, 1_000]),
        ) {
            let t0 = Instant::now();
            let hosts = Hosts::new(manners(per_host, delay));
            let mut queue = Queue::default();
            for (index, (host, _)) in items.iter().enumerate() {
                queue.push(&host.to_string(), index);
            }
            let mut running: Vec<(Instant, Slot)> = Vec::new();
            let mut starts: HashMap<u8, Vec<Instant>> = HashMap::new();
            let mut now = t0;
            loop {
                running.retain(|(end, _)| *end > now);
                match queue.next(&hosts, now) {
                    Next::Start(index, slot) => {
                        let (host, takes) = items[index];
                        prop_assert_eq!(slot.host(), host.to_string());
                        starts.entry(host).or_default().push(now);
                        running.push((now + Duration::from_millis(takes), slot));
                        prop_assert!(running.iter().filter(|(_, s)| s.host() == host.to_string()).count() <= per_host);
                    }
                    Next::Empty => break,
                    Next::Busy => now = running.iter().map(|(end, _)| *end).min().unwrap(),
                    Next::Wait(until) => {
                        prop_assert!(until > now);
                        now = running.iter().map(|(end, _)| *end).chain([until]).min().unwrap();
                    }
                }
            }
            prop_assert_eq!(starts.values().map(Vec::len).sum::<usize>(), items.len());
            for times in starts.values() {
                prop_assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(delay)));
            }
        }
    }
}
