//! A feed's own rhythm: how long it usually takes until something new comes.
//!
//! Learned from the dates of its entries, which say much at the first poll but may be wrong or missing, and from
//! what polls brought, which is true but slow to learn. Once four polls have brought something, they decide.

use super::{DocumentSignals, State, UNKNOWN_INTERVAL_SECONDS, in_words};
use crate::model::Timestamp;

/// Polls that brought something new before their testimony outweighs the entries' own dates.
const TRUSTED_ARRIVALS: u32 = 4;

/// The newest entries whose dates are looked at: older ones tell of another time.
const NEWEST_ENTRIES: usize = 21;

/// A poll each half gap: what is new waits a quarter of a gap on average.
const POLLS_PER_GAP: u32 = 2;

/// A feed that has been silent is asked again after a tenth of its silence.
const SILENCE_SHARE: i64 = 10;

/// Takes in what a document says about the rhythm.
pub(super) fn learn(
    state: &mut State,
    document: &DocumentSignals<'_>,
    is_first: bool,
    now: Timestamp,
) {
    if document.new_entries > 0 {
        let newest = document.entry_times.iter().copied().filter(|at| *at <= now).max();
        if !is_first {
            note_arrivals(state, document, now);
        }
        state.memory.first_newest = newest.filter(|_| is_first).map(Timestamp::unix_seconds);
        state.memory.silent_since = Some(now.unix_seconds());
        state.last_new_at = Some(now);
    }
    let by_arrivals =
        state.memory.arrival_gap_seconds.filter(|_| state.memory.arrivals >= TRUSTED_ARRIVALS);
    let by_dates = || dated_gap(document.entry_times, now);
    let gap = by_arrivals
        .or_else(by_dates)
        .or(state.usual_gap_seconds)
        .or(state.memory.arrival_gap_seconds);
    state.usual_gap_seconds = gap;
}

/// The time since the last arrival, shared among what has come now, smoothed.
///
/// Where most of what is listed is new, more may have come and gone unseen: the server was down for a month, the feed
/// was switched off. The gap is no longer than that, but may be much shorter, so only a shorter one than is known counts.
fn note_arrivals(state: &mut State, document: &DocumentSignals<'_>, now: Timestamp) {
    let Some(before) = state.last_new_at else { return };
    let elapsed = u32::try_from(now.seconds_since(before).max(1)).unwrap_or(u32::MAX);
    let gap = u64::from((elapsed / document.new_entries).max(1));
    let known = state.memory.arrival_gap_seconds.max(state.usual_gap_seconds);
    let may_have_missed_some = document.new_entries > document.listed_entries / 2;
    if may_have_missed_some && known.is_some_and(|known| gap > u64::from(known)) {
        return;
    }
    let smoothed = match state.memory.arrival_gap_seconds {
        Some(old) => (u64::from(old) * 7 + gap * 3) / 10,
        None => gap,
    };
    state.memory.arrival_gap_seconds = Some(u32::try_from(smoothed).unwrap_or(u32::MAX));
    state.memory.arrivals = state.memory.arrivals.saturating_add(1);
}

/// The mean gap between the newest dated entries, the longest one left out (a pinned entry, a holiday); `None` under
/// three dates, or where they are all the same.
fn dated_gap(times: &[Timestamp], now: Timestamp) -> Option<u32> {
    let mut times: Vec<i64> =
        times.iter().filter(|at| **at <= now).map(|at| at.unix_seconds()).collect();
    times.sort_unstable_by(|a, b| b.cmp(a));
    times.truncate(NEWEST_ENTRIES);
    let mut gaps: Vec<i64> = times.windows(2).map(|pair| pair[0] - pair[1]).collect();
    if gaps.len() < 2 {
        return None;
    }
    if gaps.len() > 3 {
        gaps.sort_unstable();
        gaps.pop();
    }
    let mean = gaps.iter().sum::<i64>() / i64::try_from(gaps.len()).unwrap_or(1);
    u32::try_from(mean).ok().filter(|gap| *gap > 0)
}

/// The interval that the rhythm alone would lead to, and why.
pub(super) fn wished_interval(state: &State, now: Timestamp) -> (u32, String) {
    let Some(gap) = state.usual_gap_seconds else {
        return (UNKNOWN_INTERVAL_SECONDS, "rhythm not known yet".to_owned());
    };
    let newest = state.memory.first_newest.and_then(Timestamp::from_unix_seconds);
    let since = newest.or_else(|| state.silent_since());
    let silence = since.map_or(0, |since| now.seconds_since(since).max(0));
    let by_gap = gap / POLLS_PER_GAP;
    let by_silence = u32::try_from(silence / SILENCE_SHARE).unwrap_or(u32::MAX);
    let mut note = format!("something new every {}", in_words(i64::from(gap)));
    if by_silence > by_gap {
        note.push_str(&format!(", but silent for {}", in_words(silence)));
    }
    (by_gap.max(by_silence), note)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn dates_tell_the_gap() {
        let of =
            |times: &[i64]| dated_gap(&times.iter().map(|&t| at(t)).collect::<Vec<_>>(), at(0));
        assert_eq!(of(&[-100, -3_700, -7_300, -10_900, -14_500]), Some(3_600));
        assert_eq!(of(&[-14_500, -100, -7_300, -3_700, -10_900]), Some(3_600), "in any order");
        assert_eq!(
            of(&[-100, -3_700, -7_300, -10_900, -90_000_000]),
            Some(3_600),
            "a pinned entry"
        );
        assert_eq!(of(&[500_000, -100, -3_700, -7_300]), Some(3_600), "a date to come");
        assert_eq!(of(&[-100, -3_700]), None);
        assert_eq!(of(&[-100, -100, -100]), None);
        assert_eq!(of(&[]), None);
    }
}
