//! Clocks that jump, and crowds of feeds that are due at once.

use std::time::{Duration, Instant};

use crate::model::Timestamp;

/// No server's order lasts longer: what Retry-After asks beyond that is bounded.
pub const LONGEST_ORDER_SECONDS: i64 = 7 * 86_400;

/// A last poll so far ahead of `now` means that the clock was set back since.
const SET_BACK_SECONDS: i64 = 60;

/// A feed never polled is due within so many seconds, or was added under another clock.
const LONGEST_FIRST_WAIT_SECONDS: i64 = 3_600;

/// A feed's due instant after the clock was set back: it keeps its wait, counted from `now`.
///
/// `None` where nothing has to change. What is due later than any rule can have put it, `longest_wait_seconds` from
/// `now`, was written under another clock, as by a reset, and is due at once.
pub fn reanchored(
    next_poll_at: Timestamp,
    last_poll_at: Option<Timestamp>,
    longest_wait_seconds: i64,
    now: Timestamp,
) -> Option<Timestamp> {
    let wait = next_poll_at.seconds_since(now);
    match last_poll_at {
        Some(last) if last.seconds_since(now) > SET_BACK_SECONDS => {
            let wait = next_poll_at.seconds_since(last).clamp(0, longest_wait_seconds);
            Some(now.plus_seconds(wait))
        }
        Some(_) if wait > longest_wait_seconds => Some(now),
        None if wait > LONGEST_FIRST_WAIT_SECONDS => Some(now),
        _ => None,
    }
}

/// As [`reanchored`], of a server's order; one that ends later than any can be given for ends when the longest would.
pub fn reanchored_order(
    until: Timestamp,
    last_poll_at: Option<Timestamp>,
    now: Timestamp,
) -> Timestamp {
    let until = match last_poll_at {
        Some(last) if last.seconds_since(now) > SET_BACK_SECONDS => {
            now.plus_seconds(until.seconds_since(last))
        }
        _ => until,
    };
    until.min(now.plus_seconds(LONGEST_ORDER_SECONDS))
}

/// How many starts are let through when many feeds are due at once: a first start, a long sleep, a clock set
/// forward. A bucket that holds a second's worth, filled at 1,000 a minute, or at twice what the feeds need in
/// the steady state where that is more.
#[derive(Debug)]
pub struct Starts {
    per_second: f64,
    allowed: f64,
    last: Instant,
}

impl Starts {
    /// For `feeds` feeds polled every `min_interval` at most.
    pub fn new(feeds: usize, min_interval: Duration, now: Instant) -> Self {
        let needed = 2.0 * feeds as f64 / min_interval.as_secs_f64().max(1.0);
        let per_second = needed.max(1_000.0 / 60.0);
        Self { per_second, allowed: per_second, last: now }
    }

    /// How many of `wanted` starts may happen now; they are taken as done.
    pub fn take(&mut self, wanted: usize, now: Instant) -> usize {
        let elapsed = now.saturating_duration_since(self.last).as_secs_f64();
        self.last = now;
        self.allowed = (self.allowed + elapsed * self.per_second).min(self.per_second.max(1.0));
        // Truncation is meant: half a start is none.
        let taken = wanted.min(self.allowed as usize);
        self.allowed -= taken as f64;
        taken
    }

    /// When the next start may happen.
    pub fn next_at(&self) -> Instant {
        let missing = (1.0 - self.allowed).max(0.0);
        self.last + Duration::from_secs_f64(missing / self.per_second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_clock_set_back_keeps_the_wait_and_no_more() {
        let (year, week) = (365 * 86_400, 7 * 86_400);
        let of = |next, last: Option<i64>, now| reanchored(at(next), last.map(at), week, at(now));
        assert_eq!(of(900, Some(0), -year), Some(at(900 - year)));
        assert_eq!(of(900, Some(0), -30), None, "a small correction");
        assert_eq!(of(900, Some(0), 10), None);
        assert_eq!(of(900, Some(0), year), None, "set forward: it is due");
        assert_eq!(of(year, None, 0), Some(at(0)));
        assert_eq!(of(60, None, 0), None);
        assert_eq!(of(year, Some(-900), 0), Some(at(0)), "reset while the clock was ahead");
        assert_eq!(of(week, Some(-900), 0), None, "an order may last that long");
    }

    #[test]
    fn an_order_keeps_its_length_and_none_lasts_for_years() {
        let (year, week) = (365 * 86_400, LONGEST_ORDER_SECONDS);
        let of = |until, last: Option<i64>, now| reanchored_order(at(until), last.map(at), at(now));
        assert_eq!(of(7_200, Some(0), -year), at(7_200 - year));
        assert_eq!(of(7_200, Some(-60), 0), at(7_200));
        assert_eq!(of(year, Some(-60), 0), at(week));
        assert_eq!(of(year, None, 0), at(week));
    }

    #[test]
    fn a_thousand_feeds_start_within_a_minute_and_no_faster() {
        let t0 = Instant::now();
        let mut starts = Starts::new(1_000, Duration::from_secs(900), t0);
        let mut left = 1_000;
        let mut seconds = 0;
        while left > 0 {
            let taken = starts.take(left, t0 + Duration::from_secs(seconds));
            assert!(taken <= 17, "{taken} in one second");
            left -= taken;
            seconds += 1;
        }
        assert!((55..=65).contains(&seconds), "{seconds} s");
    }

    #[test]
    fn very_many_feeds_are_not_starved() {
        let t0 = Instant::now();
        let mut starts = Starts::new(100_000, Duration::from_secs(900), t0);
        let minute: usize =
            (0..60).map(|s| starts.take(usize::MAX, t0 + Duration::from_secs(s))).sum();
        assert!(minute > 60 * 100_000 / 900, "{minute}");
        assert!(starts.next_at() <= t0 + Duration::from_secs(60));
    }
}
