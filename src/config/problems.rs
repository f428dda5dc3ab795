//! What is wrong with a configuration, every error at once, each with its file, line, column and the line itself.

use std::{
    fmt,
    ops::Range,
    path::{Path, PathBuf},
};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

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
    database: Option<PathBuf>,
}

impl Error {
    pub(super) fn new(
        mut sources: Vec<Source>,
        mut problems: Vec<Problem>,
        database: Option<PathBuf>,
    ) -> Self {
        for source in &mut sources {
            source.text = without_secrets(&source.text);
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
        Self { sources, problems, database }
    }

    /// The database that is meant, as far as it can be told.
    pub fn database(&self) -> Option<&Path> {
        self.database.as_deref()
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

/// Words of keys behind which a secret may stand.
const SECRETIVE: [&str; 11] = [
    "header",
    "pass",
    "pwd",
    "secret",
    "token",
    "auth",
    "bearer",
    "cookie",
    "credential",
    "api",
    "key",
];

/// Whether a secret may stand behind a key of this name.
pub(super) fn is_secretive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETIVE.iter().any(|word| name.contains(word))
}

/// A text with stars for what may be a secret: all behind a secretive word in its line, and what stands before an @.
/// Errors are logged, and the log has many readers; a line that is broken may be read in many ways, so that too much is
/// hidden rather than too little.
fn without_secrets(text: &str) -> String {
    text.split_inclusive('\n').map(|line| without_userinfo(&without_values(line))).collect()
}

fn without_values(line: &str) -> String {
    // A number of words, and no secret.
    let lower = line.to_ascii_lowercase().replace("min_tokens", "min_______");
    let words = SECRETIVE.iter().filter_map(|word| Some(lower.find(word)? + word.len()));
    let Some(behind) = words.min() else { return line.to_owned() };
    match line[behind..].find('=') {
        Some(at) => {
            let (shown, hidden) = line.split_at(behind + at + 1);
            format!("{shown}{}", stars(hidden))
        }
        None => line.to_owned(),
    }
}

/// Username and password of URLs, and what may be meant as them: a password may hold anything, so they end with the
/// line's last @.
fn without_userinfo(line: &str) -> String {
    let Some(last) = line.rfind('@') else { return line.to_owned() };
    let start = match line[..last].find("://") {
        Some(scheme) => scheme + 3,
        None if line[..last].contains(':') => {
            line[..last].rfind(['"', '\'', ' ', '=']).map_or(0, |at| at + 1)
        }
        None => return line.to_owned(),
    };
    [&line[..start], &stars(&line[start..last]), &line[last..]].concat()
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
            ("\"https://me:a\"b@host/f\"", "\"https://******@host/f\""),
            // What is no secret but could be one is hidden as well.
            ("\"https://host/@me:you\"", "\"https://*****@me:you\""),
            ("user@host", "user@host"),
        ] {
            assert_eq!(without_userinfo(text), told);
        }
    }
}
