//! Slots by hash: which texts have a passage, a headline, a band of the fingerprint.
//!
//! A table with open addressing and linear probing, eight bytes a hash. What one text alone has, as nearly all passages,
//! stands in the table itself; what several have, in a list of its own, so that a sentence which a hundred texts quote is
//! found in one step. The table is cut into segments that grow one by one, so that growing never holds the whole of it
//! twice; slots that have left the window go when their segment would have to grow.

use std::{
    hint::black_box,
    ops::{BitXor, Range},
};

/// Segments, by the upper bits of a mixed hash.
const SEGMENT_BITS: u32 = 6;
/// Slots kept under one hash, the newest.
pub(super) const MAX_UNDER_ONE: usize = 64;

/// Slots in a line of the cache.
const LINE: usize = 64 / size_of::<u32>();

/// No slot: one that was there is gone, or none has come yet.
const NONE: u32 = u32::MAX;

/// A hash and the slots under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Place {
    /// Below, what the segment does not tell of the mixed hash; above, how many slots there is room for: see [`Room`].
    key: u32,
    /// The slot, or the list.
    value: u32,
}

/// How many slots a place has room for: 1 << (room - 1). 0 means that the place is free.
type Room = u32;
/// Room for one slot, in the place itself.
const ALONE: Room = 1;
const LARGEST: Room = ALONE + MAX_UNDER_ONE.ilog2();

fn length(room: Room) -> usize {
    1 << (room - 1)
}

/// Which of the pools of [`Lists`] has the lists of a length.
fn pool(room: Room) -> usize {
    room as usize - 1
}

/// Places whose mixed hashes begin alike.
#[derive(Debug, Default)]
struct Segment {
    places: Vec<Place>,
    taken: usize,
}

/// Lists of slots, those of one length together.
#[derive(Debug, Default)]
struct Lists {
    /// Slots of all lists of a length, one after the other.
    slots: [Vec<u32>; LARGEST as usize],
    /// Lists that nobody has.
    unused: [Vec<u32>; LARGEST as usize],
}

/// Slots by hash.
#[derive(Debug)]
pub(super) struct Postings {
    segments: Vec<Segment>,
    lists: Lists,
}

impl Postings {
    /// None yet.
    pub(super) fn new() -> Self {
        let segments = std::iter::repeat_with(Segment::default).take(1 << SEGMENT_BITS).collect();
        Self { segments, lists: Lists::default() }
    }

    /// Adds a slot; slots must not fall. Those before `first_slot` may be forgotten.
    pub(super) fn insert(&mut self, hash: u32, slot: u32, first_slot: u32) {
        let (segment, hash) = split(hash);
        let segment = &mut self.segments[segment];
        if (segment.taken + 1) * 6 > segment.places.len() * 5 {
            segment.rebuild(&mut self.lists, first_slot);
        }
        let at = segment.find(hash);
        let place = &mut segment.places[at];
        if place.room() == 0 {
            *place = Place::new(hash, ALONE, slot);
            segment.taken += 1;
        } else {
            self.lists.add(place, slot, first_slot);
        }
    }

    /// Reads what [`Self::insert`] will look at for each of many hashes, so that the misses of the cache overlap. Loading an
    /// index takes a third less time by it.
    pub(super) fn warm(&self, hashes: &[u32]) {
        let lines = self.held_each(hashes).into_iter().flat_map(|held| held.iter().step_by(LINE));
        black_box(lines.fold(0, BitXor::bitxor));
    }

    /// Slots under a hash, in no order, at most [`MAX_UNDER_ONE`].
    pub(super) fn under(&self, hash: u32) -> impl Iterator<Item = u32> + '_ {
        self.held(hash).iter().copied().filter(|slot| *slot != NONE)
    }

    /// Slots under each of many hashes, those of one after those of another.
    pub(super) fn under_each(&self, hashes: &[u32]) -> Vec<u32> {
        let mut slots = self.held_each(hashes).concat();
        slots.retain(|slot| *slot != NONE);
        slots
    }

    /// Takes a slot out from under a hash.
    pub(super) fn remove(&mut self, hash: u32, slot: u32) {
        let (segment, hash) = split(hash);
        let segment = &mut self.segments[segment];
        if segment.places.is_empty() {
            return;
        }
        let at = segment.find(hash);
        let held = self.lists.of_mut(&mut segment.places[at]);
        held.iter_mut().filter(|held| **held == slot).for_each(|held| *held = NONE);
    }

    /// Takes out every slot from `end` on, so that it can be given anew. A pass over all: for rollbacks.
    pub(super) fn truncate(&mut self, end: u32) {
        let places = self.segments.iter_mut().flat_map(|segment| &mut segment.places);
        let alone = places.filter(|place| place.room() == ALONE).map(|place| &mut place.value);
        let listed = self.lists.slots.iter_mut().flatten();
        alone.chain(listed).filter(|slot| **slot >= end).for_each(|slot| *slot = NONE);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let places: usize = self.segments.iter().map(|segment| segment.places.capacity()).sum();
        let lists = self.lists.slots.iter().chain(&self.lists.unused).map(Vec::capacity);
        places * size_of::<Place>()
            + self.segments.capacity() * size_of::<Segment>()
            + lists.sum::<usize>() * size_of::<u32>()
    }

    /// What is held under each of many hashes. The first place of each is read before any is followed, so that the misses
    /// of the cache overlap.
    fn held_each(&self, hashes: &[u32]) -> Vec<&[u32]> {
        let is_any = |hash: &u32| {
            let (segment, hash) = split(*hash);
            let segment = &self.segments[segment];
            segment.places.get(segment.home(hash)).is_some_and(|place| place.room() > 0)
        };
        let is_any: Vec<bool> = hashes.iter().map(is_any).collect();
        let held = hashes.iter().zip(is_any).filter(|(_, is_any)| *is_any);
        held.map(|(hash, _)| self.held(*hash)).collect()
    }

    fn held(&self, hash: u32) -> &[u32] {
        let (segment, hash) = split(hash);
        let segment = &self.segments[segment];
        if segment.places.is_empty() {
            return &[];
        }
        self.lists.of(&segment.places[segment.find(hash)])
    }
}

