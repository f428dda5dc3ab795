//! Small words for people: when, how much, and what stored JSON says.

use std::{fmt::Write, time::Duration};

use serde_json::Value;

use super::output::printable;
use crate::{config::parse_duration, model::Timestamp, schedule::in_words};

/// `--since`: an instant, a day, or so long back from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// From this instant on.
    At(Timestamp),
    /// From this long before now on.
    Ago(Duration),
}

impl Since {
    /// Reads `2026-11-23T09:15:00Z`, `2026-11-23` or `2h`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let day = || format!("{text}T00:00:00Z").parse().ok();
        if let Some(instant) = text.parse().ok().or_else(day) {
            return Ok(Self::At(instant));
        }
        parse_duration(text).map(Self::Ago).map_err(|_| {
            "write an instant like 2026-11-23T09:15:00Z, a day like 2026-11-23, or a duration like 2h"
                .to_owned()
        })
    }

    /// The instant that it means at `now`.
    pub(super) fn instant(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(instant) => instant,
            Self::Ago(ago) => now.plus_seconds(-i64::try_from(ago.as_secs()).unwrap_or(i64::MAX)),
        }
    }
}

/// `3 h ago`, `in 15 min`, `now`; `never` where there is no instant.
pub(super) fn relative(instant: Option<Timestamp>, now: Timestamp) -> String {
    let Some(instant) = instant else { return "never".to_owned() };
    match instant.seconds_since(now) {
        0 => "now".to_owned(),
        ahead if ahead > 0 => format!("in {}", in_words(ahead)),
        ago => format!("{} ago", in_words(-ago)),
    }
}

/// Stored JSON as indented lines of `key  value`; lists of plain values stand on one line.
pub(super) fn tree(value: &Value, indent: usize) -> String {
    let mut out = String::new();
    let Value::Object(object) = value else {
        let _ = writeln!(out, "{:indent$}{}", "", plain(value));
        return out;
    };
    let width = object
        .iter()
        .filter(|(_, value)| is_plain(value))
        .map(|(key, _)| key.len())
        .max()
        .unwrap_or_default();
    for (key, value) in object.iter().filter(|(_, value)| !value.is_null()) {
        let key = printable(key);
        if is_plain(value) {
            let _ = writeln!(out, "{:indent$}{key:width$}  {}", "", plain(value));
        } else if let Value::Array(items) = value {
            for item in items {
                let _ = writeln!(out, "{:indent$}{key}", "");
                out.push_str(&tree(item, indent + 2));
            }
        } else {
            let _ = writeln!(out, "{:indent$}{key}", "");
            out.push_str(&tree(value, indent + 2));
        }
    }
    out
}

fn is_plain(value: &Value) -> bool {
    match value {
        Value::Object(_) => false,
        Value::Array(items) => items.iter().all(|item| !item.is_object() && !item.is_array()),
        _ => true,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        Value::Number(number) => decimal(number),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" / "),
        other => other.to_string(),
    }
}

/// Shares are stored with 16 digits and read with three.
fn decimal(number: &serde_json::Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() => {
            let text = format!("{float:.3}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn instant(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn since_takes_an_instant_a_day_or_a_duration() {
        let now = instant("2026-11-24T12:00:00Z");
        for (text, expected) in [
            ("2026-11-23T09:15:00Z", "2026-11-23T09:15:00Z"),
            ("2026-11-23", "2026-11-23T00:00:00Z"),
            ("2h", "2026-11-24T10:00:00Z"),
            ("1w", "2026-11-17T12:00:00Z"),
        ] {
            assert_eq!(Since::parse(text).unwrap().instant(now).to_string(), expected);
        }
        assert!(Since::parse("yesterday").unwrap_err().contains("2h"));
    }

    #[test]
    fn instants_are_said_from_now() {
        let now = instant("2026-11-24T12:00:00Z");
        for (text, said) in [
            ("2026-11-24T12:00:00Z", "now"),
            ("2026-11-24T11:15:00Z", "45 min ago"),
            ("2026-11-24T14:30:00Z", "in 2 h 30 min"),
        ] {
            assert_eq!(relative(Some(instant(text)), now), said);
        }
        assert_eq!(relative(None, now), "never");
    }

    #[test]
    fn stored_json_is_readable() {
        let evidence = json!({
            "test": "copied", "copied": [1.0, 0.916_666], "names": 2, "copy": null,
            "matched": {"article": 7, "title": "a\u{1b}b"},
            "refused": [{"article": 8}, {"article": 9}],
        });
        assert_eq!(
            tree(&evidence, 2),
            "  test    copied\n  copied  1 / 0.917\n  names   2\n  matched\n    article  7\n    \
             title    a\\u{1b}b\n  refused\n    article  8\n  refused\n    article  9\n"
        );
    }
}
