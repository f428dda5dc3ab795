//! A month of virtual time: thousands of feeds, the real schedule, the real pacing, no network.
//!
//! Hosts of every size, busy and quiet feeds, failures, Retry-After, dead hosts, a laptop that sleeps and a clock that
//! is set back. Everything is a pure function of the seed.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    time::{Duration, Instant},
};

use proptest::prelude::*;

use newsfold::{
    fetch::{Hosts, Manners, Queue, Slot, pacer::Next},
    model::{PollHints, Timestamp},
    schedule::{
        self, DocumentSignals, Interval, Options, Outcome, Signals, State,
        clock::{Starts, reanchored, reanchored_order},
    },
};

const DAY: u64 = 86_400;
const PER_HOST: usize = 2;
const HOST_DELAY: Duration = Duration::from_secs(1);
const CONCURRENCY: usize = 64;

/// What the waiting for starts, hosts and slots adds to a planned wait at most.
const QUEUEING_SECONDS: i64 = 1_800;

struct Feed {
    host: String,
    /// Between its new entries; 0: its host is dead.
    gap: i64,
    options: Options,
    state: State,
    next_at: Timestamp,
    last_start: Option<u64>,
    waits_at_most: i64,
    polls: u64,
    /// From when its start is granted to the end of its poll: it waits for its host, or is asked.
    is_claimed: bool,
}

/// One run of the month.
struct World {
    seed: u64,
    feeds: Vec<Feed>,
    hosts: Hosts,
    /// Seconds on the steady clock.
    second: u64,
    /// What the wall clock shows beyond it.
    wall_offset: i64,
    base: Instant,
    due: BinaryHeap<Reverse<(i64, usize)>>,
    backlog: VecDeque<usize>,
    queue: Queue<usize>,
    running: BinaryHeap<Reverse<(u64, usize)>>,
    slots: HashMap<usize, Slot>,
    last_start_of_host: HashMap<String, u64>,
    /// Starts in each second.
    starts: Vec<u32>,
}

fn random(seed: u64, a: u64, b: u64) -> u64 {
    let mut z =
        seed ^ a.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ b.wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    for _ in 0..2 {
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z ^= z >> 27;
    }
    z
}

