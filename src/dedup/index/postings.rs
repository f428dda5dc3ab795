//! Slots by hash: which texts have a passage, a headline, a band of the fingerprint.
//!
//! A table of eight bytes a posting with open addressing and linear probing: what a look-up costs at a million texts is
//! one miss of the cache. It is cut into segments that grow one by one, so that growing never holds the whole table
//! twice; postings of slots that have left the window go when their segment would have to grow.

/// Segments, by the upper bits of a mixed hash.
const SEGMENT_BITS: u32 = 6;
/// Slots kept under one hash, the newest.
pub(super) const MAX_UNDER_ONE: usize = 64;

/// A hash, mixed, and a slot that has it.
type Posting = (u32, u32);
/// No slot: the place is free.
const FREE: u32 = u32::MAX;
/// No slot any more: what lies behind the place is still found.
const GONE: u32 = u32::MAX - 1;

/// Postings whose mixed hashes begin alike.
#[derive(Debug, Default)]
struct Segment {
    places: Vec<Posting>,
    taken: usize,
}

/// Slots by hash.
#[derive(Debug)]
pub(super) struct Postings {
    segments: Vec<Segment>,
}

impl Postings {
    /// None yet.
    pub(super) fn new() -> Self {
        Self {
            segments: std::iter::repeat_with(Segment::default).take(1 << SEGMENT_BITS).collect(),
        }
    }

    /// Adds a slot; slots must not fall. Those before `first_slot` may be forgotten.
    pub(super) fn insert(&mut self, hash: u32, slot: u32, first_slot: u32) {
        let mixed = mix(hash);
        let segment = &mut self.segments[segment_of(mixed)];
        if (segment.taken + 1) * 6 > segment.places.len() * 5 {
            segment.rebuild(first_slot);
        }
        segment.insert((mixed, slot));
    }

    /// Slots under a hash, in no order, at most [`MAX_UNDER_ONE`].
    pub(super) fn under(&self, hash: u32) -> impl Iterator<Item = u32> + '_ {
        let mixed = mix(hash);
        let segment = &self.segments[segment_of(mixed)];
        segment.places_of(mixed).map(|place| segment.places[place].1).filter(|slot| *slot != GONE)
    }

    /// Slots under each of many hashes. The first place of each is read before any is followed, so that the misses of the
    /// cache overlap.
    pub(super) fn under_each<'a>(&'a self, hashes: &'a [u32]) -> impl Iterator<Item = u32> + 'a {
        let first = |hash: &u32| {
            let mixed = mix(*hash);
            let segment = &self.segments[segment_of(mixed)];
            segment.places.get(segment.home(mixed)).is_some_and(|(_, slot)| *slot != FREE)
        };
        let is_any: Vec<bool> = hashes.iter().map(first).collect();
        let held = hashes.iter().zip(is_any).filter(|(_, is_any)| *is_any);
        held.flat_map(|(hash, _)| self.under(*hash))
    }

    /// Takes a slot out from under a hash.
    pub(super) fn remove(&mut self, hash: u32, slot: u32) {
        let mixed = mix(hash);
        let segment = &mut self.segments[segment_of(mixed)];
        let place = segment.places_of(mixed).find(|place| segment.places[*place].1 == slot);
        if let Some(place) = place {
            segment.places[place].1 = GONE;
        }
    }

    /// Takes out every slot from `end` on, so that it can be given anew. A pass over all: for rollbacks.
    pub(super) fn truncate(&mut self, end: u32) {
        let places = self.segments.iter_mut().flat_map(|segment| &mut segment.places);
        places.filter(|(_, slot)| (end..GONE).contains(slot)).for_each(|(_, slot)| *slot = GONE);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let places: usize = self.segments.iter().map(|segment| segment.places.capacity()).sum();
        places * size_of::<Posting>() + self.segments.capacity() * size_of::<Segment>()
    }
}

