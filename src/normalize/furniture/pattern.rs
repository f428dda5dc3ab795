//! Patterns of furniture, their table, and how a line is compared with them.
//!
//! A table line is `kind language: pattern; pattern`. In a pattern words stand for themselves; `(a|b|)` is one of
//! these, `#` a number, `*` anything, `~` names, `@` anything with a channel in it (Facebook, e-mail), `%` with a
//! newsletter, `^` with an app. A pattern is compared with a whole line. What it leaves open has guards of its own:
//! see `guards`. Candidates are found by their first or last letters, so that an ordinary
//! paragraph costs two look-ups.

use std::{cell::Cell, collections::HashMap};

use super::{
    folded::{self, Folded, is_spaced},
    guards::{self, Class},
};

/// Letters by which a pattern is looked up.
const KEY: usize = 6;
/// Beginnings that a pattern is looked up by; one with more is looked up by shorter ones.
const MAX_KEYS: usize = 600;
/// Steps that the comparison with one pattern may take: a line made to be slow is not furniture.
const FUEL: u32 = 4_000;

/// Kinds whose patterns begin like sentences of an article: what follows has to be a headline, names, hardly a word.
const GUARDED: [&str; 9] = [
    "post_appeared",
    "read_more",
    "related",
    "share",
    "follow",
    "comments",
    "photo",
    "reporters",
    "click_here",
];

/// All patterns, findable by how they begin or end.
#[derive(Debug, Default)]
pub(super) struct Table {
    patterns: Vec<Pattern>,
    by_start: HashMap<String, Vec<u32>>,
    by_end: HashMap<String, Vec<u32>>,
    /// Patterns open at both ends; only scripts without spaces have them.
    open: Vec<u32>,
}

/// One pattern.
#[derive(Debug)]
struct Pattern {
    kind: &'static str,
    parts: Vec<Part>,
    /// Last letters without one of which no line matches, sorted; empty where it may end with anything.
    ends: Vec<String>,
    /// A class of words without which no line matches.
    needs: Option<Class>,
}

/// A piece of a pattern.
#[derive(Debug)]
struct Part {
    matter: Matter,
    /// No space stands before it in the pattern: it may go on inside a word.
    is_glued: bool,
}

#[derive(Debug)]
enum Matter {
    Words(String),
    Choice(Vec<Vec<Part>>),
    Number,
    Any,
    Names,
    Holding(Class),
}

impl Table {
    /// Reads table files.
    pub(super) fn read(files: &[&'static str]) -> Self {
        let mut table = Self::default();
        let lines = files.iter().flat_map(|file| file.lines());
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let Some((head, patterns)) = line.split_once(": ") else { continue };
            let kind = head.split(' ').next().unwrap_or_default();
            for pattern in patterns.split(';').map(str::trim).filter(|text| !text.is_empty()) {
                table.add(kind, &mut pattern.chars().peekable());
            }
        }
        table
    }

    fn add(&mut self, kind: &'static str, text: &mut Characters<'_>) {
        let parts = parse(text);
        let index = self.patterns.len() as u32;
        let (starts, ends) = (keys_of(&parts, true), keys_of(&parts, false));
        // A pattern that may begin with anything is looked up by its end; one that may end so too, by what else it
        // may begin with.
        let is_anchored = !starts.iter().any(String::is_empty);
        let is_closed = !ends.iter().any(String::is_empty);
        if !is_anchored && !is_closed && starts.iter().all(String::is_empty) {
            self.open.push(index);
        }
        for key in starts.into_iter().filter(|key| !key.is_empty()) {
            push_once(self.by_start.entry(key).or_default(), index);
        }
        if !is_anchored && is_closed {
            for key in &ends {
                push_once(self.by_end.entry(key.clone()).or_default(), index);
            }
        }
        let needs = parts.iter().find_map(|part| match part.matter {
            Matter::Holding(class) => Some(class),
            _ => None,
        });
        let ends = if is_closed { ends } else { Vec::new() };
        self.patterns.push(Pattern { kind, parts, ends, needs });
    }

    /// The kind of the first pattern that a whole text matches.
    pub(super) fn kind_of(&self, source: &str) -> Option<&'static str> {
        let (start, end) = (folded::beginning(source, KEY), folded::ending(source, KEY));
        let starts = prefixes(&start).filter_map(|key| self.by_start.get(key));
        let number = start.starts_with(char::is_numeric).then(|| self.by_start.get("#")).flatten();
        let ends = suffixes(&end).filter_map(|key| self.by_end.get(key));
        let is_dense = start.chars().chain(end.chars()).any(|c| c >= '\u{e00}');
        let open = (is_dense && source.len() < 240).then_some(&self.open);
        let mut candidates = starts.chain(number).chain(ends).chain(open).flatten().peekable();
        candidates.peek()?;
        let folded = Folded::of(source);
        let line = Text { source, folded: &folded, fuel: Cell::new(FUEL) };
        let mut held = [None; 3];
        candidates
            .map(|index| &self.patterns[*index as usize])
            .filter(|pattern| pattern.may_end(&end))
            .filter(|pattern| pattern.needs.is_none_or(|class| line.holds(class, &mut held)))
            .find(|pattern| {
                line.fuel.set(FUEL);
                line.matches(&pattern.parts, None, 0, pattern.kind)
            })
            .map(|pattern| pattern.kind)
    }
}

