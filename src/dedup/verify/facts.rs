//! Facts: numbers, names, and the words of a text's own headline, which are what it is about.
//!
//! A copy may lose facts and gain some, but it does not put one in the place of another; the next report of a
//! series does hardly anything else. So what counts is the place: between two runs that both texts have, one has
//! a number or name and the other has another one.

use super::{Kind, Side, Token, align::Alignment};

/// Distinct facts of two texts: how many both have, how many stand in another one's place.
///
/// A script without capitals does not say which words are names. In a short item, where one name is what it is about,
/// every word there that has another in its place counts as one (`is_short_item`).
pub(super) fn facts(
    short: &Side<'_>,
    long: &Side<'_>,
    alignment: &Alignment,
    is_short_item: bool,
) -> [u32; 2] {
    let mut numbers: [Vec<u32>; 2] = Default::default();
    let mut names: [Vec<u32>; 2] = Default::default();
    for gap in alignment.gaps(short.body().len(), long.body().len()) {
        let (one, other) = (&short.body()[gap.short], &long.body()[gap.long]);
        let no_number = |stretch: &[Token], other: &[Token]| -> Vec<u32> {
            stretch
                .iter()
                .filter(|token| is_number(token) && !holds(other, token))
                .map(|token| token.hash)
                .collect()
        };
        exchange(&mut numbers, no_number(one, other), no_number(other, one));
        let no_name = |stretch: &[Token],
                       side: &Side<'_>,
                       other: &[Token],
                       other_side: &Side<'_>|
         -> Vec<u32> {
            let is_gone = |token: &&Token| {
                (is_name(token, side) || is_short_item && may_be_name(token, side))
                    && !other_side.has(token)
                    && !other.iter().any(|other| is_alike(side.word(token), other_side.word(other)))
            };
            stretch.iter().filter(is_gone).map(|token| token.hash).collect()
        };
        exchange(&mut names, no_name(one, short, other, long), no_name(other, long, one, short));
    }
    let agreed = alignment.blocks.iter().flat_map(|block| &short.body()[block.short_range()]);
    let agreed =
        agreed.filter(|token| is_number(token) || is_name(token, short)).map(|token| token.hash);
    let changed = [numbers, names].map(|[one, other]| distinct(one).min(distinct(other)));
    [distinct(agreed.collect()), changed.iter().sum()]
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

/// A word of a script that has no capitals.
fn may_be_name(token: &Token, side: &Side<'_>) -> bool {
    let is_uncased = |c: char| !c.is_lowercase() && !c.is_uppercase();
    token.kind == Kind::Piece
        || token.kind == Kind::Word && side.word(token).chars().next().is_some_and(is_uncased)
}

fn holds(stretch: &[Token], token: &Token) -> bool {
    stretch.iter().any(|other| other.hash == token.hash)
}

/// Share of letters that two spellings of one name have in place.
const ALIKE: f64 = 0.6;

/// One name in two spellings or cases: the same first letter and most of the others (Zelensky, Zelenskyy).
fn is_alike(one: &str, other: &str) -> bool {
    let (one, other) = (one.to_lowercase(), other.to_lowercase());
    one.chars().next() == other.chars().next()
        && strsim::normalized_levenshtein(&one, &other) >= ALIKE
}
