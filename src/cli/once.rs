//! `newsfold once`: polls each feed whose time has come, shows how it goes, and says what came of it.
//!
//! Told to stop (Ctrl-C, SIGTERM) it drops the polls under way, gives their feeds back to others, and says how far it
//! came; what was recorded until then stays.

use std::{
    io::{IsTerminal, Write},
    time::Instant,
};

use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Global, OnceArguments, load, output, summary};
use crate::{
    config::Config,
    daemon::{self, Selection, Service},
    report::CycleReport,
    store::claims::Mode,
    telemetry,
};

const OUT_OF_REACH: &str = "newsfold: credentials exist only inside the unit: run it as systemd-run --pipe --wait \
     -p User=newsfold -p LoadCredential=feed:/etc/newsfold/credentials newsfold once";

pub(super) fn once(global: &Global, arguments: &OnceArguments) -> anyhow::Result<Exit> {
    let config = load(global)?;
    // The summary says what the log would: a log is for who asks for it.
    let level = if global.verbose == 0 { "error" } else { global.level("error") };
    telemetry::init(&config.log, level);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(cycle(global, arguments, &config));
    // The system's resolver cannot be interrupted: what waits for it ends with the process, not the process with it.
    runtime.shutdown_background();
    let report = report?;
    let mut out = output::stdout();
    if global.json {
        output::json_line(&mut out, &report)?;
    } else if !global.quiet {
        out.write_all(summary::summary(&report, output::width()).as_bytes())?;
    }
    out.flush()?;
    if report.skipped.out_of_reach > 0 {
        output::complain(OUT_OF_REACH);
    }
    // Who names a feed wants it polled: that its time has not come is the only good reason why it was not.
    let is_missed = !arguments.feeds.is_empty() && report.skipped.kept_away() > 0;
    Ok(match report.failed.is_empty() && !is_missed {
        _ if report.is_interrupted => Exit::Failed,
        true => Exit::Fine,
        false => Exit::SomeFeedsFailed,
    })
}

async fn cycle(
    global: &Global,
    arguments: &OnceArguments,
    config: &Config,
) -> anyhow::Result<CycleReport> {
    let began = Instant::now();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let service = Service::start(config, false)?;
    let feeds = service.find(&arguments.feeds).await?;
    let mode = if arguments.all { Mode::All } else { Mode::Due };
    let is_visible = !global.quiet && !global.json && std::io::stderr().is_terminal();
    let mut bar = summary::Bar::new(is_visible, CycleReport::new(daemon::now()));
    let selection = Selection { mode, feeds };
    let ended = tokio::select! {
        report = daemon::cycle(&service, &selection, |progress| bar.follow(progress)) => Some(report),
        _ = terminate.recv() => None,
        _ = interrupt.recv() => None,
    };
    let so_far = bar.finish();
    if ended.is_some()
        && let Err(error) = service.tidy(config.retention()).await
    {
        let error = format!("{error:#}");
        tracing::warn!(error, "old rows stay until next time: {error}");
    }
    service.stop().await?;
    match ended {
        Some(report) => Ok(report?),
        None => {
            let duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            Ok(CycleReport { is_interrupted: true, duration_ms, ..so_far })
        }
    }
}
