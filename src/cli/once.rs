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
    let config = load(global)?;
    // The summary says what the log would: a log is for who asks for it.
    let level = if global.verbose == 0 { "error" } else { global.level("error") };
