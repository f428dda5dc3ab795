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
    by_start: Keyed,
    by_end: Keyed,
    /// Patterns open at both ends; only scripts without spaces have them.
    open: Vec<u32>,
}

/// Patterns by the letters at one end.
#[derive(Debug, Default)]
struct Keyed {
    /// The word may go on behind these letters.
    open: HashMap<String, Vec<u32>>,
    /// It ends there.
    whole: HashMap<String, Vec<u32>>,
}

/// Letters that a pattern begins or ends with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    letters: String,
    /// No word goes on behind them, seen from the end that they stand at.
    is_whole: bool,
}

impl Keyed {
    fn add(&mut self, key: Key, index: u32) {
        let keys = if key.is_whole { &mut self.whole } else { &mut self.open };
        push_once(keys.entry(key.letters).or_default(), index);
    }

    /// Patterns under any of these letters, of which it is told whether no word goes on behind them.
    fn find<'a>(&self, keys: impl Iterator<Item = (&'a str, bool)>) -> impl Iterator<Item = u32> {
        let lists = keys.flat_map(|(letters, is_whole)| {
            let whole = is_whole.then(|| self.whole.get(letters)).flatten();
            self.open.get(letters).into_iter().chain(whole)
        });
        lists.flatten().copied()
    }
}

/// One pattern.
#[derive(Debug)]
struct Pattern {
    kind: &'static str,
    parts: Vec<Part>,
    /// Last letters without one of which no line matches, sorted; empty where it may end with anything.
    ends: Vec<Key>,
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
        let is_anchored = !starts.iter().any(Key::is_empty);
        let is_closed = !ends.iter().any(Key::is_empty);
        if !is_anchored && !is_closed && starts.iter().all(Key::is_empty) {
            self.open.push(index);
        }
        for key in starts.into_iter().filter(|key| !key.is_empty()) {
            self.by_start.add(key, index);
        }
        if !is_anchored && is_closed {
            for key in &ends {
                self.by_end.add(key.clone(), index);
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
        let number = start.starts_with(char::is_numeric).then(|| self.by_start.open.get("#"));
        let is_dense = start.chars().chain(end.chars()).any(|c| c >= '\u{e00}');
        let open = (is_dense && source.len() < 240).then_some(&self.open);
        let mut candidates: Vec<u32> = self.by_start.find(prefixes(&start)).collect();
        candidates.extend(number.flatten().into_iter().chain(open).flatten());
        candidates.extend(self.by_end.find(suffixes(&end)));
        candidates.retain(|index| self.patterns[*index as usize].may_end(&end));
        if candidates.is_empty() {
            return None;
        }
        candidates.sort_unstable();
        candidates.dedup();
        self.first_match(source, candidates.into_iter())
    }

    /// The kind of the first of some patterns that matches.
    fn first_match(
        &self,
        source: &str,
        candidates: impl Iterator<Item = u32>,
    ) -> Option<&'static str> {
        let folded = Folded::of(source);
        let line = Text { source, folded: &folded, fuel: Cell::new(FUEL) };
        let mut held = [None; 3];
        candidates
            .map(|index| &self.patterns[index as usize])
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
        let has = |end: &str, is_whole: bool| {
            let wanted = (end, is_whole);
            let found = |key: &Key| (key.letters.as_str(), key.is_whole).cmp(&wanted);
            self.ends.binary_search_by(found).is_ok()
        };
        self.ends.is_empty()
            || suffixes(letters)
                .any(|(end, is_whole)| has(end, false) || is_whole && has(end, true))
    }
}

fn push_once(list: &mut Vec<u32>, index: u32) {
    if list.last() != Some(&index) {
        list.push(index);
    }
}

/// The text's beginnings of one letter and more, and whether no word goes on behind each, as far as can be seen.
fn prefixes(text: &str) -> impl Iterator<Item = (&str, bool)> {
    text.char_indices().map(|(at, c)| {
        let (letters, rest) = text.split_at(at + c.len_utf8());
        (letters, is_apart(Some(c), rest.chars().next()))
    })
}

fn suffixes(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut before = None;
    text.char_indices().map(move |(at, c)| (&text[at..], is_apart(before.replace(c), Some(c))))
}

/// Whether no word goes on from one letter to the next.
fn is_apart(before: Option<char>, after: Option<char>) -> bool {
    [before, after].iter().any(|c| c.is_none_or(|c| c == ' ' || !is_spaced(c)))
}

/// The letters that a text may begin (or end) with that a pattern matches, at most [`KEY`] of each; an empty key
/// means anything.
fn keys_of(parts: &[Part], from_start: bool) -> Vec<Key> {
    (1..=KEY)
        .rev()
        .map(|length| {
            let mut keys = Vec::new();
            gather(&[parts], String::new(), false, &Search { length, from_start }, &mut keys);
            keys
        })
        // Reading stops at so many keys: there may be others.
        .find(|keys| keys.len() < MAX_KEYS)
        .map(|mut keys| {
            keys.sort_unstable();
            keys.dedup();
            keys
        })
        .unwrap_or_else(|| vec![Key::of(String::new(), false)])
}

impl Key {
    fn of(letters: String, is_whole: bool) -> Self {
        Self { letters, is_whole }
    }

    fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }
}

/// How far, and from which end, a pattern is read for its keys.
struct Search {
    length: usize,
    from_start: bool,
}

