//! Patterns of furniture, their table, and how a line is compared with them.
//!
//! A table line is `kind language: pattern; pattern`. In a pattern words stand for themselves; `(a|b|)` is one of
//! these, `#` a number, `*` anything, `~` names, `@` anything with a channel in it (Facebook, e-mail), `%` with a
//! newsletter, `^` with an app. A pattern is compared with a whole line. What it leaves open is guarded: in the middle a
//! few words of one clause, at the end what the kind allows there, and a subject that the line has to name. Candidates
//! are found by their first or last letters, so that an ordinary paragraph costs two look-ups.

mod keys;
mod read;

use std::cell::{Cell, OnceCell};

use self::{
    keys::{Gathered, Key, Keyed, Keys, NUMBER, Packed, end_of, is_apart, keys_of},
    read::{Characters, Matter, Part, parse},
};
use super::{
    folded::{self, Edge, Folded, is_spaced},
    guards::{self, Class},
};
use crate::normalize::characters::is_unspaced;

/// Steps that the comparison with one pattern may take: a line made to be slow is not furniture.
const FUEL: u32 = 4_000;

/// Letters of a preposition (`von`, `di`): alone it begins both a writer's line and a sentence.
const MAX_PREPOSITION: usize = 4;
/// Letters of a label to which a name may be joined in scripts without spaces.
const MIN_LABEL: usize = 3;
/// Words that an open place in the middle may hold; of scripts without spaces twice as many letters.
const MAX_MIDDLE: usize = 7;

/// What a line of a kind has to name where a pattern with open places fits it: of each list one.
const SUBJECTS: [(&str, &[&[Class]]); 6] = [
    ("cookie", &[&[Class::Cookie], &[Class::Consent]]),
    ("copyright", &[&[Class::Reprint]]),
    ("ad", &[&[Class::Advert]]),
    ("newsletter", &[&[Class::Letter, Class::Subscription, Class::News]]),
    ("app", &[&[Class::App]]),
    ("javascript", &[&[Class::Browser], &[Class::Enable]]),
];

/// Kinds that name another article, a person or a channel: a headline or names may stand in their open end.
const TITLED: [&str; 7] =
    ["read_more", "related", "share", "follow", "comments", "photo", "reporters"];

/// What may be said behind a comma in the open places of a kind: a notice goes on there, as `said the baker` does not.
const GOES_ON: [(&str, &[Class]); 5] = [
    ("cookie", &[Class::Consent, Class::Cookie]),
    ("copyright", &[Class::Reprint]),
    ("newsletter", &[Class::Letter, Class::News]),
    ("app", &[Class::News]),
    ("javascript", &[Class::Consent, Class::Enable]),
];

/// Clauses that a notice may have.
const MAX_CLAUSES: usize = 8;

/// All patterns, findable by how they begin or end.
#[derive(Debug, Default)]
pub(super) struct Table {
    patterns: Vec<Pattern>,
    by_start: Keyed,
    by_end: Keyed,
    /// Patterns open at both ends; only scripts without spaces have them.
    open: Vec<u32>,
}

/// One pattern.
#[derive(Debug)]
struct Pattern {
    kind: &'static str,
    parts: Vec<Part>,
    /// Its ends ([`Key::end`]) without one of which no line matches, sorted; empty where it may end with anything.
    ends: Box<[Packed]>,
    /// A class of words without which no line matches.
    needs: Option<Class>,
    /// Lists of classes: without a word of one of each no line matches.
    subject: &'static [&'static [Class]],
}

impl Table {
    /// Reads table files.
    pub(super) fn read(files: &[&'static str]) -> Self {
        let mut table = Self::default();
        let (mut starts, mut ends) = (Gathered::default(), Gathered::default());
        let lines = files.iter().flat_map(|file| file.lines());
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let Some((head, patterns)) = line.split_once(": ") else { continue };
            let kind = head.split(' ').next().unwrap_or_default();
            for pattern in patterns.split(';').map(str::trim).filter(|text| !text.is_empty()) {
                table.add(kind, &mut pattern.chars().peekable(), &mut starts, &mut ends);
            }
        }
        (table.by_start, table.by_end) = (starts.into(), ends.into());
        table.patterns.shrink_to_fit();
        table
    }

