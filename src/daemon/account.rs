//! What is said of a poll that has ended: in the log, in the metrics, to who asked for it.

use std::time::Duration;

use crate::{
    metrics::{Metrics, PollNumbers},
    report::{Counts, Failure, FeedPoll, Outcome},
    store::feeds::FeedState,
    writer::PollReport,
};

/// The one line that a poll leaves in the log. A feed that keeps failing is warned of once an hour at most.
pub(super) fn log(feed: &FeedState, report: &PollReport) {
    let PollReport {
        outcome,
        http_status,
        body_bytes,
        entries,
        new,
        revised,
        duplicates,
        duration_ms,
        next_poll_at,
        failures,
        ..
    } = report;
    let (outcome, next_poll_at, url) = (*outcome, tracing::field::display(next_poll_at), &feed.url);
    if let Some(error_kind) = &report.error_kind {
        // It may quote what a server sent.
        let error = printable(report.error.as_deref().unwrap_or_default());
        macro_rules! failed {
            ($level:ident) => {
                tracing::$level!(
                    http_status,
                    outcome,
                    error_kind,
                    error,
                    failures,
                    duration_ms,
                    next_poll_at,
                    "poll of {url} failed: {error}",
                )
            };
        }
        if report.is_warning { failed!(warn) } else { failed!(info) }
    } else {
        tracing::info!(
            http_status,
            outcome,
            body_bytes,
            entries,
            new,
            revised,
            duplicates,
            duration_ms,
            next_poll_at,
            "polled {url}: {new} new, {revised} revised, {duplicates} {}",
            if *duplicates == 1 { "duplicate" } else { "duplicates" },
        );
    }
    if feed.schedule.failures > 0 && *failures == 0 {
        tracing::info!(failures = feed.schedule.failures, "{url} answers again");
    }
}

/// One line without control characters, so that no feed can write to a terminal or break a line of the log.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Counts it.
pub(super) fn count(metrics: &Metrics, report: &PollReport) {
    let duplicates = &report.duplicates_by_reason;
    metrics.poll_finished(&PollNumbers {
        outcome: report.outcome,
        error_kind: report.error_kind.as_deref(),
        duration: Duration::from_millis(report.duration_ms),
        body_bytes: report.body_bytes,
        entries: report.entries.into(),
        new: report.new.into(),
        revised: report.revised.into(),
        duplicates: &duplicates
            .iter()
            .map(|(reason, n)| (*reason, (*n).into()))
            .collect::<Vec<_>>(),
        decisions: &report.decisions,
    });
}

/// For reports of rounds.
pub(super) fn feed_poll(feed: &FeedState, report: PollReport) -> FeedPoll {
    let name = feed.name.as_ref().or(feed.title.as_ref()).unwrap_or(&feed.url);
    FeedPoll {
        feed_id: feed.id,
        feed: name.clone(),
        url: feed.url.clone(),
        outcome: match report.outcome {
            "changed" => Outcome::Changed,
            "unchanged" => Outcome::Unchanged,
            "gone" => Outcome::Gone,
            _ => Outcome::Failed,
        },
        failure: report
            .error_kind
            .map(|kind| Failure { kind, message: report.error.unwrap_or_default() }),
        counts: Counts {
            new: report.new,
            revised: report.revised,
            duplicates: report.duplicates_by_reason,
            taken_over: report.taken_over,
        },
    }
}
