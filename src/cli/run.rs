//! `newsfold run`: the daemon, in the foreground.

use super::{Exit, Global, load};
use crate::{daemon, telemetry};

pub(super) fn run(global: &Global) -> anyhow::Result<Exit> {
    let config = load(global)?;
    let level = telemetry::init(&config.log, global.level(&config.log.level));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(daemon::run(global.path(), config, &level))?;
    Ok(Exit::Fine)
}
