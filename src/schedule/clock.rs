//! Clocks that jump, and crowds of feeds that are due at once.

use std::time::{Duration, Instant};

use crate::model::Timestamp;

/// A last poll so far ahead of `now` means that the clock was set back since.
const SET_BACK_SECONDS: i64 = 60;

/// A feed's due instant after the clock was set back: it keeps its wait, counted from `now`.
///
/// `None` where nothing has to change. A feed never polled that is due far in the future (it was added under a wrong
/// clock) is due at once.
pub fn reanchored(
    next_poll_at: Timestamp,
    last_poll_at: Option<Timestamp>,
    now: Timestamp,
) -> Option<Timestamp> {
    match last_poll_at {
        Some(last) if last.seconds_since(now) > SET_BACK_SECONDS => {
            Some(now.plus_seconds(next_poll_at.seconds_since(last).max(0)))
        }
        None if next_poll_at.seconds_since(now) > 3_600 => Some(now),
        _ => None,
    }
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
        let year = 365 * 86_400;
        assert_eq!(reanchored(at(900), Some(at(0)), at(-year)), Some(at(900 - year)));
        assert_eq!(reanchored(at(900), Some(at(0)), at(-30)), None, "a small correction");
        assert_eq!(reanchored(at(900), Some(at(0)), at(10)), None);
        assert_eq!(reanchored(at(900), Some(at(0)), at(year)), None, "set forward: it is due");
        assert_eq!(reanchored(at(year), None, at(0)), Some(at(0)));
        assert_eq!(reanchored(at(60), None, at(0)), None);
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
