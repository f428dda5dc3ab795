//! `newsfold doctor`: looks at everything that newsfold rests on and says how to mend what it finds.
//!
//! Changes nothing and sends nothing to any publisher: names are resolved, no server is asked. Every finding comes
//! with a remedy. Ends with 0 where no error was found (a warning is none), else with 1; 78 where the configuration
//! itself cannot be used, since nothing else can be looked at then.

mod database;
mod files;
mod surroundings;

use serde::Serialize;

use super::{Exit, Global, load, now, output, summary::counted};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    /// It works, but not for long, or not as meant.
    Warning,
    /// It does not work.
    Error,
    /// Could not be looked at from here.
    Skipped,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "ERROR",
            Self::Skipped => "skipped",
        }
    }
}

/// What was looked at, what was seen, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    level: Level,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, message: message.into(), remedy: None }
    }

    fn skipped(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, level: Level::Skipped, message: message.into(), remedy: None }
    }

    fn warning(check: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        Self { check, level: Level::Warning, message: message.into(), remedy }
    }

    fn error(check: &'static str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        Self { check, level: Level::Error, message: message.into(), remedy }
    }
}

pub(super) fn doctor(global: &Global) -> anyhow::Result<Exit> {
    let config = load(global)?;
    let mut findings = vec![configuration(&config, global)];
    findings.extend(files::look(global.path(), &config));
    findings.extend(database::look(&config, now()));
    findings.extend(surroundings::look(&config));
    output::rows(global.json, &findings, text)?;
    let failed = findings.iter().any(|finding| finding.level == Level::Error);
    Ok(if failed { Exit::Failed } else { Exit::Fine })
}

fn configuration(config: &crate::config::Config, global: &Global) -> Finding {
    let path = global.path().display();
    let enabled = config.feeds.iter().filter(|feed| feed.enabled).count();
    if enabled > 0 {
        return Finding::ok(
            "configuration",
            format!(
                "{path}: no errors, {}",
                counted(u32::try_from(enabled).unwrap_or(u32::MAX), "feed", "feeds")
            ),
        );
    }
    Finding::warning(
        "configuration",
        format!("{path} names no feed that is enabled"),
        "add a [[feed]] with its url, then: systemctl reload newsfold",
    )
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for Finding { check, level, message, remedy } in findings {
        text += &format!("{:<8} {check}: {}\n", level.word(), output::printable(message));
        if let Some(remedy) = remedy {
            text += &format!("{:<8} -> {}\n", "", output::printable(remedy));
        }
    }
    text
}
