//! `newsfold once`: polls each feed whose time has come, shows how it goes, and says what came of it.

use std::io::IsTerminal;

use super::{Exit, Global, OnceArguments, load, output, summary};
use crate::{
    daemon::{self, Selection, Service},
    report::CycleReport,
    store::claims::Mode,
    telemetry,
};

pub(super) fn once(global: &Global, arguments: &OnceArguments) -> anyhow::Result<Exit> {
    let config = match load(global) {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    // The summary says what the log would: a log is for who asks for it.
    let level = if global.verbose == 0 { "error" } else { global.level("error") };
    telemetry::init(&config.log, level);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(async {
        let service = Service::start(&config, false)?;
        let feeds = service.find(&arguments.feeds).await?;
        let mode = if arguments.all { Mode::All } else { Mode::Due };
        let is_visible = !global.quiet && !global.json && std::io::stderr().is_terminal();
        let mut bar = summary::Bar::new(is_visible, CycleReport::new(daemon::now()));
        let report =
            daemon::cycle(&service, &Selection { mode, feeds }, |progress| bar.follow(progress))
                .await;
        bar.finish();
        service.stop().await?;
        anyhow::Ok(report?)
    })?;
    if global.json {
        output::json_line(&mut output::stdout(), &report)?;
    } else if !global.quiet {
        output::line(summary::summary(&report, output::width()).trim_end())?;
    }
    Ok(if report.failed.is_empty() { Exit::Fine } else { Exit::SomeFeedsFailed })
}