    fn add(
        &mut self,
        kind: &'static str,
        text: &mut Characters<'_>,
        by_start: &mut Gathered,
        by_end: &mut Gathered,
    ) {
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
        for key in starts.iter().filter(|key| !key.is_empty()) {
            by_start.add(key, true, index);
        }
        if !is_anchored && is_closed {
            for key in &ends {
                by_end.add(key, false, index);
            }
        }
        let needs = parts.iter().find_map(|part| match part.matter {
            Matter::Holding(class, _) => Some(class),
            _ => None,
        });
        let mut ends: Vec<Packed> = ends.iter().filter(|_| is_closed).map(Key::end).collect();
        ends.sort_unstable();
        ends.dedup();
        let ends = ends.into_boxed_slice();
        let subject = if has_hole(&parts) { classes_of(kind, &SUBJECTS) } else { &[] };
        self.patterns.push(Pattern { kind, parts, ends, needs, subject });
    }

    /// The kind of the first pattern that a whole text matches.
    pub(super) fn kind_of(&self, source: &str) -> Option<&'static str> {
        self.kind_within(source, source)
    }

    /// The kind of a sentence of a line, which may have named its subject before.
    pub(super) fn kind_within(&self, source: &str, line: &str) -> Option<&'static str> {
        let edges = (Edge::first(source), Edge::last(source));
        let (start, end) = (Keys::of(&edges.0), Keys::of(&edges.1));
        let mut candidates = Vec::new();
        self.by_start.find(&start, &mut candidates);
        self.by_end.find(&end, &mut candidates);
        if edges.0.letters().first().is_some_and(|letter| letter.is_numeric()) {
            candidates.extend_from_slice(self.by_start.open_at(NUMBER));
        }
        let mut letters = edges.0.letters().iter().chain(edges.1.letters());
        if source.len() < 240 && letters.any(|letter| *letter >= '\u{e00}') {
            candidates.extend_from_slice(&self.open);
        }
        candidates.retain(|index| self.patterns[*index as usize].may_end(&end));
        if candidates.is_empty() {
            return None;
        }
        candidates.sort_unstable();
        candidates.dedup();
        self.first_match(source, line, candidates.into_iter())
    }

    /// The kind of the first of some patterns that matches.
    fn first_match(
        &self,
        source: &str,
        line: &str,
        candidates: impl Iterator<Item = u32>,
    ) -> Option<&'static str> {
        let folded = Folded::of(source);
        let whole = (line.len() > source.len()).then(|| folded::fold(line));
        let whole = whole.as_deref().unwrap_or(&folded.text);
        let text = Text { source, folded: &folded, breaks: OnceCell::new(), fuel: Cell::new(FUEL) };
        let mut named = [None; guards::CLASSES_COUNT];
        let mut is_named = |class: Class| {
            *named[class as usize].get_or_insert_with(|| guards::holds(whole, line, class))
        };
        let mut held = [None; guards::CLASSES_COUNT];
        candidates
            .map(|index| &self.patterns[index as usize])
            .filter(|pattern| {
                pattern.needs.is_none_or(|class| text.holds(class, &mut held))
                    && pattern.subject.iter().all(|list| list.iter().any(|class| is_named(*class)))
            })
            .find(|pattern| {
                text.fuel.set(FUEL);
                text.matches(&pattern.parts, None, 0, pattern.kind)
            })
            .map(|pattern| pattern.kind)
    }
}

impl Pattern {
    /// Whether a line with these keys at its end may match.
    fn may_end(&self, end: &Keys) -> bool {
        let has = |key, is_whole| self.ends.binary_search(&end_of(key, is_whole)).is_ok();
        self.ends.is_empty()
            || end.iter().any(|(key, is_whole)| has(key, false) || is_whole && has(key, true))
    }
}

/// Whether a pattern has a place that holds whatever stands there.
fn has_hole(parts: &[Part]) -> bool {
    parts.iter().any(|part| match &part.matter {
        Matter::Choice(branches) => branches.iter().any(|branch| has_hole(branch)),
        Matter::Any => true,
        _ => false,
    })
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
    /// Where clauses begin; read with the first open place.
    breaks: OnceCell<Vec<usize>>,
    fuel: Cell<u32>,
}