impl Pattern {
    /// Whether a line whose last letters are these may match.
    fn may_end(&self, letters: &str) -> bool {
        self.ends.is_empty()
            || suffixes(letters)
                .any(|end| self.ends.binary_search_by(|key| key.as_str().cmp(end)).is_ok())
    }
}

fn push_once(list: &mut Vec<u32>, index: u32) {
    if list.last() != Some(&index) {
        list.push(index);
    }
}

/// The text's beginnings of one letter and more.
fn prefixes(text: &str) -> impl Iterator<Item = &str> {
    text.char_indices().map(|(at, c)| &text[..at + c.len_utf8()])
}

fn suffixes(text: &str) -> impl Iterator<Item = &str> {
    text.char_indices().map(|(at, _)| &text[at..])
}

/// The letters that a text may begin (or end) with that a pattern matches, at most [`KEY`] of each; an empty key
/// means anything.
fn keys_of(parts: &[Part], from_start: bool) -> Vec<String> {
    (1..=KEY)
        .rev()
        .map(|length| {
            let mut keys = Vec::new();
            gather(&[parts], String::new(), false, &Search { length, from_start }, &mut keys);
            keys.sort_unstable();
            keys.dedup();
            keys
        })
        .find(|keys| keys.len() < MAX_KEYS)
        .unwrap_or_else(|| vec![String::new()])
}

/// How far, and from which end, a pattern is read for its keys.
struct Search {
    length: usize,
    from_start: bool,
}

/// Reads on in the first of several runs of pieces that follow each other; `is_glued` says how the last piece read
/// joins the next one, where a pattern is read from its end.
fn gather(runs: &[&[Part]], key: String, is_glued: bool, search: &Search, keys: &mut Vec<String>) {
    if keys.len() >= MAX_KEYS {
        return;
    }
    if key.chars().count() >= search.length {
        keys.push(search.cut(key));
        return;
    }
    let Some((run, below)) = runs.split_first() else {
        keys.push(key);
        return;
    };
    let split = if search.from_start { run.split_first() } else { run.split_last() };
    let Some((part, others)) = split else {
        gather(below, key, is_glued, search, keys);
        return;
    };
    // What may be with a space or without is looked up by what comes before it.
    let joins_loosely = !key.is_empty() && if search.from_start { part.is_glued } else { is_glued };
    match &part.matter {
        _ if joins_loosely && !matches!(part.matter, Matter::Choice(_)) => keys.push(key),
        Matter::Words(words) => {
            let mut rest = vec![others];
            rest.extend_from_slice(below);
            gather(&rest, search.join(&key, words), part.is_glued, search, keys);
        }
        Matter::Choice(branches) => {
            for branch in branches {
                let mut rest: Vec<&[Part]> = vec![branch, others];
                rest.extend_from_slice(below);
                gather(&rest, key.clone(), is_glued, search, keys);
            }
        }
        Matter::Number if key.is_empty() && search.from_start => keys.push("#".to_owned()),
        _ => keys.push(key),
    }
}

impl Search {
    fn join(&self, key: &str, words: &str) -> String {
        let (first, second) = if self.from_start { (key, words) } else { (words, key) };
        let ends = [first.chars().next_back(), second.chars().next()];
        let is_spaced = ends.iter().all(|letter| letter.is_some_and(is_spaced));
        format!("{first}{}{second}", if is_spaced { " " } else { "" })
    }

    fn cut(&self, key: String) -> String {
        if self.from_start {
            key.chars().take(self.length).collect()
        } else {
            let letters: Vec<char> = key.chars().collect();
            letters[letters.len() - self.length..].iter().collect()
        }
    }
}

type Characters<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// Reads a pattern up to its end or to the `|` or `)` that ends a branch.
fn parse(text: &mut Characters<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut words = String::new();
    // Whether the piece at hand began right behind the last one.
    let mut is_glued = true;
    let flush = |words: &mut String, parts: &mut Vec<Part>, glued: bool| {
        let folded = Folded::of(words).text;
        if !folded.is_empty() {
            let is_glued = glued && !words.starts_with(' ');
            parts.push(Part { matter: Matter::Words(folded), is_glued });
        }
        let ends_in_space = words.ends_with(' ');
        words.clear();
        !ends_in_space
    };
    while let Some(&character) = text.peek() {
        let matter = match character {
            '|' | ')' => break,
            '(' => {
                text.next();
                Matter::Choice(branches(text))
            }
            '#' => Matter::Number,
            '*' => Matter::Any,
            '~' => Matter::Names,
            '@' => Matter::Holding(Class::Channel),
            '%' => Matter::Holding(Class::Letter),
            '^' => Matter::Holding(Class::App),
            other => {
                words.push(other);
                text.next();
                continue;
            }
        };
        text.next();
        let had_words = !words.is_empty();
        let glued = flush(&mut words, &mut parts, is_glued);
        let is_behind = if had_words { glued } else { is_glued };
        let is_run = matches!(matter, Matter::Holding(_) | Matter::Any);
        if is_behind && is_run && matches!(parts.last(), Some(Part { matter: Matter::Any, .. })) {
            parts.pop();
        }
        let mut part = Part { matter, is_glued: is_behind };
        glue(&mut part, is_behind);
        parts.push(part);
        is_glued = true;
    }
    flush(&mut words, &mut parts, is_glued);
    parts
}

