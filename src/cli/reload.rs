//! `newsfold reload`: has the running daemon take up the configuration, and waits for what it says.
//!
//! A configuration with errors is refused here already, with every error in full, and the daemon is not disturbed: the
//! refusal is only noted beside the daemon's own answers. A good one is asked for in the database, the holder of the
//! lock is signalled, and its answer read in the database (on a full disk it is signalled alone): that is how `systemctl reload` can fail visibly on systemd
//! 252, which knows no `Type=notify-reload`.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::{Exit, Global, complain, now, output};
use crate::{
    config,
    daemon::Lock,
    store::{self, Database, reloads::Answer},
};

/// Taking up many thousand feeds takes a second; a person's lock on the database may take longer.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

pub(super) fn reload(global: &Global) -> anyhow::Result<Exit> {
    let error = match config::load(global.path()) {
        Ok(config) => return ask(&config.store.path),
        Err(error) => error,
    };
    complain(&error);
    if let Some(database) = error.database()
        && let Err(error) = note(database, &error)
    {
        output::complain(&format!("newsfold: the refusal is not noted in the database: {error:#}"));
    }
    Ok(Exit::BadConfiguration)
}

/// Leaves the refusal where the daemon's answers are, if there is a daemon.
fn note(database: &Path, error: &config::Error) -> anyhow::Result<()> {
    if Lock::holder(database)?.is_some() {
        let mut db = Database::open(&options(database))?;
        let request = db.request_reload(now())?;
        db.answer_reload(request, Some(&error.lines().join("\n")), now())?;
    }
    Ok(())
}

fn options(database: &Path) -> store::Options {
    store::Options { busy_timeout: PATIENCE, ..store::Options::new(database) }
}

/// Has the daemon that works on this database take up its configuration, and waits for the answer.
fn ask(database: &Path) -> anyhow::Result<Exit> {
    let Some(holder) = Lock::holder(database)? else {
        bail!("no newsfold works on {}: there is nothing to reload", database.display());
    };
    let asked = Database::open(&options(database)).and_then(|mut db| {
        let request = db.request_reload(now())?;
        Ok((db, request))
    });
    let asked = match asked {
        Err(error) if error.is_disk() => Err(error),
        asked => Ok(asked?),
    };
    let pid = Pid::from_raw(holder).context("the lock names no process")?;
    kill_process(pid, Signal::HUP).with_context(|| format!("cannot signal process {holder}"))?;
    let (db, request) = match asked {
        Ok(asked) => asked,
        // The signal asks just as well; only the answer needs a row.
        Err(error) => {
            let error = anyhow::Error::from(error);
            output::complain(&format!(
                "newsfold: process {holder} was signalled, but its answer cannot be seen: {error:#}; look into its log"
            ));
            return Ok(Exit::Fine);
        }
    };
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
        if Lock::holder(database)? != Some(holder) {
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
