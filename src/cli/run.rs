//! `newsfold run`: the daemon, in the foreground.

use super::{Exit, Global, load};
use crate::{daemon, telemetry};

pub(super) fn run(global: &Global) -> anyhow::Result<Exit> {
    let config = load(global)?;
    let level = telemetry::init(&config.log, global.level(&config.log.level));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(daemon::run(global.path(), config, &level));
    // The system's resolver cannot be interrupted: what waits for it ends with the process, not the process with it.
    runtime.shutdown_background();
    ended?;
    Ok(Exit::Fine)
}