impl World {
    fn new(seed: u64, count: usize, interval: Interval) -> Self {
        let feeds = (0..count).map(|index| feed(seed, index, interval)).collect::<Vec<_>>();
        let due = feeds
            .iter()
            .enumerate()
            .map(|(index, feed)| Reverse((feed.next_at.unix_seconds(), index)))
            .collect();
        Self {
            seed,
            feeds,
            hosts: Hosts::new(Manners { per_host: PER_HOST, host_delay: HOST_DELAY }),
            second: 0,
            wall_offset: 1_795_000_000,
            base: Instant::now(),
            due,
            backlog: VecDeque::new(),
            queue: Queue::default(),
            running: BinaryHeap::new(),
            slots: HashMap::new(),
            last_start_of_host: HashMap::new(),
            starts: vec![0; 31 * DAY as usize],
        }
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.wall_offset + self.second as i64).unwrap()
    }

    fn instant(&self) -> Instant {
        self.base + Duration::from_secs(self.second)
    }

    fn run(&mut self, days: u64) {
        let mut bucket = Starts::new(self.feeds.len(), Duration::from_secs(900), self.instant());
        while self.second < days * DAY {
            match self.second {
                // Sleeps for eight hours: the steady clock does not count them.
                864_000 => self.wall_offset += 8 * 3_600,
                1_728_000 => self.set_clock_back(3 * DAY as i64),
                _ => {}
            }
            self.end_polls();
            let wall = self.wall().unix_seconds();
            while let Some(Reverse((_, index))) =
                self.due.peek().copied().filter(|Reverse((at, _))| *at <= wall)
            {
                self.due.pop();
                self.backlog.push_back(index);
            }
            let room = CONCURRENCY.saturating_sub(self.running.len() + self.queue.len());
            for _ in 0..bucket.take(self.backlog.len().min(room), self.instant()) {
                let index = self.backlog.pop_front().unwrap();
                self.feeds[index].is_claimed = true;
                self.queue.push(&self.feeds[index].host.clone(), index);
            }
            while let Next::Start(index, slot) = self.queue.next(&self.hosts, self.instant()) {
                self.start(index, slot);
            }
            self.second += self.idle_seconds();
        }
    }

    /// How far to the next second in which anything can happen.
    fn idle_seconds(&self) -> u64 {
        if !self.backlog.is_empty() || !self.queue.is_empty() {
            return 1;
        }
        let next_end = self.running.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
        let next_due = self
            .due
            .peek()
            .map_or(i64::MAX, |Reverse((at, _))| *at)
            .saturating_sub(self.wall_offset);
        let landmark =
            [864_000, 1_728_000].into_iter().find(|at| *at > self.second).unwrap_or(u64::MAX);
        let next = next_end.min(landmark).min(u64::try_from(next_due).unwrap_or(0));
        next.saturating_sub(self.second).clamp(1, DAY)
    }

    fn start(&mut self, index: usize, slot: Slot) {
        let (wall, second) = (self.wall(), self.second);
        self.slots.insert(index, slot);
        let feed = &mut self.feeds[index];
        assert!(wall >= feed.next_at, "started before its time");
        assert!(!feed.state.is_under_orders(wall), "started against an order");
        if let Some(before) = feed.last_start {
            let waited = (second - before) as i64;
            assert!(
                waited <= feed.waits_at_most + QUEUEING_SECONDS,
                "starved: {waited} s, planned {}",
                feed.waits_at_most
            );
        }
        feed.last_start = Some(second);
        feed.polls += 1;
        let host = feed.host.clone();
        let takes = 1 + random(self.seed, index as u64, feed.polls) % 8;
        self.running.push(Reverse((second + takes, index)));
        let in_flight = self.slots.values().filter(|slot| slot.host() == host).count();
        assert!(in_flight <= PER_HOST);
        if let Some(before) = self.last_start_of_host.insert(host, second) {
            assert!(second > before, "two starts on one host within its delay");
        }
        self.starts[second as usize] += 1;
    }

    fn end_polls(&mut self) {
        while let Some(Reverse((_, index))) =
            self.running.peek().copied().filter(|Reverse((at, _))| *at <= self.second)
        {
            self.running.pop();
            self.slots.remove(&index);
            self.end(index);
        }
    }

    fn end(&mut self, index: usize) {
        let now = self.wall();
        let feed = &mut self.feeds[index];
        feed.is_claimed = false;
        let dice = random(self.seed ^ 0xe4d, index as u64, feed.polls) % 1_000;
        let hints = PollHints::default();
        let times: Vec<Timestamp> = (0..10).map(|n| now.plus_seconds(-feed.gap * n)).collect();
        let failed = |is_soft| Signals::of(Outcome::Failed { is_soft });
        let signals = match dice {
            _ if feed.gap == 0 => failed(false),
            0..=9 => {
                Signals { retry_after_seconds: Some(3_600 * (1 + dice as u32)), ..failed(true) }
            }
            10..=39 => failed(true),
            40..=44 => failed(false),
            _ => {
                let last = feed.state.last_new_at.map_or(feed.gap, |at| now.seconds_since(at));
                let new_entries = if last >= feed.gap { (last / feed.gap) as u32 } else { 0 };
                let document = DocumentSignals {
                    hints: &hints,
                    entry_times: &times,
                    new_entries,
                    listed_entries: 10,
                };
                Signals {
                    document: (new_entries > 0).then_some(document),
                    ..Signals::of(Outcome::Success)
                }
            }
        };
        let seed = schedule::jitter_seed(index as i64, now);
        let plan = schedule::next(&mut feed.state, &signals, &feed.options, now, seed);
        feed.next_at = plan.at.unwrap();
        let ordered = feed.state.retry_after_until.map_or(0, |until| until.seconds_since(now));
        // A tenth of jitter on top of what was wished or ordered, and the poll's own time.
        feed.waits_at_most = (i64::from(feed.options.max_interval_seconds).max(ordered) * 11 / 10)
            .max(feed.next_at.seconds_since(now))
            + 10;
        self.due.push(Reverse((feed.next_at.unix_seconds(), index)));
    }

    fn set_clock_back(&mut self, seconds: i64) {
        self.wall_offset -= seconds;
        let now = self.wall();
        // What waits for nothing but a start is looked for anew; what is claimed gets its plan when its poll ends.
        self.backlog.clear();
        self.due.clear();
        for (index, feed) in self.feeds.iter_mut().enumerate().filter(|(_, feed)| !feed.is_claimed)
        {
            let last = feed.state.last_poll_at;
            let order = feed.state.retry_after_until;
            feed.state.retry_after_until = order.map(|until| reanchored_order(until, last, now));
            if let Some(at) = reanchored(feed.next_at, last, 8 * DAY as i64, now) {
                feed.next_at = at;
                feed.waits_at_most *= 2;
            }
            self.due.push(Reverse((feed.next_at.unix_seconds(), index)));
        }
    }

    /// The busiest minute over the mean minute of the same hour, as it is in all but one of a hundred hours of
    /// these days: 1.0 would be perfectly even.
    fn unevenness(&self, days: std::ops::Range<u64>) -> f64 {
        let starts = &self.starts[(days.start * DAY) as usize..(days.end * DAY) as usize];
        let mut ratios: Vec<f64> = starts
            .chunks(3_600)
            .map(|hour| {
                let busiest =
                    hour.chunks(60).map(|minute| minute.iter().sum::<u32>()).max().unwrap();
                f64::from(busiest) * 60.0 / f64::from(hour.iter().sum::<u32>().max(1))
            })
            .collect();
        ratios.sort_by(f64::total_cmp);
        ratios[ratios.len() * 99 / 100]
    }

    fn most_starts_in_a_minute(&self) -> u32 {
        self.starts.windows(60).map(|minute| minute.iter().sum()).max().unwrap()
    }
}

