//! One round over chosen feeds, as `newsfold once` makes it, and why others were left out.

use std::{collections::HashSet, sync::Arc, time::Instant};

use super::{
    Service, now,
    rounds::{Rounds, Wait},
};
use crate::{
    model::{FeedId, Timestamp},
    report::{CycleReport, Progress, Skipped},
    store::claims::{Mode, Standing},
    writer,
};

/// Which feeds a round polls.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Those that are due, or all.
    pub mode: Mode,
    /// Only these, as ids, URLs or names; empty: every feed.
    pub feeds: Vec<FeedId>,
}

/// The feeds that a round is about, and why others are not.
async fn wanted(
    service: &Service,
    selection: &Selection,
    now: Timestamp,
) -> Result<(HashSet<FeedId>, Skipped), writer::Error> {
    let (mut wanted, mut skipped) = (HashSet::new(), Skipped::default());
    let out_of_reach = service.out_of_reach().await?;
    for (id, standing) in standings(service, now).await? {
        if !selection.feeds.is_empty() && !selection.feeds.contains(&id) {
            continue;
        }
        let is_due = match standing {
            // A claim may be given back before this round ends.
            Standing::Due | Standing::Claimed { is_due: true } => true,
            Standing::NotDue | Standing::Claimed { is_due: false } => false,
            Standing::Held => {
                skipped.held_by_server += 1;
                continue;
            }
            Standing::Same => {
                skipped.same_feed += 1;
                continue;
            }
            Standing::Disabled => {
                skipped.disabled += u32::from(!selection.feeds.is_empty());
                continue;
            }
        };
        if !is_due && selection.mode != Mode::All {
            skipped.not_due += 1;
        } else if out_of_reach.contains(&id) {
            skipped.out_of_reach += 1;
        } else {
            wanted.insert(id);
        }
    }
    Ok((wanted, skipped))
}

async fn standings(
    service: &Service,
    now: Timestamp,
) -> Result<Vec<(FeedId, Standing)>, writer::Error> {
    let by = Arc::clone(&service.by);
    Ok(service.cx.writer.call(move |state| state.db.standings(&by, now)).await??)
}

/// Why feeds that a round was about could not be claimed to its end.
async fn missed(
    service: &Service,
    waiting: &HashSet<FeedId>,
    mode: Mode,
    skipped: &mut Skipped,
) -> Result<(), writer::Error> {
    if waiting.is_empty() {
        return Ok(());
    }
    for (id, standing) in standings(service, now()).await? {
        if !waiting.contains(&id) {
            continue;
        }
        match standing {
            Standing::Held => skipped.held_by_server += 1,
            Standing::Same => skipped.same_feed += 1,
            Standing::Disabled => skipped.disabled += 1,
            Standing::Claimed { .. } => skipped.held_by_process += 1,
            // It was due: somebody has just polled it.
            Standing::NotDue if mode == Mode::Due => skipped.held_by_process += 1,
            Standing::Due | Standing::NotDue => skipped.host_held_by_process += 1,
        }
    }
    Ok(())
}

/// One round: polls each selected feed once and returns when the last one has ended.
///
/// # Errors
///
/// Only where a poll could not be recorded.
pub async fn cycle(
    service: &Service,
    selection: &Selection,
    mut progress: impl FnMut(Progress<'_>),
) -> Result<CycleReport, writer::Error> {
    let (started_at, clock) = (now(), Instant::now());
    let mut report = CycleReport::new(started_at);
    let (mut waiting, skipped) = wanted(service, selection, started_at).await?;
    report.skipped = skipped;
    progress(Progress::Started { feeds: u32::try_from(waiting.len()).unwrap_or(u32::MAX) });
    let mut rounds = Rounds::new(service);
    loop {
        // Half a batch at a time: each claim is a transaction.
        if !waiting.is_empty() && rounds.room() * 2 >= rounds.most_ahead() {
            let claimed = rounds
                .claim(selection.mode, rounds.room(), Some(waiting.iter().copied().collect()))
                .await?;
            if claimed.is_empty() && rounds.running.is_empty() && rounds.queue.is_empty() {
                break;
            }
            for id in claimed {
                waiting.remove(&id);
            }
        }
        let ended = match rounds.start() {
            Wait::Nothing if waiting.is_empty() => break,
            Wait::Nothing => continue,
            Wait::Poll => rounds.ended().await?,
            Wait::Until(instant) => tokio::select! {
                () = tokio::time::sleep_until(instant.into()) => None,
                ended = rounds.ended(), if !rounds.running.is_empty() => ended?,
            },
        };
        if let Some(poll) = ended {
            report.add(&poll);
            progress(Progress::Polled(&poll));
        }
    }
    missed(service, &waiting, selection.mode, &mut report.skipped).await?;
    report.duration_ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(report)
}