/// Reads on in the first of several runs of pieces that follow each other; `is_glued` says how the last piece read
/// joins the next one, where a pattern is read from its end.
fn gather(runs: &[&[Part]], key: String, is_glued: bool, search: &Search, keys: &mut Vec<Key>) {
    if keys.len() >= MAX_KEYS {
        return;
    }
    if key.chars().count() >= search.length {
        keys.push(search.cut(key));
        return;
    }
    let Some((run, below)) = runs.split_first() else {
        // The whole of a short line.
        keys.push(Key::of(key, true));
        return;
    };
    let split = if search.from_start { run.split_first() } else { run.split_last() };
    let Some((part, others)) = split else {
        gather(below, key, is_glued, search, keys);
        return;
    };
    let joins_loosely = if search.from_start { part.is_glued } else { is_glued };
    match &part.matter {
        Matter::Words(words) => {
            let mut rest = vec![others];
            rest.extend_from_slice(below);
            for key in search.join(&key, words, joins_loosely) {
                gather(&rest, key, part.is_glued, search, keys);
            }
        }
        Matter::Choice(branches) => {
            for branch in branches {
                let mut rest: Vec<&[Part]> = vec![branch, others];
                rest.extend_from_slice(below);
                gather(&rest, key.clone(), is_glued, search, keys);
            }
        }
        Matter::Number if key.is_empty() && search.from_start => {
            keys.push(Key::of("#".to_owned(), false));
        }
        Matter::Number => keys.push(Key::of(key, false)),
        _ => keys.push(Key::of(key, !joins_loosely)),
    }
}

impl Search {
    /// The key with further words: behind a space, without one where none can be, either way where they join loosely.
    fn join(&self, key: &str, words: &str, is_loose: bool) -> impl Iterator<Item = String> {
        let (first, second) = if self.from_start { (key, words) } else { (words, key) };
        let is_inside = !is_apart(first.chars().next_back(), second.chars().next());
        let spaced = is_inside.then(|| [first, " ", second].concat());
        let direct = (is_loose || !is_inside).then(|| [first, second].concat());
        spaced.into_iter().chain(direct)
    }

    fn cut(&self, mut key: String) -> Key {
        let mut places = key.char_indices().map(|(at, _)| at);
        if self.from_start {
            let end = places.nth(self.length).unwrap_or(key.len());
            key.truncate(end);
        } else {
            let start = places.rev().nth(self.length - 1).unwrap_or(0);
            key.drain(..start);
        }
        Key::of(key, false)
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
        let folded = folded::fold(words);
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
        is_apart(text[..at].chars().next_back(), text[at..].chars().next())
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
        // Without a colon between label and name, as in a sentence that begins with the word.
        let is_bare = || !text[..at].trim_end().ends_with(':');
        match hole {
            Matter::Holding(class) => guards::holds(&text[at..end], within(), *class),
            Matter::Names => {
                guards::is_names(within()) && !(is_bare() && guards::is_uncased_sentence(within()))
            }
            _ if end < text.len() => true,
            _ if !GUARDED.contains(&kind) => !guards::is_dense_sentence(within()),
            _ if kind == "click_here" => guards::is_plain(within()),
            _ if kind == "post_appeared" => at == end || guards::is_site(within()),
            _ if text[..at].ends_with(':') => guards::is_title(within(), true),
            _ => {
                (guards::is_title(within(), false) || guards::is_names(within()))
                    && !guards::is_uncased_sentence(within())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalize::characters::is_unspaced;

    /// A line that a pattern was made for: of each choice one branch.
    fn write(parts: &[Part], seed: usize, line: &mut String) {
        for part in parts {
            if !part.is_glued {
                line.push(' ');
            }
            match &part.matter {
                Matter::Words(words) => line.push_str(words),
                Matter::Choice(branches) => write(&branches[seed % branches.len()], seed / 2, line),
                Matter::Number => line.push('7'),
                Matter::Any => line.push_str(["", "Ada Renshaw", "nine weeks on"][seed % 3]),
                Matter::Names => line.push_str("Ada Renshaw"),
                Matter::Holding(Class::Channel) => line.push_str("Facebook"),
                Matter::Holding(Class::Letter) => line.push_str("newsletter"),
                Matter::Holding(_) => line.push_str("app"),
            }
        }
    }

    #[test]
    fn the_patterns_looked_up_are_all_that_match() {
        let table = &*super::super::TABLE;
        // What may both begin and end with anything is looked for in scripts without spaces alone.
        let is_open =
            |parts: &[Part], from_start| keys_of(parts, from_start).iter().any(Key::is_empty);
        let is_found = |index: &u32| {
            let parts = &table.patterns[*index as usize].parts;
            !is_open(parts, true) || !is_open(parts, false)
        };
        let all: Vec<u32> = (0..table.patterns.len() as u32).filter(is_found).collect();
        let mut matched = 0;
        for (seed, pattern) in table.patterns.iter().enumerate().step_by(5) {
            let mut line = String::new();
            write(&pattern.parts, seed, &mut line);
            if line.chars().any(is_unspaced) {
                line.retain(|c| c != ' ');
            }
            let wanted = table.first_match(&line, all.iter().copied());
            matched += usize::from(wanted.is_some());
            if wanted.is_some() {
                assert_eq!(table.kind_of(&line), wanted, "{line}");
            }
        }
        assert!(matched * 5 > table.patterns.len() / 2, "{matched}");
    }
}
