//! `newsfold backup FILE`: a consistent copy of the database, while the daemon writes.

use std::{fs, path::Path};

use anyhow::Context;
use serde::Serialize;

use super::{Exit, Global, load, open_for_reading, output};

#[derive(Serialize)]
struct Backup<'a> {
    file: &'a Path,
    bytes: u64,
}

pub(super) fn backup(global: &Global, file: &Path) -> anyhow::Result<Exit> {
    let config = load(global)?;
    open_for_reading(&config)?.back_up(file)?;
    let bytes = fs::metadata(file).context("the copy has gone again")?.len();
    output::value(global.json, &Backup { file, bytes }, |backup| {
        format!("{}: {} bytes\n", backup.file.display(), backup.bytes)
    })?;
    Ok(Exit::Fine)
}
