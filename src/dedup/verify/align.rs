//! Lays two token sequences beside each other.
//!
//! Runs of [`RUN`] tokens and more that both texts have are found by hash and extended as far as they go, in the
//! order of the shorter text; a run that goes on where the last one stopped is preferred, then the next one
//! further on, then any other.

use std::ops::Range;

use super::{Kind, Token};
use crate::dedup::signature::run_hash;

/// Shortest run of equal tokens that counts as copied.
pub const RUN: usize = 3;
/// Tokens at the head of a body that are its opening.
pub const OPENING: usize = 20;
/// Longest stretch on either side that counts as a substitution.
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

/// Two texts laid beside each other.
#[derive(Clone, Debug, Default)]
pub struct Alignment {
    /// In the order of the shorter text.
    pub blocks: Vec<Block>,
    /// Tokens of the shorter text in blocks.
    pub short_covered: u32,
    /// Tokens of the longer text in blocks.
    pub long_covered: u32,
    short_opening: [u32; 2],
    long_opening: [u32; 2],
}

impl Alignment {
    /// Aligns two texts.
    pub fn of(short: &[Token], long: &[Token]) -> Self {
        let blocks = blocks(short, long);
        let mut covered = vec![false; long.len()];
        for block in &blocks {
            covered[block.long as usize..(block.long + block.length) as usize].fill(true);
        }
        let head = |covered: u32, length: usize| [covered, OPENING.min(length) as u32];
        let short_head = blocks
            .iter()
            .map(|block| {
                (block.short + block.length).min(OPENING as u32).saturating_sub(block.short)
            })
            .sum();
        let long_head = covered.iter().take(OPENING).filter(|covered| **covered).count() as u32;
        Self {
            short_covered: blocks.iter().map(|block| block.length).sum(),
            long_covered: covered.iter().filter(|covered| **covered).count() as u32,
            short_opening: head(short_head, short.len()),
            long_opening: head(long_head, long.len()),
            blocks,
        }
    }

    /// Share of the shorter text's opening that stands in the longer text.
    pub fn short_opening(&self) -> f64 {
        f64::from(self.short_opening[0]) / f64::from(self.short_opening[1].max(1))
    }

    /// Share of the longer text's opening that stands in the shorter text.
    pub fn long_opening(&self) -> f64 {
        f64::from(self.long_opening[0]) / f64::from(self.long_opening[1].max(1))
    }

    /// lab
    pub fn facts(&self, _t: &[Token], a: &[Token], bt: &[Token], b: &[Token], is_long: bool) -> [[u32; 3]; 3] {
        let mut state = vec![2u8; a.len()];
        for block in &self.blocks {
            let at = if is_long { block.long } else { block.short } as usize;
            state[at..at + block.length as usize].fill(0);
        }
        for pair in self.blocks.windows(2) {
            let (from, to) = (pair[0].short + pair[0].length, pair[1].short);
            let (start, end) = (pair[0].long + pair[0].length, pair[1].long);
            if end < start || (to - from) as usize > MAX_GAP || (end - start) as usize > MAX_GAP {
                continue;
            }
            let (from, to) = if is_long { (start, end) } else { (from, to) };
            for s in &mut state[from as usize..to as usize] { if *s == 2 { *s = 1; } }
        }
        let mut seen = std::collections::HashMap::new();
        let other: std::collections::HashSet<u32> = bt.iter().chain(b).map(|t| t.hash).collect();
        for (t, s) in a.iter().zip(&state) {
            let s = if *s > 0 && other.contains(&t.hash) { 0 } else { *s };
            let k = match t.kind { Kind::Number => 0, Kind::Name => 1, _ => 2 };
            let e = seen.entry((k, t.hash)).or_insert(9);
            *e = s.min(*e);
        }
        let mut out = [[0; 3]; 3];
        for ((k, _), s) in seen { out[k][s as usize] += 1; }
        out
    }

    /// Stretches between two blocks that follow each other in both texts, short on both sides.
    pub fn gaps(&self, short: usize, long: usize) -> impl Iterator<Item = Gap> + '_ {
        let ends = [Block::default(), Block { short: short as u32, long: long as u32, length: 0 }];
        let before = std::iter::once(ends[0]).chain(self.blocks.iter().copied());
        let after = self.blocks.iter().copied().chain([ends[1]]);
        before.zip(after).filter_map(|(before, after)| {
            let short = (before.short + before.length) as usize..after.short as usize;
            let long = (before.long + before.length) as usize..after.long as usize;
            let is_place = long.start < long.end && short.len() <= MAX_GAP && long.len() <= MAX_GAP && !short.is_empty();
            is_place.then_some(Gap { short, long })
        })
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

fn blocks(short: &[Token], long: &[Token]) -> Vec<Block> {
    let table = RunTable::of(long);
    let mut blocks: Vec<Block> = Vec::new();
    let (mut at, mut next) = (0, 0);
    while at + RUN <= short.len() {
        let hash = run_hash(&short[at..at + RUN]);
        let Some(start) = table.place(hash, next) else {
            at += 1;
            continue;
        };
        let length = common_prefix(&short[at..], &long[start..]);
        if length < RUN {
            at += 1;
            continue;
        }
        blocks.push(Block { short: at as u32, long: start as u32, length: length as u32 });
        at += length;
        next = start + length;
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
    hashes: Vec<u64>,
}

const NONE: u32 = u32::MAX;
/// Places looked at for one hash: a text that repeats one run a thousand times costs no more than another.
const MAX_CHAIN: usize = 16;

impl RunTable {
    fn of(text: &[Token]) -> Self {
        let hashes: Vec<u64> = text.windows(RUN).map(run_hash).collect();
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