impl Place {
    fn new(hash: u32, room: Room, value: u32) -> Self {
        Self { key: hash | room << (32 - SEGMENT_BITS), value }
    }

    fn hash(self) -> u32 {
        self.key & (u32::MAX >> SEGMENT_BITS)
    }

    fn room(self) -> Room {
        self.key >> (32 - SEGMENT_BITS)
    }

    /// Where its list lies among those of its length.
    fn list(self) -> Range<usize> {
        let length = length(self.room());
        self.value as usize * length..(self.value as usize + 1) * length
    }
}

impl Segment {
    /// The place of a hash, or the free one where it would stand. There is one: at most five of six are taken.
    fn find(&self, hash: u32) -> usize {
        let mut at = self.home(hash);
        while self.places[at].room() > 0 && self.places[at].hash() != hash {
            at = if at + 1 == self.places.len() { 0 } else { at + 1 };
        }
        at
    }

    /// Where a hash points.
    fn home(&self, hash: u32) -> usize {
        let within = u64::from(hash) << SEGMENT_BITS;
        ((within * self.places.len() as u64) >> 32) as usize
    }

    /// Lays the places out anew, two of three taken, without slots that may be forgotten.
    fn rebuild(&mut self, lists: &mut Lists, first_slot: u32) {
        let mut held = std::mem::take(&mut self.places);
        held.retain_mut(|place| lists.keep(place, first_slot));
        self.taken = held.len();
        self.places = vec![Place::default(); held.len() * 3 / 2 + 8];
        for place in held {
            let at = self.find(place.hash());
            self.places[at] = place;
        }
    }
}

impl Lists {
    fn of<'a>(&'a self, place: &'a Place) -> &'a [u32] {
        match place.room() {
            0 => &[],
            ALONE => std::slice::from_ref(&place.value),
            room => &self.slots[pool(room)][place.list()],
        }
    }

    fn of_mut<'a>(&'a mut self, place: &'a mut Place) -> &'a mut [u32] {
        match place.room() {
            0 => &mut [],
            ALONE => std::slice::from_mut(&mut place.value),
            room => &mut self.slots[pool(room)][place.list()],
        }
    }

    /// Adds a slot to a place: where one is gone, in a list twice as long, or in place of the oldest of too many.
    fn add(&mut self, place: &mut Place, slot: u32, first_slot: u32) {
        let is_room = |held: &u32| *held == NONE || *held < first_slot;
        let held = self.of_mut(place);
        if let Some(room) = held.iter_mut().find(|held| is_room(held)) {
            *room = slot;
        } else if place.room() < LARGEST {
            let held = self.of(place).to_vec();
            self.put(place, place.room() + 1, &held);
            self.of_mut(place)[held.len()] = slot;
        } else if let Some(oldest) = self.of_mut(place).iter_mut().min() {
            *oldest = slot;
        }
    }

    /// Takes out what may be forgotten, and gives a list that is less than half full less room. Whether anything is left.
    fn keep(&mut self, place: &mut Place, first_slot: u32) -> bool {
        let is_held = |slot: &u32| *slot != NONE && *slot >= first_slot;
        let room = place.room();
        if room <= ALONE {
            return room == ALONE && is_held(&place.value);
        }
        let count = self.of(place).iter().filter(|slot| is_held(slot)).count();
        let needed = ALONE + count.next_power_of_two().ilog2();
        if needed < room {
            let held: Vec<u32> = self.of(place).iter().copied().filter(is_held).collect();
            self.put(place, needed, &held);
        }
        count > 0
    }

    /// Gives a place so much room, and slots to fill it with.
    fn put(&mut self, place: &mut Place, room: Room, held: &[u32]) {
        if place.room() > ALONE {
            self.unused[pool(place.room())].push(place.value);
        }
        if room == ALONE {
            *place = Place::new(place.hash(), ALONE, held.first().copied().unwrap_or(NONE));
            return;
        }
        let (pool, length) = (pool(room), length(room));
        let list = self.unused[pool].pop().unwrap_or_else(|| {
            let slots = &mut self.slots[pool];
            if slots.len() == slots.capacity() {
                // By a quarter: growing by half or more would be most of what the lists take.
                slots.reserve_exact((slots.len() / 4 / length + 64) * length);
            }
            slots.resize(slots.len() + length, NONE);
            (slots.len() / length - 1) as u32
        });
        *place = Place::new(place.hash(), room, list);
        let slots = self.of_mut(place);
        slots.fill(NONE);
        slots[..held.len()].copy_from_slice(held);
    }
}

/// The segment of a hash, and what else there is of it, mixed.
fn split(hash: u32) -> (usize, u32) {
    let mixed = mix(hash);
    ((mixed >> (32 - SEGMENT_BITS)) as usize, mixed & (u32::MAX >> SEGMENT_BITS))
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
