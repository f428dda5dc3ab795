//! A text to its signature: what one row of the table `fingerprints` stores, and all that the index knows.
//!
//! In: title and body, furniture already cut. Out: a simhash of the body, a hash of the headline, and the winnowed
//! passages (hashes of chosen five-token runs). Whatever two texts share over a stretch of [`WINDOW`] + [`RUN`] - 1
//! tokens, they share a passage of (Schleimer, Wilkerson and Aiken, 2003).

use super::{
    sketch::Words,
    tokens::{Token, headline_tokens, tokens},
};
use crate::model::Fingerprint;

/// Tokens in a passage.
pub const RUN: usize = 5;
/// Of so many consecutive passages, the one with the smallest hash is chosen. Windows of 8, 12 and 16 find the same
/// copies of the labelled set; each passage costs a look-up and a feature of the simhash.
pub const WINDOW: usize = 12;
/// Passages kept of one text, those with the smallest hashes: bounds what a book in a feed can cost.
pub const MAX_PASSAGES: usize = 512;
/// Texts with fewer tokens have no fingerprint worth comparing.
pub const MIN_TOKENS: u32 = 8;

/// A text to be judged, its feed's furniture already cut from the body.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text<'a> {
    /// The headline.
    pub title: &'a str,
    /// The body.
    pub body: &'a str,
}

/// What the index keeps of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// Simhash of the body; 0 under [`MIN_TOKENS`] tokens.
    pub fingerprint: Fingerprint,
    /// Hash of the headline's tokens; 0 without a headline.
    pub headline: u64,
    /// Winnowed passages, sorted, without repeats.
    pub passages: Box<[u32]>,
    /// Tokens of the body.
    pub tokens: u32,
    /// Its words; of a text read back from the database none are known.
    pub words: Option<Words>,
}

impl Signature {
    /// Computes the signature of a text.
    pub fn of(text: &Text<'_>) -> Self {
        Self::of_tokens(&headline_tokens(text.title), &tokens(text.body))
    }

    pub(super) fn of_tokens(title: &[Token], body: &[Token]) -> Self {
        let passages = passages(body);
        let has_fingerprint = body.len() >= MIN_TOKENS as usize;
        Self {
            fingerprint: if has_fingerprint { simhash_of(&passages) } else { Fingerprint(0) },
            headline: headline(title),
            passages: passages.into_boxed_slice(),
            tokens: body.len() as u32,
            words: Some(Words::of(title, body)),
        }
    }

    /// Hamming distance of two fingerprints; `None` where a text is too short to have one.
    pub fn distance(&self, other: &Self) -> Option<u32> {
        (self.tokens >= MIN_TOKENS && other.tokens >= MIN_TOKENS)
            .then(|| self.fingerprint.distance(other.fingerprint))
    }

    /// The passages as a BLOB: 4 bytes each, little end first, in order.
    pub fn encode_passages(&self) -> Vec<u8> {
        self.passages.iter().flat_map(|passage| passage.to_le_bytes()).collect()
    }

    /// Reads what [`Signature::encode_passages`] wrote; a stray tail is left out.
    pub fn decode_passages(blob: &[u8]) -> Box<[u32]> {
        blob.as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect()
    }
}

