//! A pattern as the tables write it, read into its pieces.

use super::super::{folded, guards::Class};

/// A piece of a pattern.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) matter: Matter,
    /// No space stands before it in the pattern: it may go on inside a word.
    pub(super) is_glued: bool,
    /// It stands behind an open place, which ends where a word does.
    pub(super) is_behind_hole: bool,
}

#[derive(Debug)]
pub(super) enum Matter {
    Words(String),
    Choice(Vec<Vec<Part>>),
    Number,
    Any,
    Names,
    /// A class, and whether more words may stand before its word.
    Holding(Class, bool),
}

pub(super) type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Reads a pattern up to its end or to the `|` or `)` that ends a branch.
pub(super) fn parse(text: &mut Characters<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut words = String::new();
    // Whether the piece at hand began right behind the last one.
    let mut is_glued = true;
    let flush = |words: &mut String, parts: &mut Vec<Part>, glued: bool| {
        let folded = folded::fold(words);
        if !folded.is_empty() {
            let is_glued = glued && !words.starts_with(' ');
            let is_behind_hole = parts.last().is_some_and(Part::is_hole);
            parts.push(Part { matter: Matter::Words(folded), is_glued, is_behind_hole });
        }
        let ends_in_space = words.ends_with(' ');
        words.clear();
        !ends_in_space
    };
    while let Some(&character) = text.peek() {
        let mut matter = match character {
            '|' | ')' => break,
            '(' => {
                text.next();
                Matter::Choice(branches(text))
            }
            '#' => Matter::Number,
            '*' => Matter::Any,
            '~' => Matter::Names,
            '@' => Matter::Holding(Class::Channel, parts.is_empty() && words.is_empty()),
            '%' => Matter::Holding(Class::Letter, false),
            '^' => Matter::Holding(Class::App, false),
            other => {
                words.push(other);
                text.next();
                continue;
            }
        };
        text.next();
        let had_words = !words.is_empty();
        let glued = flush(&mut words, &mut parts, is_glued);
        let mut is_behind = if had_words { glued } else { is_glued };
        let is_behind_any = matches!(parts.last(), Some(Part { matter: Matter::Any, .. }));
        if let Matter::Holding(_, is_wide) = &mut matter
            && is_behind
            && is_behind_any
        {
            *is_wide = true;
            is_behind = parts.pop().is_some_and(|any| any.is_glued);
        }
        let is_behind_hole = parts.last().is_some_and(Part::is_hole);
        let mut part = Part { matter, is_glued: is_behind, is_behind_hole };
        join(&mut part, is_behind, is_behind_hole);
        parts.push(part);
        is_glued = true;
    }
    flush(&mut words, &mut parts, is_glued);
    parts
}

/// The first piece of a branch stands where its choice stands.
fn join(part: &mut Part, is_glued: bool, is_behind_hole: bool) {
    part.is_glued &= is_glued;
    part.is_behind_hole |= is_behind_hole;
    if let Matter::Choice(branches) = &mut part.matter {
        branches
            .iter_mut()
            .filter_map(|branch| branch.first_mut())
            .for_each(|first| join(first, is_glued, is_behind_hole));
    }
}

impl Part {
    fn is_hole(&self) -> bool {
        matches!(self.matter, Matter::Any | Matter::Holding(..))
    }
}

/// Reads the branches of a choice; its `(` is read, its `)` is left.
fn branches(text: &mut Characters<'_>) -> Vec<Vec<Part>> {
    let mut branches = vec![parse(text)];
    while text.next_if_eq(&'|').is_some() {
        branches.push(parse(text));
    }
    branches
}
