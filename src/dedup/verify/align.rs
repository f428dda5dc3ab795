//! Lays two token sequences beside each other.
//!
//! Runs of [`RUN`] tokens and more that both texts have are found by hash and extended as far as they go, in the
//! order of the shorter text; a run that goes on where the last one stopped is preferred, then the next one
//! further on, then any other.

use std::ops::Range;

use super::Token;
use crate::dedup::signature::run_hash;

/// Shortest run of equal tokens that counts as copied: two words meet by chance, three hardly.
pub const RUN: usize = 3;
/// Tokens at the head of a body that are its opening: a sentence.
pub const OPENING: usize = 20;
/// Longest stretch on either side of which one may stand in the place of the other.
const MAX_GAP: usize = 12;

/// A run that both texts have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Where it starts in the shorter text.
    pub short: u32,
    /// Where it starts in the longer text.
    pub long: u32,
    /// How many tokens it has.
    pub length: u32,
}

impl Block {
    /// Its tokens in the shorter text.
    pub fn short_range(&self) -> Range<usize> {
        self.short as usize..(self.short + self.length) as usize
    }

    /// Its tokens in the longer text.
    pub fn long_range(&self) -> Range<usize> {
        self.long as usize..(self.long + self.length) as usize
    }
}

/// A place where one text has something else than the other.
#[derive(Clone, Debug)]
pub struct Gap {
    /// In the shorter text.
    pub short: Range<usize>,
    /// In the longer text.
    pub long: Range<usize>,
}

/// Two texts laid beside each other.
#[derive(Clone, Debug, Default)]
pub struct Alignment {
    /// In the order of the shorter text.
    pub blocks: Vec<Block>,
    /// Tokens of the shorter text in blocks.
    pub short_covered: u32,
    /// Tokens of the longer text in blocks, each counted once.
    pub long_covered: u32,
    long_opening: u32,
}

impl Alignment {
    /// Aligns two texts.
    pub fn of(short: &[Token], long: &[Token]) -> Self {
        let blocks = blocks(short, long);
        let mut is_covered = vec![false; long.len()];
        for block in &blocks {
            is_covered[block.long_range()].fill(true);
        }
        let count = |part: &[bool]| part.iter().filter(|covered| **covered).count() as u32;
        Self {
            short_covered: blocks.iter().map(|block| block.length).sum(),
            long_covered: count(&is_covered),
            long_opening: count(&is_covered[..OPENING.min(long.len())]),
            blocks,
        }
    }

    /// Share of each text's opening that stands in the other text.
    pub fn openings(&self, short: &[Token], long: &[Token]) -> [f64; 2] {
        let within = |block: &Block| {
            block.short_range().end.min(OPENING).saturating_sub(block.short as usize)
        };
        let short_opening: usize = self.blocks.iter().map(within).sum();
        let share = |part: f64, text: &[Token]| part / OPENING.min(text.len()).max(1) as f64;
        [share(short_opening as f64, short), share(f64::from(self.long_opening), long)]
    }

    /// What stands between two blocks that follow each other in both texts, and before the first and behind the last:
    /// where both texts have something there and neither has much, or one of them has a word or two more.
    pub fn gaps(&self, short: usize, long: usize) -> impl Iterator<Item = Gap> + '_ {
        let end = Block { short: short as u32, long: long as u32, length: 0 };
        let before = std::iter::once(Block::default()).chain(self.blocks.iter().copied());
        let after = self.blocks.iter().copied().chain([end]);
        before.zip(after).filter_map(|(before, after)| {
            let short = before.short_range().end..after.short as usize;
            let long = before.long_range().end..after.long as usize;
            // A run that stands elsewhere in the longer text leaves no place between it and the last one.
            let follows = short.start <= short.end && long.start <= long.end;
            let (fewer, more) = (short.len().min(long.len()), short.len().max(long.len()));
            let is_place = if fewer == 0 { (1..RUN).contains(&more) } else { more <= MAX_GAP };
            (follows && is_place).then_some(Gap { short, long })
        })
    }
}

fn blocks(short: &[Token], long: &[Token]) -> Vec<Block> {
    let table = RunTable::of(long);
    let mut blocks: Vec<Block> = Vec::new();
    let (mut at, mut next) = (0, 0);
    while at + RUN <= short.len() {
        let place = table.place(run_hash(&short[at..at + RUN]), next);
        let length = place.map_or(0, |start| common_prefix(&short[at..], &long[start..]));
        match place {
            Some(start) if length >= RUN => {
                blocks.push(Block { short: at as u32, long: start as u32, length: length as u32 });
                at += length;
                next = start + length;
            }
            _ => at += 1,
        }
    }
    blocks
}

fn common_prefix(one: &[Token], other: &[Token]) -> usize {
    one.iter().zip(other).take_while(|(left, right)| left.hash == right.hash).count()
}

/// Places of every run of a text, by hash: chains in an open table.
struct RunTable {
    heads: Vec<u32>,
    next: Vec<u32>,
    hashes: Vec<u32>,
}

const NONE: u32 = u32::MAX;
/// Places looked at for one hash: a text that repeats one run a thousand times costs no more than another.
const MAX_CHAIN: usize = 16;

impl RunTable {
    fn of(text: &[Token]) -> Self {
        let hashes: Vec<u32> = text.windows(RUN).map(|run| run_hash(run) as u32).collect();
        let mut heads = vec![NONE; (2 * hashes.len()).next_power_of_two()];
        let mut next = vec![NONE; hashes.len()];
        for (at, hash) in hashes.iter().enumerate().rev() {
            let slot = *hash as usize & (heads.len() - 1);
            next[at] = heads[slot];
            heads[slot] = at as u32;
        }
        Self { heads, next, hashes }
    }

    /// Where the run stands: at `wanted` or the first place after it, else the first place of all.
    fn place(&self, hash: u64, wanted: usize) -> Option<usize> {
        let hash = hash as u32;
        if self.hashes.get(wanted) == Some(&hash) {
            return Some(wanted);
        }
        let mut first = None;
        let mut at = self.heads[hash as usize & (self.heads.len() - 1)];
        for _ in 0..MAX_CHAIN {
            if at == NONE {
                break;
            }
            if self.hashes[at as usize] == hash {
                if at as usize >= wanted {
                    return Some(at as usize);
                }
                first = first.or(Some(at as usize));
            }
            at = self.next[at as usize];
        }
        first
    }
}