/// Mixes the hashes of a run into one.
pub(crate) fn run_hash(tokens: &[Token]) -> u64 {
    let mixed = tokens.iter().fold(0u64, |hash, token| {
        (hash.rotate_left(11) ^ u64::from(token.hash)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    mixed ^ mixed >> 32
}

/// Winnowing. A text shorter than one run gives no passage; one shorter than a window gives its smallest.
fn passages(body: &[Token]) -> Vec<u32> {
    let hashes: Vec<u32> = body.windows(RUN).map(|run| run_hash(run) as u32).collect();
    let mut chosen = Vec::with_capacity(hashes.len() / 4 + 1);
    let mut last = usize::MAX;
    for (start, window) in hashes.windows(WINDOW.min(hashes.len()).max(1)).enumerate() {
        // The right-most smallest, kept for as long as it stays inside the window.
        if last != usize::MAX && last >= start && window[window.len() - 1] > hashes[last] {
            continue;
        }
        let smallest = window.iter().enumerate().rev().min_by_key(|(_, hash)| **hash);
        let at = start + smallest.map_or(0, |(offset, _)| offset);
        if at != last {
            chosen.push(hashes[at]);
            last = at;
        }
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen.truncate(MAX_PASSAGES);
    chosen
}

/// Order of the words counts, what stands between them does not.
fn headline(title: &[Token]) -> u64 {
    if title.is_empty() { 0 } else { run_hash(title) }
}

/// Simhash (Charikar, 2002) of passages, each of one weight: what [`simhash::simhash_stream`] gives for their eight hex
/// digits, whose loop over bits was 6 % of a full ingest. A bit of the result is set where most features have it.
fn simhash_of(passages: &[u32]) -> Fingerprint {
    let mut counters = Counters::default();
    passages.iter().for_each(|passage| counters.add(hash_of_digits(*passage)));
    Fingerprint(counters.above(passages.len() as u32 / 2))
}

/// FNV-1a of eight hex digits, as `str` is hashed.
fn hash_of_digits(passage: u32) -> u64 {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digits = (0..8).rev().map(|nibble| HEX[(passage >> (4 * nibble) & 15) as usize]);
    digits.chain([0xff]).fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Sixty-four counters, one for each bit of a hash: a word holds one binary digit of all of them.
#[derive(Default)]
struct Counters([u64; MAX_PASSAGES.ilog2() as usize + 1]);

impl Counters {
    fn add(&mut self, hash: u64) {
        let mut carry = hash;
        for digits in &mut self.0 {
            (*digits, carry) = (*digits ^ carry, *digits & carry);
        }
    }

    /// The bits whose counters are above a limit.
    fn above(&self, limit: u32) -> u64 {
        let (mut above, mut equal) = (0, u64::MAX);
        for (place, digits) in self.0.iter().enumerate().rev() {
            let limit = if limit >> place & 1 == 1 { u64::MAX } else { 0 };
            above |= equal & digits & !limit;
            equal &= !(digits ^ limit);
        }
        above
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A word for each number, no two alike.
    fn text(words: std::ops::Range<u32>) -> String {
        let letter = |n: u32| char::from(b'a' + (n % 26) as u8);
        let word = |n: u32| {
            [n / 676 * 7 + 3, n / 26 + n, n, n * 11].map(letter).iter().collect::<String>() + " "
        };
        words.map(word).collect()
    }

    fn of(body: &str) -> Signature {
        Signature::of(&Text { title: "Ferry to Holm cancelled", body })
    }

    #[test]
    fn a_shared_stretch_shares_passages() {
        let (long, part) = (of(&text(0..400)), of(&text(100..200)));
        let shared = part.passages.iter().filter(|passage| long.passages.contains(passage)).count();
        assert!(shared * 10 > part.passages.len() * 8, "{shared} of {}", part.passages.len());
        assert!((60..100).contains(&long.passages.len()), "{}", long.passages.len());
    }

    #[test]
    fn a_small_edit_moves_the_fingerprint_little() {
        let (one, other) = (of(&text(0..300)), of(&text(5..300)));
        let stranger = of(&text(5000..5300));
        let distances = [&other, &stranger].map(|text| one.distance(text).unwrap());
        assert!(distances[0] <= 8 && distances[1] > 16, "{distances:?}");
    }

    #[test]
    fn short_texts_have_no_distance_and_no_fingerprint() {
        let empty = of("");
        assert_eq!(empty.fingerprint, Fingerprint(0));
        assert_eq!(empty.distance(&empty), None);
        assert_eq!(of("one two three").tokens, 3);
        assert!(of("one two three").passages.is_empty());
    }

    #[test]
    fn passages_survive_the_database() {
        let signature = of(&text(0..100));
        assert_eq!(Signature::decode_passages(&signature.encode_passages()), signature.passages);
    }

    proptest! {
        #[test]
        fn fingerprints_are_those_of_the_simhash_crate(
            passages in prop::collection::vec(any::<u32>(), 0..=MAX_PASSAGES),
        ) {
            let digits: Vec<String> = passages.iter().map(|passage| format!("{passage:08x}")).collect();
            let expected = simhash::simhash_stream(digits.iter().map(String::as_str));
            prop_assert_eq!(simhash_of(&passages), Fingerprint(expected));
        }
    }
}
