//! Which words a text may have, as far as a few bits tell: what spares reading texts that cannot be copies.
//!
//! Of two texts of which one is much longer, neither is a copy unless the shorter tells the longer one's headline
//! ([`super::tells`]). A Bloom filter of one hash (Bloom, 1970) answers for each word of a headline that a text has it not,
//! or that it may have it: so the share that is counted here is never less than the true one.

use super::tokens::Token;

/// Bits of the filter of an arriving text. At 550 words an eighth of them is set.
const BITS: usize = 4_096;
/// Bits of what is kept of it, folded. Of a text of more than 300 words they tell little; it is seldom the shorter one.
const KEPT_BITS: usize = 512;
/// Words of a headline that are kept. Others count as told.
const MAX_WORDS: usize = 12;

/// The words of an arriving text, headline included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    bits: Box<[u64; BITS / 64]>,
    headline: Headline,
}

/// What is kept of them for as long as the text is in the window.
#[derive(Clone, Copy, Debug)]
pub struct Sketch {
    bits: [u64; KEPT_BITS / 64],
    headline: Headline,
}

/// Bits of a headline's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Headline {
    places: [u16; MAX_WORDS],
    /// All its words, those beyond [`MAX_WORDS`] too.
    words: u16,
}

impl Words {
    /// The words of a text.
    pub fn of(title: &[Token], body: &[Token]) -> Self {
        let mut bits = Box::new([0; BITS / 64]);
        for token in title.iter().chain(body) {
            let place = place(token);
            bits[place / 64] |= 1 << (place % 64);
        }
        Self { bits, headline: Headline::of(title) }
    }

    /// At most so much of the headline of a longer text stands in this one, a share of 1.
    pub fn tell(&self, longer: &Sketch) -> f64 {
        longer.headline.share_in(&self.bits[..])
    }

    /// As [`Words::tell`], of this text's headline in a shorter text.
    pub fn told_by(&self, shorter: &Sketch) -> f64 {
        self.headline.share_in(&shorter.bits)
    }
}

impl Sketch {
    /// Of a text's words.
    pub fn of(words: &Words) -> Self {
        let mut bits = [0; KEPT_BITS / 64];
        for (at, word) in words.bits.iter().enumerate() {
            bits[at % bits.len()] |= word;
        }
        Self { bits, headline: words.headline }
    }
}

impl Headline {
    fn of(title: &[Token]) -> Self {
        let mut places = [0; MAX_WORDS];
        for (kept, token) in places.iter_mut().zip(title) {
            *kept = place(token) as u16;
        }
        Self { places, words: title.len() as u16 }
    }

    fn share_in(&self, bits: &[u64]) -> f64 {
        let words = usize::from(self.words);
        let may_have = |place: &&u16| {
            let place = usize::from(**place) % (bits.len() * 64);
            bits[place / 64] >> (place % 64) & 1 == 1
        };
        let kept = words.min(MAX_WORDS);
        let told = self.places[..kept].iter().filter(may_have).count() + (words - kept);
        told as f64 / words.max(1) as f64
    }
}

/// The bit of a word: the upper ones of its hash.
fn place(token: &Token) -> usize {
    token.hash as usize >> (u32::BITS - BITS.ilog2())
}
