//! Where output goes: data to stdout, all else to stderr, colour only where a person looks at it.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

use serde::Serialize;
use serde_json::ser::Formatter;

/// Stdout, buffered: to be flushed when all is written, or its last lines are lost without a word.
pub(super) fn stdout() -> BufWriter<StdoutLock<'static>> {
    BufWriter::with_capacity(64 << 10, io::stdout().lock())
}

/// Writes one line of data to stdout.
pub(super) fn line(text: &str) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.write_all(b"\n")?;
    Ok(())
}

/// Writes one value as one line of JSON. What a terminal would obey is escaped: to a reader of JSON it is the same.
pub(super) fn json_line(out: &mut impl Write, value: &impl Serialize) -> anyhow::Result<()> {
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, Printable);
    // As an `io::Error`, so that a closed pipe is known for what it is.
    value.serialize(&mut serializer).map_err(io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(())
}

/// Compact JSON in which [`printable`]'s characters are escaped; those below U+0020 always are.
struct Printable;

impl Formatter for Printable {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        mut fragment: &str,
    ) -> io::Result<()> {
        while let Some((at, c)) = fragment.char_indices().find(|(_, c)| is_unsafe(*c)) {
            out.write_all(&fragment.as_bytes()[..at])?;
            // None of them lies beyond U+FFFF.
            write!(out, "\\u{:04x}", u32::from(c))?;
            fragment = &fragment[at + c.len_utf8()..];
        }
        out.write_all(fragment.as_bytes())
    }
}

/// Prints rows: as JSON Lines, or whatever `text` makes of them.
pub(super) fn rows<T: Serialize>(
    json: bool,
    rows: &[T],
    text: impl FnOnce(&[T]) -> String,
) -> anyhow::Result<()> {
    let mut out = stdout();
    if json {
        for row in rows {
            json_line(&mut out, row)?;
        }
    } else {
        out.write_all(text(rows).as_bytes())?;
    }
    out.flush()?;
    Ok(())
}

/// Prints one value: as a line of JSON, or whatever `text` makes of it.
pub(super) fn value<T: Serialize>(
    json: bool,
    value: &T,
    text: impl FnOnce(&T) -> String,
) -> anyhow::Result<()> {
    rows(json, std::slice::from_ref(value), |values| text(&values[0]))
}

/// Writes one message to stderr; a stderr that is gone is no reason to fail.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Whether messages on stderr may be coloured: a terminal, and `NO_COLOR` not set.
pub(super) fn stderr_has_color() -> bool {
    io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Columns of the terminal that stdout is; `None` where it is a file or a pipe.
pub(super) fn width() -> Option<usize> {
    let terminal = console::Term::stdout();
    terminal.is_term().then(|| usize::from(terminal.size().1))
}

/// The reader of our output has gone (`newsfold articles | head`): an ordinary end.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io_error = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>());
    io_error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Text of a feed on its way to a terminal: control characters, which could move the cursor or worse, and those that
/// turn the direction of what follows are shown as escapes.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    shown
}

/// As [`printable`], for a text of several lines.
pub(super) fn printable_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(printable).collect();
    lines.join("\n")
}

/// Controls; line and paragraph separators; embeddings, overrides and isolates of direction.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_of_feeds_never_reach_a_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{9b}c\n"), "a\\u{1b}[2Jb\\u{9b}c\\u{a}");
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(printable("Zürich 東京"), "Zürich 東京");
        assert_eq!(printable_lines("a\n\n\u{7}b\r\n"), "a\n\n\\u{7}b");
    }

    #[test]
    fn json_holds_the_same_text_and_nothing_that_a_terminal_obeys() {
        let text = "a\u{1b}[2J\u{9b}2J\u{7f} \u{202e}txt\u{2066} Zürich 東京 \"x\"\n";
        let mut out = Vec::new();
        json_line(&mut out, &text).unwrap();
        let line = String::from_utf8(out).unwrap();
        assert_eq!(
            line.trim_end(),
            r#""a\u001b[2J\u009b2J\u007f \u202etxt\u2066 Zürich 東京 \"x\"\n""#
        );
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }

    #[test]
    fn a_closed_pipe_is_known_behind_json() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        assert!(is_closed_pipe(&json_line(&mut Closed, &[1]).unwrap_err()));
        assert!(!is_closed_pipe(&anyhow::anyhow!("another")));
    }
}