/// A tenth of the feeds on three large hosts, the rest on small ones; one in fifty is dead.
fn feed(seed: u64, index: usize, interval: Interval) -> Feed {
    let dice = random(seed, 1, index as u64);
    let host = match dice % 10 {
        0 => format!("large{}.example", dice / 10 % 3),
        _ => format!("host{}.example", dice / 10 % 700),
    };
    // From half an hour to three weeks.
    let gap = 1_800 << (random(seed, 2, index as u64) % 11);
    let is_dead = random(seed, 3, index as u64).is_multiple_of(50);
    Feed {
        host,
        gap: if is_dead { 0 } else { gap },
        options: Options { interval, ..Options::default() },
        state: State::default(),
        next_at: Timestamp::from_unix_seconds(1_795_000_000).unwrap(),
        last_start: None,
        waits_at_most: 0,
        polls: 0,
        is_claimed: false,
    }
}

/// Runs the month and checks, beside what is checked at every start, that nobody was forgotten.
fn month(seed: u64, count: usize) -> World {
    let mut world = World::new(seed, count, Interval::Auto);
    world.run(30);
    for (index, feed) in world.feeds.iter().enumerate() {
        // Thirty days, a wait of a day and a tenth at most, orders of ten hours now and then.
        assert!(feed.polls >= 20, "feed {index} was polled {} times", feed.polls);
        let silent = (world.second - feed.last_start.unwrap()) as i64;
        assert!(
            silent <= feed.waits_at_most + QUEUEING_SECONDS,
            "feed {index} silent for {silent} s"
        );
    }
    world
}

#[test]
fn a_month_of_two_thousand_feeds_is_spread_evenly() {
    let world = month(1, 2_000);
    // 13 starts a minute on average: the busiest of sixty would stand out a little even by chance.
    let unevenness = world.unevenness(1..10);
    assert!(unevenness < 2.5, "{unevenness}");
    // The bucket's bound: a thousand a minute, and a second's worth that it holds when full.
    assert!(world.most_starts_in_a_minute() <= 1_017);
}

#[test]
fn feeds_of_one_fixed_interval_drift_apart() {
    let mut world = World::new(3, 1_000, Interval::Fixed(3_600));
    world.run(10);
    // All of them started within one minute; a tenth of jitter on each poll has driven them apart by the next day.
    assert!(world.unevenness(0..1) > 10.0, "the measure sees a crowd");
    let unevenness = world.unevenness(1..10);
    assert!(unevenness < 2.5, "{unevenness}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, ..ProptestConfig::default() })]

    #[test]
    fn any_month_keeps_its_promises(seed in any::<u64>(), count in 1_usize..400) {
        month(seed, count);
    }
}