impl Segment {
    /// Takes the place of one of its hash that is gone, or of the oldest of too many, or the first free one from where the
    /// hash points. There is one: at most five of six are taken.
    fn insert(&mut self, posting: Posting) {
        let (mut count, mut oldest, mut gone) = (0, (u32::MAX, 0), None);
        let mut place = self.home(posting.0);
        loop {
            match self.places[place] {
                (_, FREE) => break,
                (hash, _) if hash != posting.0 => {}
                (_, GONE) => gone = Some(place),
                (_, slot) => {
                    count += 1;
                    oldest = oldest.min((slot, place));
                }
            }
            place = self.after(place);
        }
        let used = if count >= MAX_UNDER_ONE { Some(oldest.1) } else { gone };
        self.taken += usize::from(used.is_none());
        self.places[used.unwrap_or(place)] = posting;
    }

    /// Where postings of one hash lie.
    fn places_of(&self, mixed: u32) -> impl Iterator<Item = usize> + '_ {
        let mut next = self.home(mixed);
        std::iter::from_fn(move || {
            loop {
                let at = next;
                let (hash, slot) = *self.places.get(at)?;
                if slot == FREE {
                    return None;
                }
                next = self.after(at);
                if hash == mixed {
                    return Some(at);
                }
            }
        })
    }

    /// Where a hash points.
    fn home(&self, mixed: u32) -> usize {
        let within = u64::from(mixed << SEGMENT_BITS);
        ((within * self.places.len() as u64) >> 32) as usize
    }

    fn after(&self, place: usize) -> usize {
        if place + 1 == self.places.len() { 0 } else { place + 1 }
    }

    /// Lays the postings out anew, two of three places taken, without those that may be forgotten.
    fn rebuild(&mut self, first_slot: u32) {
        let is_held = |posting: &&Posting| (first_slot..GONE).contains(&posting.1);
        let held = self.places.iter().filter(is_held).count();
        let room = vec![(0, FREE); held * 3 / 2 + 8];
        let old = std::mem::replace(self, Self { places: room, taken: 0 });
        for posting in old.places.iter().filter(is_held) {
            self.insert(*posting);
        }
    }
}

fn segment_of(mixed: u32) -> usize {
    (mixed >> (32 - SEGMENT_BITS)) as usize
}

/// Spreads hashes evenly, one to one: winnowing chooses small ones, bands fill only half of the bits.
fn mix(hash: u32) -> u32 {
    let hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash ^ hash >> 13
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn under(postings: &Postings, hash: u32) -> BTreeSet<u32> {
        postings.under(hash).collect()
    }

    #[test]
    fn of_too_many_the_newest_are_kept() {
        let mut postings = Postings::new();
        for slot in 0..1000 {
            postings.insert(7, slot, 0);
            postings.insert(slot, slot, 0);
        }
        assert_eq!(under(&postings, 7), (1000 - MAX_UNDER_ONE as u32..1000).collect());
        assert_eq!(under(&postings, 500), BTreeSet::from([500]));
    }

    #[test]
    fn what_is_taken_out_gives_its_place_to_others() {
        let mut postings = Postings::new();
        for slot in 0..50 {
            postings.insert(7, slot, 0);
            postings.insert(100 + slot, slot, 0);
        }
        let bytes = postings.memory_bytes();
        for _ in 0..1000 {
            postings.truncate(40);
            assert_eq!(under(&postings, 7), (0..40).collect());
            (40..64).for_each(|slot| postings.insert(7, slot, 0));
        }
        assert_eq!(under(&postings, 7), (0..64).collect());
        postings.remove(7, 60);
        postings.remove(130, 31);
        assert!(!under(&postings, 7).contains(&60));
        assert_eq!(under(&postings, 130), BTreeSet::from([30]));
        assert!(postings.memory_bytes() < 2 * bytes);
    }

    #[test]
    fn what_has_left_the_window_is_forgotten_and_the_rest_is_found() {
        let mut postings = Postings::new();
        let window = 5_000;
        for slot in 0..50_000u32 {
            let first = slot.saturating_sub(window);
            postings.insert(slot.wrapping_mul(0x9e37_79b9) >> 8, slot, first);
            postings.insert(slot / 3, slot, first);
        }
        for slot in 50_000 - window..50_000 {
            assert!(
                under(&postings, slot.wrapping_mul(0x9e37_79b9) >> 8).contains(&slot),
                "{slot}"
            );
            assert!(under(&postings, slot / 3).contains(&slot), "{slot}");
        }
        assert!(under(&postings, u32::MAX).is_empty());
        let bytes = postings.memory_bytes() / (2 * window as usize);
        assert!(bytes < 20, "{bytes} bytes a posting");
    }
}