impl Text<'_> {
    /// Whether the whole line holds a word of a class; looked up once.
    fn holds(&self, class: Class, held: &mut [Option<bool>; guards::CLASSES_COUNT]) -> bool {
        *held[class as usize]
            .get_or_insert_with(|| guards::holds(&self.folded.text, self.source, class))
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
            Matter::Words(words) => {
                self.behind(words, part, at).is_some_and(|at| self.matches(parts, rest, at, kind))
            }
            Matter::Choice(branches) => {
                let rest = Rest { parts, next: rest };
                branches.iter().any(|branch| self.matches(branch, Some(&rest), at, kind))
            }
            Matter::Number => {
                self.behind_number(at).is_some_and(|at| self.matches(parts, rest, at, kind))
            }
            hole => {
                (part.is_glued || self.is_boundary(at))
                    && self.ends(hole, at, kind).any(|end| {
                        self.matches(parts, rest, end, kind) && self.may_hold(hole, at, end, kind)
                    })
            }
        }
    }

    /// Behind `words`, if they stand at `at`.
    fn behind(&self, words: &str, part: &Part, at: usize) -> Option<usize> {
        let text = &self.folded.text;
        let skipped = at + usize::from(text[at..].starts_with(' '));
        let may_begin = || match (part.is_behind_hole, part.is_glued) {
            (true, true) => self.is_word_start(skipped),
            (_, is_glued) => is_glued || self.is_boundary(skipped),
        };
        (text[skipped..].starts_with(words) && may_begin()).then(|| skipped + words.len())
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

    /// Whether a word may begin at `at`, if only behind short ones written together with it, or an ending.
    fn is_word_start(&self, at: usize) -> bool {
        let text = &self.folded.text;
        self.is_boundary(at)
            || text[at..].starts_with(|c| matches!(c, '\u{ac00}'..='\u{d7a3}'))
            || text[at..].starts_with(guards::takes_prefixes)
                && text[..at].char_indices().rev().take(2).any(|(at, _)| self.is_boundary(at))
    }

    /// Where a hole that begins at `at` may end: within its clause, not far from here, or with the line.
    fn ends(&self, hole: &Matter, at: usize, kind: &str) -> impl Iterator<Item = usize> {
        let text = &self.folded.text;
        let reach = match hole {
            // Names are told by their letters, a headline by what follows it.
            Matter::Names => text.len(),
            _ if kind == "post_appeared" => text.len(),
            Matter::Holding(..) => text.len(),
            _ => self.clause_end(at, kind),
        };
        let mut left = match kind {
            "post_appeared" => usize::MAX,
            "cookie" => MAX_MIDDLE * 4,
            _ if matches!(hole, Matter::Holding(..)) => MAX_MIDDLE * 4,
            _ => MAX_MIDDLE * 2,
        };
        let letters = text[at..].char_indices().map(move |(ahead, letter)| (at + ahead, letter));
        let near =
            letters.take_while(move |(end, _)| *end <= reach).map_while(move |(end, letter)| {
                let cost = if letter == ' ' { 2 } else { usize::from(!is_spaced(letter)) };
                left = left.checked_sub(cost)?;
                Some(end)
            });
        // What ends a hole ends a word: the space behind it is not looked at again.
        near.filter(|end| !text[..*end].ends_with(' ')).chain([text.len()])
    }

    /// Where the clause that goes on at `at` ends.
    fn clause_end(&self, at: usize, kind: &str) -> usize {
        let text = &self.folded.text;
        let breaks = self.breaks.get_or_init(|| self.folded.breaks(self.source));
        let first = breaks.partition_point(|place| *place < at);
        let classes = classes_of(kind, &GOES_ON);
        (first..breaks.len())
            .find(|index| {
                if index - first >= MAX_CLAUSES {
                    return true;
                }
                let end = breaks.get(index + 1).map_or(text.len(), |next| *next);
                let clause = &text[breaks[*index]..end];
                !classes.iter().any(|class| guards::holds(clause, "", *class))
            })
            .map_or(text.len(), |index| breaks[index])
    }

    /// Whether what stands in a hole may stand there.
    fn may_hold(&self, hole: &Matter, at: usize, end: usize, kind: &str) -> bool {
        let text = &self.folded.text;
        let within = || self.source_within(at, end);
        // Without a colon between label and name, as in a sentence that begins with the word.
        let is_bare = || !text[..at].trim_end().ends_with(':');
        match hole {
            Matter::Holding(class, is_wide) => self.is_about(at, end, *class, *is_wide),
            Matter::Names => {
                let is_sentence = || {
                    guards::is_uncased_sentence(within())
                        || at <= MAX_PREPOSITION && within().ends_with('.')
                };
                guards::is_names(within()) && !(is_bare() && (is_sentence() || self.goes_on(at)))
            }
            _ if matches!(kind, "click_here" | "read_more") && guards::reports(within()) => false,
            // What was published long ago is news again, with its year.
            _ if end < text.len() => kind != "first_published" || guards::is_place(within()),
            _ if at == end || guards::is_address(within()) => true,
            _ if kind == "post_appeared" => guards::is_site(within()),
            _ if kind == "first_published" => {
                let is_site = !text[..at].ends_with(char::is_numeric) && guards::is_site(within());
                is_site || guards::is_date(&text[..at], within())
            }
            // Keywords, in capitals or not.
            _ if kind == "player" && !is_bare() => guards::is_list(within()),
            // What is asked behind `Reporter:` is an interview.
            _ if kind == "reporters" && guards::is_question(within()) => false,
            _ if TITLED.contains(&kind) && !is_bare() => guards::is_title(within(), true),
            _ if TITLED.contains(&kind) => {
                (guards::is_title(within(), false) || guards::is_names(within()))
                    && !guards::is_uncased_sentence(within())
            }
            _ => {
                self.clause_end(at, kind) == text.len()
                    && !(kind == "click_here" && self.warns(at))
                    && guards::is_short_clause(within(), matches!(kind, "cookie" | "copyright"))
            }
        }
    }

    /// Whether the word before `at`, of a script without spaces and short, may merely begin a longer one: `文部科学省`.
    fn goes_on(&self, at: usize) -> bool {
        let before = &self.source[..self.folded.source_of(at, self.source)];
        before.ends_with(|c: char| is_unspaced(c) && c.is_alphanumeric())
            && self.folded.text[..at].chars().count() < MIN_LABEL
    }

    /// Whether `and` goes on at `at` with what is no call: `click here and lose your money`.
    fn warns(&self, at: usize) -> bool {
        let rest = &self.folded.text[at..];
        let first = rest.split(' ').find(|word| !word.is_empty());
        first.is_some_and(|word| guards::is(word, Class::Conjunction))
            && !guards::holds(rest, "", Class::Channel)
    }

    /// Whether every clause of a hole, one or a list of them, is about one thing.
    fn is_about(&self, at: usize, end: usize, class: Class, is_wide: bool) -> bool {
        let at = at + usize::from(self.folded.text[at..end].starts_with(':'));
        let breaks = self.breaks.get_or_init(|| self.folded.breaks(self.source));
        let first = breaks.partition_point(|place| *place < at);
        let inner = breaks[first..].iter().copied().take_while(|place| *place < end);
        let mut from = at;
        let room = match (class, is_wide) {
            _ if breaks.get(first).is_some_and(|place| *place < end) => guards::IN_LIST,
            (Class::Channel, false) => guards::AT_ONCE,
            _ => guards::SOMEWHERE,
        };
        inner.chain([end]).all(|to| {
            let clause = &self.folded.text[from..to];
            let places = guards::places(clause, self.source_within(from, to), class)
                .or_else(|| (from > at).then(|| guards::places(clause, "", Class::Letter))?);
            let is_about = places.is_some_and(|(first, last)| {
                let small = |from, to| guards::small_words(self.source_within(from, to));
                small(from, from + first) <= room.0 && small(from + last, to) <= room.1
            });
            from = to;
            is_about
        })
    }

    /// What stands in the line between two places of the folded text.
    fn source_within(&self, from: usize, to: usize) -> &str {
        let from = self.folded.source_of(from, self.source);
        &self.source[from..self.folded.source_of(to, self.source).max(from)]
    }
}

