//! What is wrong with a configuration, every error at once, each with its file, line, column and the line itself.

use std::{fmt, ops::Range, path::PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use url::Url;

/// One file of the configuration, kept for its messages.
#[derive(Debug)]
pub(super) struct Source {
    /// As named on the command line, or found in `conf.d`.
    pub(super) path: PathBuf,
    /// Its text.
    pub(super) text: String,
}

/// Bytes of one file.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Index into the sources.
    pub(super) source: usize,
    /// Byte range in its text.
    pub(super) span: Range<usize>,
}

/// One error: what is wrong, where, and what was meant.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) place: Option<Place>,
    /// A second place that the message speaks of.
    pub(super) other: Option<(Place, &'static str)>,
    pub(super) help: Option<String>,
    /// What stands there is nobody's to read.
    pub(super) secret: Option<Place>,
}

impl Problem {
    pub(super) fn at(place: Place, message: impl Into<String>) -> Self {
        Self { message: message.into(), place: Some(place), other: None, help: None, secret: None }
    }
}

/// The configuration cannot be used. Prints every error with `file:line:column`, the line and a caret.
#[derive(Debug)]
pub struct Error {
    sources: Vec<Source>,
    problems: Vec<Problem>,
}

impl Error {
    pub(super) fn new(mut sources: Vec<Source>, mut problems: Vec<Problem>) -> Self {
        for source in &mut sources {
            source.text = without_userinfo(&source.text);
        }
        for problem in &mut problems {
            problem.message = without_userinfo(&problem.message);
            if let Some(place) = &problem.secret {
                let text = &mut sources[place.source].text;
                let stars = stars(&text[place.span.clone()]);
                text.replace_range(place.span.clone(), &stars);
            }
        }
        problems.sort_by_key(|problem| {
            problem.place.as_ref().map(|place| (place.source, place.span.start))
        });
        Self { sources, problems }
    }

    /// How many errors there are; at least one.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// The errors, one text each, ready to print; `color` adds terminal colours.
    pub fn render(&self, color: bool) -> Vec<String> {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        self.problems.iter().map(|problem| self.render_one(problem, &renderer)).collect()
    }

    fn render_one(&self, problem: &Problem, renderer: &Renderer) -> String {
        let mut group = Group::with_title(Level::ERROR.primary_title(problem.message.as_str()));
        if let Some(place) = &problem.place {
            group = group.element(self.snippet(place, AnnotationKind::Primary, ""));
        }
        if let Some((place, label)) = &problem.other {
            group = group.element(self.snippet(place, AnnotationKind::Context, label));
        }
        if let Some(help) = &problem.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        renderer.render(&[group]).to_string()
    }

    fn snippet<'a>(
        &'a self,
        place: &Place,
        kind: AnnotationKind,
        label: &'a str,
    ) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let source = &self.sources[place.source];
        let annotation = kind.span(place.span.clone());
        let annotation = if label.is_empty() { annotation } else { annotation.label(label) };
        Snippet::source(source.text.as_str())
            .path(source.path.to_string_lossy().into_owned())
            .annotation(annotation)
    }

    /// `file:line:column: message` for each error, for machines.
    pub fn lines(&self) -> Vec<String> {
        self.problems
            .iter()
            .map(|problem| match &problem.place {
                None => problem.message.clone(),
                Some(place) => {
                    let source = &self.sources[place.source];
                    let (line, column) = line_and_column(&source.text, place.span.start);
                    format!("{}:{line}:{column}: {}", source.path.display(), problem.message)
                }
            })
            .collect()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

impl std::error::Error for Error {}

/// As many bytes, none of them told but where lines end.
fn stars(text: &str) -> String {
    let star = |c: char| if c == '\n' { "\n".to_owned() } else { "*".repeat(c.len_utf8()) };
    text.chars().map(star).collect()
}

/// A text with stars for username and password of every URL in it; errors are logged, and the log has many readers.
fn without_userinfo(text: &str) -> String {
    // A value ends with its quotes or its line, and with nothing else that a password could hold.
    let values = text.split_inclusive(['"', '\'', '\n']);
    values
        .map(|value| match userinfo(value) {
            Some(secret) => {
                let hidden = stars(&value[secret.clone()]);
                [&value[..secret.start], &hidden, &value[secret.end..]].concat()
            }
            None => value.to_owned(),
        })
        .collect()
}

/// Where username and password stand in a value. One that is no URL may be none because of its password, as
/// `https://me:a/b@host` is, or lack its scheme: there they end with the last @.
fn userinfo(value: &str) -> Option<Range<usize>> {
    let last = value.rfind('@')?;
    let Some(scheme) = value.find("://") else {
        return value[..last].contains(':').then_some(0..last);
    };
    let start = scheme + 3;
    let url = value.trim_end_matches(['"', '\'', '\n']);
    let end = match Url::parse(url) {
        Ok(_) => {
            let authority = value.get(start..)?.split(['/', '\\', '?', '#']).next()?;
            start + authority.rfind('@')?
        }
        Err(_) => last,
    };
    (start < end).then_some(start..end)
}

/// Both count from 1, columns in characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_and_passwords_are_not_told() {
        for (text, told) in [
            ("url = \"https://me:pw@host/a\"", "url = \"https://*****@host/a\""),
            ("\"https://me:a/b@host/f\" is not", "\"https://******@host/f\" is not"),
            ("\"https://me:a#b@host/f\"", "\"https://******@host/f\""),
            ("\"https://me:a b@host/f\"", "\"https://******@host/f\""),
            ("'https://me:pw@host", "'https://*****@host"),
            ("proxy = \"me:pw@host:3128\"", "proxy = \"*****@host:3128\""),
            ("\"https://host/@me:you\"", "\"https://host/@me:you\""),
            ("\"https://host/\" # ask me@host", "\"https://host/\" # ask me@host"),
        ] {
            assert_eq!(without_userinfo(text), told);
        }
    }
}