/// The first piece of a branch stands where its choice stands.
fn glue(part: &mut Part, is_glued: bool) {
    part.is_glued &= is_glued;
    if let Matter::Choice(branches) = &mut part.matter {
        branches
            .iter_mut()
            .filter_map(|branch| branch.first_mut())
            .for_each(|first| glue(first, is_glued));
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

/// What is left of the patterns around a choice.
struct Rest<'a> {
    parts: &'a [Part],
    next: Option<&'a Rest<'a>>,
}

/// A line while it is compared.
struct Text<'a> {
    source: &'a str,
    folded: &'a Folded,
    fuel: Cell<u32>,
}

impl Text<'_> {
    /// Whether the whole line holds a word of a class; looked up once.
    fn holds(&self, class: Class, held: &mut [Option<bool>; 3]) -> bool {
        let index = match class {
            Class::Channel => 0,
            Class::Letter => 1,
            _ => 2,
        };
        *held[index].get_or_insert_with(|| guards::holds(&self.folded.text, self.source, class))
    }

    fn matches(&self, parts: &[Part], rest: Option<&Rest<'_>>, at: usize, kind: &str) -> bool {
        let Some((part, parts)) = parts.split_first() else {
            return match rest {
                Some(rest) => self.matches(rest.parts, rest.next, at, kind),
                None => at == self.folded.text.len(),
            };
        };
        self.part(part, parts, rest, at, kind)
    }

    fn part(
        &self,
        part: &Part,
        parts: &[Part],
        rest: Option<&Rest<'_>>,
        at: usize,
        kind: &str,
    ) -> bool {
        let fuel = self.fuel.get();
        if fuel == 0 {
            return false;
        }
        self.fuel.set(fuel - 1);
        match &part.matter {
            Matter::Words(words) => self
                .behind(words, part.is_glued, at)
                .is_some_and(|at| self.matches(parts, rest, at, kind)),
            Matter::Choice(branches) => {
                let rest = Rest { parts, next: rest };
                branches.iter().any(|branch| self.matches(branch, Some(&rest), at, kind))
            }
            Matter::Number => {
                self.behind_number(at).is_some_and(|at| self.matches(parts, rest, at, kind))
            }
            hole => {
                (part.is_glued || self.is_boundary(at))
                    && self.ends(at).any(|end| {
                        self.matches(parts, rest, end, kind) && self.may_hold(hole, at, end, kind)
                    })
            }
        }
    }

    /// Behind `words`, if they stand at `at`.
    fn behind(&self, words: &str, is_glued: bool, at: usize) -> Option<usize> {
        let text = &self.folded.text;
        let skipped = at + usize::from(text[at..].starts_with(' '));
        let stands = text[skipped..].starts_with(words);
        (stands && (is_glued || self.is_boundary(skipped))).then(|| skipped + words.len())
    }

    fn behind_number(&self, at: usize) -> Option<usize> {
        let rest = &self.folded.text[at..];
        let length = rest.find(|c: char| !c.is_numeric() && c != ' ').unwrap_or(rest.len());
        let number = rest[..length].trim_end();
        number.contains(char::is_numeric).then(|| at + number.len())
    }

    /// Whether no word goes on at `at`.
    fn is_boundary(&self, at: usize) -> bool {
        let text = &self.folded.text;
        let before = text[..at].chars().next_back();
        let after = text[at..].chars().next();
        [before, after].iter().any(|c| c.is_none_or(|c| c == ' ' || !is_spaced(c)))
    }

    /// Where a hole that begins at `at` may end.
    fn ends(&self, at: usize) -> impl Iterator<Item = usize> {
        let text = &self.folded.text;
        (at..=text.len()).filter(move |end| text.is_char_boundary(*end))
    }

    /// Whether what stands in a hole may stand there.
    fn may_hold(&self, hole: &Matter, at: usize, end: usize, kind: &str) -> bool {
        let text = &self.folded.text;
        let within = || {
            let from = self.folded.source_of(at, self.source);
            &self.source[from..self.folded.source_of(end, self.source).max(from)]
        };
        match hole {
            Matter::Holding(class) => guards::holds(&text[at..end], within(), *class),
            Matter::Names => guards::is_names(within()),
            _ if end < text.len() => true,
            _ if !GUARDED.contains(&kind) => !guards::is_dense_sentence(within()),
            _ if kind == "click_here" => guards::is_plain(within()),
            _ if kind == "post_appeared" => at == end || guards::is_site(within()),
            _ if text[..at].ends_with(':') => guards::is_title(within(), true),
            _ => guards::is_title(within(), false) || guards::is_names(within()),
        }
    }
}