/// The classes that a list has for a kind.
fn classes_of<T>(kind: &str, list: &[(&str, &'static [T])]) -> &'static [T] {
    list.iter().find(|(name, _)| *name == kind).map_or(&[], |(_, classes)| classes)
}

#[cfg(test)]
mod tests {
    use super::*;

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
                Matter::Holding(Class::Channel, _) => line.push_str("Facebook"),
                Matter::Holding(Class::Letter, _) => line.push_str("newsletter"),
                Matter::Holding(..) => line.push_str("app"),
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
        let every: Vec<u32> = (0..table.patterns.len() as u32).collect();
        let all: Vec<u32> = every.iter().copied().filter(is_found).collect();
        let mut matched = 0;
        for (seed, pattern) in table.patterns.iter().enumerate().step_by(5) {
            let mut line = String::new();
            write(&pattern.parts, seed, &mut line);
            if line.chars().any(is_unspaced) {
                line.retain(|c| c != ' ');
            }
            // By their letters at one end, as the others.
            let (first, last) =
                (Edge::<{ keys::KEY }>::first(&line), Edge::<{ keys::KEY }>::last(&line));
            let mut letters = first.letters().iter().chain(last.letters());
            let is_unspaced = letters.any(|letter| is_unspaced(*letter));
            let candidates = if is_unspaced { &every } else { &all };
            let wanted = table.first_match(&line, &line, candidates.iter().copied());
            matched += usize::from(wanted.is_some());
            if wanted.is_some() {
                assert_eq!(table.kind_of(&line), wanted, "{line}");
            }
        }
        assert!(matched * 5 > table.patterns.len() / 2, "{matched}");
    }
}
