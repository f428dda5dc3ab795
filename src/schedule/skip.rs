//! skipHours and skipDays: the hours and days, GMT, at which a feed does not want to be asked.

use super::{Memory, spread};
use crate::model::Timestamp;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// After a skipped stretch, polls are spread over this many seconds: every feed of one publisher names the same hours.
const SPREAD_SECONDS: i64 = 600;

pub(super) struct Skipped {
    pub(super) name: &'static str,
    pub(super) at: Timestamp,
    pub(super) note: String,
}

/// Moves `wanted` out of the skipped hours and days, to `cap` at most; `None` where the feed skips nothing, or
/// everything, which nobody can mean.
pub(super) fn next_allowed(
    wanted: Timestamp,
    cap: Timestamp,
    memory: &Memory,
    seed: u64,
) -> Option<Skipped> {
    let hours = memory.skip_hours & 0x00ff_ffff;
    let days = memory.skip_days & 0x7f;
    let hours = if hours == 0x00ff_ffff { 0 } else { hours };
    let days = if days == 0x7f { 0 } else { days };
    if hours == 0 && days == 0 {
        return None;
    }
    let mut at = wanted.unix_seconds();
    let mut name = if hours != 0 { "skip_hours" } else { "skip_days" };
    // A week has 168 hours: by then an allowed one has come.
    for _ in 0..=168 {
        if days & day_bit(at) != 0 {
            at = (at.div_euclid(DAY) + 1) * DAY;
            name = "skip_days";
        } else if hours & hour_bit(at) != 0 {
            at = (at.div_euclid(HOUR) + 1) * HOUR;
            name = "skip_hours";
        } else {
            break;
        }
    }
    let mut note = "outside of them already".to_owned();
    if at > wanted.unix_seconds() {
        // The hour that has just begun is allowed, and longer than the spread.
        at += spread(seed.rotate_left(32), SPREAD_SECONDS);
        note = "moved out of what the feed skips".to_owned();
    }
    let allowed = Timestamp::from_unix_seconds(at).unwrap_or(Timestamp::MAX);
    let latest = cap.max(wanted);
    if allowed > latest {
        note = "held to max_interval".to_owned();
    }
    Some(Skipped { name, at: allowed.min(latest), note })
}

fn hour_bit(at: i64) -> u32 {
    1 << at.div_euclid(HOUR).rem_euclid(24)
}

/// Bit 0 is Monday; 1970-01-01 was a Thursday.
fn day_bit(at: i64) -> u8 {
    1 << (at.div_euclid(DAY) + 3).rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(wanted: &str, hours: &[u32], days: u8) -> String {
        let memory = Memory {
            skip_hours: hours.iter().map(|h| 1 << h).sum(),
            skip_days: days,
            ..Memory::default()
        };
        let wanted: Timestamp = wanted.parse().unwrap();
        match next_allowed(wanted, wanted.plus_seconds(30 * DAY), &memory, 7) {
            Some(skipped) => skipped.at.to_string()[..13].to_owned(),
            None => "none".to_owned(),
        }
    }

    #[test]
    fn skipped_hours_and_days_are_left() {
        // 2026-11-24 is a Tuesday.
        assert_eq!(moved("2026-11-24T09:59:59Z", &[9, 10], 0), "2026-11-24T11");
        assert_eq!(moved("2026-11-24T11:00:00Z", &[9, 10], 0), "2026-11-24T11");
        assert_eq!(moved("2026-11-24T23:30:00Z", &[23, 0, 1], 0), "2026-11-25T02");
        assert_eq!(moved("2026-11-24T12:00:00Z", &[], 0b10), "2026-11-25T00");
        assert_eq!(
            moved("2026-11-28T12:00:00Z", &[0, 1], 0b110_0000),
            "2026-11-30T02",
            "Saturday, Sunday, two hours"
        );
        assert_eq!(moved("2026-11-24T12:00:00Z", &(0..24).collect::<Vec<_>>(), 0), "none");
        assert_eq!(moved("2026-11-24T12:00:00Z", &[], 0x7f), "none");
        assert_eq!(moved("2026-11-24T12:00:00Z", &[], 0), "none");
    }

    #[test]
    fn the_cap_holds() {
        let wanted: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        let memory = Memory { skip_days: 0b110_0000, ..Memory::default() };
        let cap = wanted.plus_seconds(3_600);
        assert_eq!(next_allowed(wanted, cap, &memory, 7).unwrap().at, cap);
        assert_eq!(next_allowed(wanted, wanted.plus_seconds(-5), &memory, 7).unwrap().at, wanted);
    }
}
