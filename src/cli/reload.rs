//! `newsfold reload`: has the running daemon take up the configuration, and waits for what it says.
//!
//! A configuration with errors is refused here already, with every error in full, and the daemon is not disturbed. A
//! good one is asked for in the database, the holder of the lock is signalled, and its answer read in the database:
//! that is how `systemctl reload` can fail visibly on systemd 252, which knows no `Type=notify-reload`.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::{Exit, Global, load, now, output};
use crate::{
    daemon::Lock,
    store::{self, Database, reloads::Answer},
};

/// Taking up many thousand feeds takes a second; a person's lock on the database may take longer.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

pub(super) fn reload(global: &Global) -> anyhow::Result<Exit> {
    let config = load(global)?;
    let Some(holder) = Lock::holder(&config.store.path)? else {
        bail!("no newsfold works on {}: there is nothing to reload", config.store.path.display());
    };
    let mut options = config.store_options();
    options.busy_timeout = PATIENCE;
    let mut db = Database::open(&options)?;
    let request = db.request_reload(now())?;
    let pid = Pid::from_raw(holder).context("the lock names no process")?;
    kill_process(pid, Signal::HUP).with_context(|| format!("cannot signal process {holder}"))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match answer(&db, request)? {
            Answer::TakenUp => return Ok(Exit::Fine),
            Answer::Refused(refusal) => {
                output::complain(&refusal);
                return Ok(Exit::BadConfiguration);
            }
            Answer::Pending => {}
        }
        if Lock::holder(&config.store.path)? != Some(holder) {
            bail!("process {holder} ended before it answered");
        }
        if Instant::now() > deadline {
            bail!("process {holder} has not answered for {} s", PATIENCE.as_secs());
        }
        thread::sleep(BETWEEN_LOOKS);
    }
}

fn answer(db: &Database, request: i64) -> Result<Answer, store::Error> {
    match db.reload_answer(request) {
        Err(error) if error.is_busy() => Ok(Answer::Pending),
        answer => answer,
    }
}
