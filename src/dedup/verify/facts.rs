//! Facts: numbers, names, and the words of a text's own headline, which are what it is about.
//!
//! A copy may lose facts and gain some, but it does not put one in the place of another; the next report of a
//! series does hardly anything else. So what counts is the place: between two runs that both texts have, one has
//! a number or name and the other has another one.

use super::{Kind, Side, Token, align::Alignment};

/// What two texts make of each other's facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Distinct facts that both have.
    pub(super) agreed: u32,
    /// Distinct facts that stand in another one's place.
    pub(super) changed: u32,
    /// Whether a name of one headline stands in the place of a name of the other, and not alone.
    pub(super) is_other_subject: bool,
}

/// Compares the facts of two texts.
///
/// A script without capitals does not say which words are names. In a short item, where one name is what it is about,
/// every word there that has another in its place counts as one (`is_short_item`); and so does a word of the headline
/// that is put into a sentence or left out of it, for it may be `not`. Figures that stand in another order in one place
/// have changed as well (`9 to 6`), and in a short item names (who beat whom). `most` of its letters are a name's in another
/// spelling.
pub(super) fn facts(
    short: &Side<'_>,
    long: &Side<'_>,
    alignment: &Alignment,
    is_short_item: bool,
    most: f64,
) -> Facts {
    let mut numbers: [Vec<u32>; 2] = Default::default();
    let mut names: [Vec<u32>; 2] = Default::default();
    let mut told: Vec<u32> = Vec::new();
    let mut turned = 0;
    let mut subjects = Subjects { most, ..Subjects::default() };
    for gap in alignment.gaps(short.body().len(), long.body().len()) {
        let (one, other) = (&short.body()[gap.short], &long.body()[gap.long]);
        if is_same_writing(one, short, other, long) {
            continue;
        }
        // In a short item one name is all that tells it from the next: Iran is no spelling of Iraq.
        let alike = if is_short_item { 1.0 } else { most };
        let gone = [gone(one, short, other, long, alike), gone(other, long, one, short, alike)];
        if is_short_item {
            let is_told = |token: &&Token, side: &Side<'_>| side.title_has(token);
            told.extend(gone[0].iter().filter(|token| is_told(token, short)).map(hash));
            told.extend(gone[1].iter().filter(|token| is_told(token, long)).map(hash));
        }
        let no_number = |stretch: &[Token], other: &[Token]| -> Vec<u32> {
            let is_gone = |token: &&Token| is_number(token) && !holds(other, token);
            stretch.iter().filter(is_gone).map(hash).collect()
        };
        exchange(&mut numbers, no_number(one, other), no_number(other, one));
        let is_turned = |is_fact: &dyn Fn(&Token) -> bool| {
            let in_order = |stretch: &[Token], other: &[Token]| -> Vec<u32> {
                let shared = |token: &&Token| is_fact(token) && holds(other, token);
                stretch.iter().filter(shared).map(hash).collect()
            };
            in_order(one, other) != in_order(other, one)
        };
        turned += u32::from(is_turned(&is_number));
        turned += u32::from(is_short_item && is_turned(&|token| token.kind == Kind::Name));
        let named = |gone: &[Token], side: &Side<'_>| -> Vec<u32> {
            let is_fact =
                |token: &&Token| is_name(token, side) || is_short_item && may_be_name(token, side);
            gone.iter().filter(is_fact).map(hash).collect()
        };
        exchange(&mut names, named(&gone[0], short), named(&gone[1], long));
        subjects.take_in(&gone[0], short, &gone[1], long);
    }
    told.retain(|hash| !names.iter().any(|names| names.contains(hash)));
    let agreed = alignment.blocks.iter().flat_map(|block| &short.body()[block.short_range()]);
    let agreed = agreed.filter(|token| is_number(token) || is_name(token, short)).map(hash);
    let changed = [numbers, names].map(|[one, other]| distinct(one).min(distinct(other)));
    Facts {
        agreed: distinct(agreed.collect()),
        changed: changed.iter().sum::<u32>() + distinct(told) + turned,
        is_other_subject: subjects.are_others(),
    }
}

/// Words of a stretch that the other text has nowhere, not in another spelling either; numbers are not spelt.
fn gone(
    stretch: &[Token],
    side: &Side<'_>,
    opposite: &[Token],
    other: &Side<'_>,
    alike: f64,
) -> Vec<Token> {
    let is_gone = |token: &&Token| {
        !is_number(token)
            && !other.has(token)
            && !opposite.iter().any(|word| is_alike(side.word(token), other.word(word), alike))
    };
    stretch.iter().filter(is_gone).copied().collect()
}

