//! Slots by hash: one list for each value of a hash's upper bits, in order of arrival.
//!
//! A list keeps sixteen further bits of each hash beside its slots. A look-up reads those from the newest to the
//! oldest, 32 at a time: two bytes a posting, one cache line for 32 of them, and no order to keep. Postings of
//! slots that have left the window stand at the front and go when their list would have to grow.

/// Postings compared at once.
const STRIDE: usize = 32;

#[derive(Debug, Default)]
struct List {
    keys: Vec<u16>,
    slots: Vec<u32>,
}

/// Slots by hash.
#[derive(Debug)]
pub(super) struct Postings {
    lists: Vec<List>,
    shift: u32,
}

impl Postings {
    /// With 2^`bits` lists, at most 2^16.
    pub(super) fn new(bits: u32) -> Self {
        Self {
            lists: std::iter::repeat_with(List::default).take(1 << bits).collect(),
            shift: 32 - bits,
        }
    }

    /// Adds a slot; slots must not fall. Those before `first_slot` may be forgotten.
    pub(super) fn insert(&mut self, hash: u32, slot: u32, first_slot: u32) {
        let key = self.key(hash);
        let list = &mut self.lists[(hash >> self.shift) as usize];
        if list.keys.len() == list.keys.capacity() {
            let left = list.slots.partition_point(|slot| *slot < first_slot);
            list.keys.drain(..left);
            list.slots.drain(..left);
            let room = list.keys.len() / 8 + 8;
            list.keys.reserve_exact(room);
            list.slots.reserve_exact(room);
        }
        list.keys.push(key);
        list.slots.push(slot);
    }

    /// Slots under a hash, newest first, at most `max`. Hashes that differ in what is not kept may slip in.
    pub(super) fn newest(&self, hash: u32, max: usize) -> impl Iterator<Item = u32> + '_ {
        let key = self.key(hash);
        let list = &self.lists[(hash >> self.shift) as usize];
        let strides = list.keys.rchunks(STRIDE).zip(list.slots.rchunks(STRIDE));
        strides
            .filter(move |(keys, _)| {
                keys.iter().fold(false, |found, other| found | (*other == key))
            })
            .flat_map(move |(keys, slots)| {
                keys.iter()
                    .zip(slots)
                    .rev()
                    .filter(move |(other, _)| **other == key)
                    .map(|(_, slot)| *slot)
            })
            .take(max)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let bytes = |list: &List| 2 * list.keys.capacity() + 4 * list.slots.capacity();
        self.lists.iter().map(bytes).sum::<usize>() + self.lists.capacity() * size_of::<List>()
    }

    fn key(&self, hash: u32) -> u16 {
        (hash >> (self.shift - 16)) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_come_newest_first_and_leave_at_the_front() {
        let mut postings = Postings::new(4);
        for slot in 0..500 {
            postings.insert(if slot % 5 == 0 { 0x1234_5678 } else { 0x1abc_0000 }, slot, 400);
        }
        let found: Vec<u32> = postings.newest(0x1234_5678, 3).collect();
        assert_eq!(found, [495, 490, 485]);
        assert!(postings.newest(0x1234_5678, 1000).all(|slot| slot % 5 == 0));
        assert!(postings.memory_bytes() < 6 * 500, "{}", postings.memory_bytes());
    }
}
