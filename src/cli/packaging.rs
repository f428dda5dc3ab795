//! `newsfold completions` and `newsfold man`: what packagers install beside the program.

use std::{io::Write, path::Path};

use anyhow::Context;
use clap_complete::Shell;

use super::{Exit, output};

pub(super) fn completions(shell: Shell, mut command: clap::Command) -> anyhow::Result<Exit> {
    // Into memory first: the generator panics where a pipe is closed.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "newsfold", &mut script);
    let mut out = output::stdout();
    out.write_all(&script)?;
    out.flush()?;
    Ok(Exit::Fine)
}

pub(super) fn man(folder: Option<&Path>, command: clap::Command) -> anyhow::Result<Exit> {
    if let Some(folder) = folder {
        clap_mangen::generate_to(command, folder)
            .with_context(|| format!("cannot write manual pages to {}", folder.display()))?;
        return Ok(Exit::Fine);
    }
    let mut out = output::stdout();
    clap_mangen::Man::new(command).render(&mut out)?;
    out.flush()?;
    Ok(Exit::Fine)
}