/// Whether two stretches are one, letter for letter, but for where their words are set apart.
fn is_same_writing(one: &[Token], side: &Side<'_>, other: &[Token], other_side: &Side<'_>) -> bool {
    let letters = |stretch: &[Token], side: &Side<'_>| -> String {
        stretch
            .iter()
            .map(|token| side.word(token).to_lowercase())
            .collect::<String>()
            .replace(['\u{200c}', '\u{200d}', '\u{ad}'], "")
    };
    one.len() != other.len()
        && !one.is_empty()
        && !other.is_empty()
        && letters(one, side) == letters(other, other_side)
}

fn hash(token: &Token) -> u32 {
    token.hash
}

/// Names that stand in both headlines' and bodies' places for each other.
#[derive(Default)]
struct Subjects {
    /// Share of letters that makes a spelling.
    most: f64,
    /// Names of the headlines that stand opposite each other.
    exchanged: Vec<u32>,
    /// All words, of either text, in places where each has what the other has nowhere.
    foreign: Vec<Vec<u32>>,
}

impl Subjects {
    /// `one` and `other` are what stands in one place and is nowhere in the other text.
    fn take_in(&mut self, one: &[Token], short: &Side<'_>, other: &[Token], long: &Side<'_>) {
        if one.is_empty() || other.is_empty() {
            return;
        }
        let is_subject = |token: &Token, side: &Side<'_>| {
            side.title_has(token) && (token.kind == Kind::Name || may_be_name(token, side))
        };
        let ours: Vec<&Token> = one.iter().filter(|token| is_subject(token, short)).collect();
        let theirs: Vec<&Token> = other.iter().filter(|token| is_subject(token, long)).collect();
        let is_respelt = ours.iter().any(|one| {
            theirs.iter().any(|other| likeness(short.word(one), long.word(other)) >= self.most)
        });
        if !ours.is_empty() && !theirs.is_empty() && !is_respelt {
            self.exchanged.extend(ours.into_iter().chain(theirs).map(|token| token.hash));
        }
        self.foreign.push(one.iter().chain(other).map(hash).collect());
    }

    /// A headline's name in another one's place is a correction, unless something else has changed as well.
    fn are_others(&self) -> bool {
        let is_other = |place: &Vec<u32>| place.iter().all(|hash| !self.exchanged.contains(hash));
        !self.exchanged.is_empty() && self.foreign.iter().any(is_other)
    }
}

/// Facts of a place count only where both texts have one there.
fn exchange(all: &mut [Vec<u32>; 2], one: Vec<u32>, other: Vec<u32>) {
    if !one.is_empty() && !other.is_empty() {
        all[0].extend(one);
        all[1].extend(other);
    }
}

fn distinct(mut hashes: Vec<u32>) -> u32 {
    hashes.sort_unstable();
    hashes.dedup();
    hashes.len() as u32
}

fn is_number(token: &Token) -> bool {
    token.kind == Kind::Number
}

fn is_name(token: &Token, side: &Side<'_>) -> bool {
    token.kind == Kind::Name || token.kind != Kind::Number && side.title_has(token)
}

/// A word of a script that has no capitals, or of a text that uses none.
fn may_be_name(token: &Token, side: &Side<'_>) -> bool {
    let is_uncased = |c: char| is_georgian(c) || !c.is_lowercase() && !c.is_uppercase();
    token.kind == Kind::Piece
        || token.kind == Kind::Word
            && (side.word(token).chars().next().is_some_and(is_uncased) || !side.has_capitals())
}

/// Its letters are lower case by the standard, but no sentence and no name begins with others.
fn is_georgian(c: char) -> bool {
    ('\u{10d0}'..='\u{10ff}').contains(&c)
}

fn holds(stretch: &[Token], token: &Token) -> bool {
    stretch.iter().any(|other| other.hash == token.hash)
}

/// Letters of the longest words that are compared letter by letter: that costs the square of their number.
const LONGEST_WORD: usize = 40;

/// One name in two spellings or cases: the same first letter and most of the others (Zelensky, Selenskyj).
fn is_alike(one: &str, other: &str, least: f64) -> bool {
    let first = |word: &str| word.chars().next().map(|c| c.to_lowercase().to_string());
    first(one) == first(other) && likeness(one, other) >= least
}

/// Share of letters in place.
fn likeness(one: &str, other: &str) -> f64 {
    let is_long = |word: &str| word.chars().nth(LONGEST_WORD).is_some();
    if is_long(one) || is_long(other) {
        return f64::from(u8::from(one == other));
    }
    strsim::normalized_levenshtein(&one.to_lowercase(), &other.to_lowercase())
}
