//! How the patterns that may match a line are found: by the letters at one of its ends.

use rustc_hash::FxHashMap;

use super::{
    super::{folded::Edge, guards},
    read::{Matter, Part},
};

/// Letters by which a pattern is looked up.
pub(super) const KEY: usize = 6;
/// What stands for a number in a key: no folded letter.
pub(super) const NUMBER: char = '#';
/// Beginnings that a pattern is looked up by; one with more is looked up by shorter ones.
const MAX_KEYS: usize = 600;

/// Patterns by the letters at one end, read inwards. Whatever a key begins with is a key too, so that a look-up ends with
/// the first letters that nothing begins with.
#[derive(Debug, Default)]
pub(super) struct Keyed {
    places: FxHashMap<Packed, Place>,
    /// The patterns of one key after those of another.
    patterns: Vec<u32>,
}

/// The patterns of one key: where they begin, and how many they are.
#[derive(Clone, Copy, Debug)]
struct Place {
    start: u32,
    /// The word may go on behind these letters.
    open: u16,
    /// It ends there.
    whole: u16,
}

/// What [`Keyed`] is made of: keys, how each stands, and the pattern.
#[derive(Debug, Default)]
pub(super) struct Gathered(Vec<(Packed, Stand, u32)>);

/// How the letters of a key stand in their pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stand {
    Open,
    Whole,
    /// Others are longer; no pattern has these alone.
    Within,
}

/// Up to [`KEY`] letters in one number. Two that meet in one number cost a comparison and no more.
pub(super) type Packed = u64;

/// The first letter, the first two, the first three ...
fn packed(letters: impl Iterator<Item = char>) -> impl Iterator<Item = Packed> {
    letters.scan(0, |packed: &mut Packed, letter| {
        *packed = (packed.rotate_left(21) ^ Packed::from(u32::from(letter)))
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Some(*packed)
    })
}

/// Keys that a line has at one end: shorter and longer ones, and whether no word goes on behind each, as far as can be
/// seen.
pub(super) struct Keys {
    keys: [(Packed, bool); KEY],
    count: usize,
}

impl Keys {
    pub(super) fn of(edge: &Edge<KEY>) -> Self {
        let letters = edge.letters();
        let mut keys = [(0, false); KEY];
        for (at, packed) in packed(letters.iter().copied()).enumerate() {
            keys[at] = (packed, is_apart(Some(letters[at]), letters.get(at + 1).copied()));
        }
        Self { keys, count: letters.len() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Packed, bool)> {
        self.keys[..self.count].iter().copied()
    }
}

/// Letters that a pattern begins or ends with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    letters: String,
    /// No word goes on behind them, seen from the end that they stand at.
    pub(super) is_whole: bool,
}

impl Gathered {
    pub(super) fn add(&mut self, key: &Key, from_start: bool, pattern: u32) {
        let beginnings = key.packed(from_start);
        let Some((longest, within)) = beginnings.split_last() else { return };
        self.0.extend(within.iter().map(|packed| (*packed, Stand::Within, 0)));
        self.0.push((*longest, if key.is_whole { Stand::Whole } else { Stand::Open }, pattern));
    }
}

impl From<Gathered> for Keyed {
    fn from(Gathered(mut entries): Gathered) -> Self {
        entries.sort_unstable();
        entries.dedup();
        let keys = entries.chunk_by(|one, other| one.0 == other.0);
        let mut keyed = Self::default();
        keyed.places.reserve(keys.clone().count());
        for of_key in keys {
            let start = keyed.patterns.len() as u32;
            let patterns = of_key.iter().filter(|(_, stand, _)| *stand != Stand::Within);
            keyed.patterns.extend(patterns.map(|(.., pattern)| *pattern));
            let count =
                |wanted| of_key.iter().filter(|(_, stand, _)| *stand == wanted).count() as u16;
            let (open, whole) = (count(Stand::Open), count(Stand::Whole));
            keyed.places.insert(of_key[0].0, Place { start, open, whole });
        }
        keyed.patterns.shrink_to_fit();
        keyed
    }
}

impl Keyed {
    /// The patterns that begin with one letter.
    pub(super) fn open_at(&self, letter: char) -> &[u32] {
        let key = packed(std::iter::once(letter)).next();
        key.and_then(|key| self.places.get(&key)).map_or(&[], |place| self.of(*place, false))
    }

    /// Adds the patterns that one of these keys leads to.
    pub(super) fn find(&self, keys: &Keys, found: &mut Vec<u32>) {
        for (packed, is_whole) in keys.iter() {
            let Some(place) = self.places.get(&packed) else { return };
            found.extend_from_slice(self.of(*place, is_whole));
        }
    }

    /// The patterns of a place, with those whose word ends there or without.
    fn of(&self, place: Place, is_whole: bool) -> &[u32] {
        let count = usize::from(place.open) + if is_whole { usize::from(place.whole) } else { 0 };
        &self.patterns[place.start as usize..][..count]
    }
}

/// See [`Key::end`].
pub(super) fn end_of(key: Packed, is_whole: bool) -> Packed {
    key & !1 | Packed::from(is_whole)
}

/// Whether no word goes on from one letter to the next.
pub(super) fn is_apart(before: Option<char>, after: Option<char>) -> bool {
    before.zip(after).is_none_or(|(before, after)| guards::is_apart(before, after))
}

/// The letters that a text may begin (or end) with that a pattern matches, at most [`KEY`] of each; an empty key
/// means anything.
pub(super) fn keys_of(parts: &[Part], from_start: bool) -> Vec<Key> {
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

    pub(super) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// Its number, read from the end, and in the lowest bit whether the word begins there.
    pub(super) fn end(&self) -> Packed {
        end_of(self.packed(false).last().copied().unwrap_or_default(), self.is_whole)
    }

    /// The numbers of its beginnings and of itself, read inwards.
    pub(super) fn packed(&self, from_start: bool) -> Vec<Packed> {
        let mut letters: Vec<char> = self.letters.chars().collect();
        if !from_start {
            letters.reverse();
        }
        packed(letters.into_iter()).collect()
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
            keys.push(Key::of(NUMBER.to_string(), false));
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
