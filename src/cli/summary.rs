//! What `newsfold once` shows: a bar while it runs, and at its end what a person wants to know at a glance.

use std::{borrow::Cow, fmt::Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::table::{Column, Table};
use crate::report::{CycleReport, Progress};

/// A bar on stderr that follows a round; hidden where nobody looks.
pub(super) struct Bar {
    bar: ProgressBar,
    so_far: CycleReport,
}

impl Bar {
    /// A bar for a round that begins.
    pub(super) fn new(is_visible: bool, so_far: CycleReport) -> Self {
        let target =
            if is_visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} feeds  {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar, so_far }
    }

    /// Takes up what the round says.
    pub(super) fn follow(&mut self, progress: Progress<'_>) {
        match progress {
            Progress::Started { feeds } => self.bar.set_length(u64::from(feeds)),
            Progress::Polled(poll) => {
                self.so_far.add(poll);
                self.bar.set_message(standing(&self.so_far));
                self.bar.inc(1);
            }
        }
    }

    /// Takes the bar off the screen. Returns what it has seen.
    pub(super) fn finish(self) -> CycleReport {
        self.bar.finish_and_clear();
        self.so_far
    }
}

/// One line while the round runs.
fn standing(report: &CycleReport) -> String {
    let mut text =
        format!("{} new, {} copies", report.counts.new, report.counts.duplicates_total());
    if !report.failed.is_empty() {
        let _ = write!(text, ", {} failed", report.failed.len());
    }
    text
}

/// The end of a round for people.
pub(super) fn summary(report: &CycleReport, width: Option<usize>) -> String {
    let mut text = format!("{}\n", headline(report));
    for line in counts(report) {
        let _ = writeln!(text, "  {line}");
    }
    if let Some(line) = skipped(report) {
        let _ = writeln!(text, "{line}");
    }
    if !report.failed.is_empty() {
        text.push_str("\nfailed:\n");
        text.push_str(&failures(report, width));
    }
    text
}

fn headline(report: &CycleReport) -> String {
    let stopped = if report.is_interrupted { ", stopped before the end" } else { "" };
    format!(
        "{} polled in {}: {} changed, {} unchanged, {} failed{stopped}",
        counted(report.polled, "feed", "feeds"),
        seconds(report.duration_ms),
        report.changed,
        report.unchanged,
        report.failed.len(),
    )
}

fn counts(report: &CycleReport) -> Vec<String> {
    let counts = &report.counts;
    let mut lines = vec![
        counted(counts.new, "new article", "new articles"),
        counted(counts.revised, "revised article", "revised articles"),
        counted(counts.duplicates_total(), "copy folded", "copies folded"),
    ];
    let reasons: Vec<String> = counts
        .duplicates
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{count} {reason}"))
        .collect();
    if !reasons.is_empty() {
        let _ = write!(lines[2], ": {}", reasons.join(", "));
    }
    if counts.taken_over > 0 {
        lines.push(format!(
            "{} got a copy's fuller text",
            counted(counts.taken_over, "article", "articles")
        ));
    }
    lines
}

fn skipped(report: &CycleReport) -> Option<String> {
    let skipped = &report.skipped;
    let parts: Vec<String> = [
        (skipped.not_due, "not due yet"),
        (skipped.held_by_server, "held by their server"),
        (skipped.held_by_process, "polled by another process"),
        (skipped.host_held_by_process, "waiting for a host that another process polls"),
        (skipped.same_feed, "the same as an earlier feed"),
        (skipped.out_of_reach, "without their credentials"),
        (skipped.disabled, "disabled"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, why)| format!("{count} {why}"))
    .collect();
    (!parts.is_empty()).then(|| format!("not polled: {}", parts.join(", ")))
}

fn failures(report: &CycleReport, width: Option<usize>) -> String {
    let mut table = Table::new(&[
        ("feed", Column::Text),
        ("error_kind", Column::Left),
        ("error", Column::Text),
    ]);
    for poll in &report.failed {
        let (kind, message) = match &poll.failure {
            Some(failure) => (failure.kind.as_str(), Cow::from(&failure.message)),
            None => (poll.outcome.as_str(), Cow::from("")),
        };
        table.row([poll.feed.clone(), kind.to_owned(), message.into_owned()]);
    }
    let indent = |line: &str| format!("  {line}\n");
    table.render(width.map(|width| width.saturating_sub(2))).lines().map(indent).collect()
}

/// `1 feed`, `2 feeds`.
pub(super) fn counted(count: u32, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn seconds(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!("{} min {} s", milliseconds / 60_000, milliseconds % 60_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{FeedId, Timestamp},
        report::{Counts, Failure, FeedPoll, Outcome, Skipped},
    };

    fn poll(feed: &str, outcome: Outcome, failure: Option<(&str, &str)>) -> FeedPoll {
        FeedPoll {
            feed_id: FeedId(1),
            feed: feed.to_owned(),
            url: "https://a.example/".to_owned(),
            outcome,
            failure: failure.map(|(kind, message)| Failure {
                kind: kind.to_owned(),
                message: message.to_owned(),
            }),
            counts: Counts {
                new: 3,
                duplicates: [("near_duplicate", 2), ("same_text", 1)].into(),
                taken_over: 1,
                ..Counts::default()
            },
        }
    }

    #[test]
    fn the_summary_says_everything_at_a_glance() {
        let mut report = CycleReport::new(Timestamp::MIN);
        report.add(&poll("Gazette", Outcome::Changed, None));
        report.add(&poll("港新聞", Outcome::Failed, Some(("timeout", "no answer in 30s"))));
        report.add(&poll("Wire\u{1b}[2J", Outcome::Gone, Some(("gone", "410"))));
        report.skipped = Skipped { not_due: 4, held_by_process: 1, ..Skipped::default() };
        report.duration_ms = 1_250;
        assert_eq!(
            summary(&report, None),
            "\
3 feeds polled in 1.2 s: 1 changed, 0 unchanged, 2 failed
  9 new articles
  0 revised articles
  9 copies folded: 6 near_duplicate, 3 same_text
  3 articles got a copy's fuller text
not polled: 4 not due yet, 1 polled by another process

failed:
  feed           error_kind  error
  港新聞         timeout     no answer in 30s
  Wire\\u{1b}[2J  gone        410
"
        );
        assert_eq!(standing(&report), "9 new, 9 copies, 2 failed");
    }

    #[test]
    fn a_quiet_round_is_short() {
        let report = CycleReport { duration_ms: 65_000, ..CycleReport::new(Timestamp::MIN) };
        let text = summary(&report, Some(80));
        assert!(text.starts_with("0 feeds polled in 1 min 5 s: 0 changed"), "{text}");
        assert!(!text.contains("failed:\n") && !text.contains("not polled"), "{text}");
    }
}
