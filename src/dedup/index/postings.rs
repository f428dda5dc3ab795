//! Sorted arrays of (hash, slot), cut into shards by the upper bits of the hash.
//!
//! New postings queue unsorted at the end of their shard and are merged in by the dozen, so that neither an insert
//! nor a look-up ever waits for more than one shard. Postings of slots that have left the window go when their
//! shard is merged next.

/// Postings that queue in a shard before they are merged in.
const MAX_QUEUE: usize = 32;

#[derive(Debug, Default)]
struct Shard {
    /// Hash above, slot below; the first `sorted` of them in order.
    postings: Vec<u64>,
    sorted: u32,
}

/// Slots by hash.
#[derive(Debug)]
pub(super) struct Postings {
    shards: Vec<Shard>,
    shift: u32,
}

impl Postings {
    /// With 2^`bits` shards.
    pub(super) fn new(bits: u32) -> Self {
        Self {
            shards: std::iter::repeat_with(Shard::default).take(1 << bits).collect(),
            shift: 32 - bits,
        }
    }

    /// Adds a slot; it must be newer than every other under the same hash.
    pub(super) fn insert(&mut self, hash: u32, slot: u32, first_slot: u32) {
        let shard = &mut self.shards[(hash >> self.shift) as usize];
        let postings = &mut shard.postings;
        if postings.len() == postings.capacity() {
            postings.reserve_exact(postings.len() / 8 + 8);
        }
        postings.push(u64::from(hash) << 32 | u64::from(slot));
        if postings.len() - shard.sorted as usize >= MAX_QUEUE {
            postings.retain(|posting| *posting as u32 >= first_slot);
            // Stable sort: finds the two sorted stretches and merges them.
            postings.sort();
            shard.sorted = postings.len() as u32;
        }
    }

    /// Slots under a hash, newest first, at most `max`.
    pub(super) fn newest(&self, hash: u32, max: usize) -> impl Iterator<Item = u32> + '_ {
        let shard = &self.shards[(hash >> self.shift) as usize];
        let (sorted, queue) = shard.postings.split_at(shard.sorted as usize);
        let end = sorted.partition_point(|posting| (*posting >> 32) as u32 <= hash);
        let is_under = move |posting: &&u64| (**posting >> 32) as u32 == hash;
        let settled = sorted[..end].iter().rev().take_while(is_under);
        queue.iter().rev().filter(is_under).chain(settled).take(max).map(|posting| *posting as u32)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let postings: usize =
            self.shards.iter().map(|shard| shard.postings.capacity() * size_of::<u64>()).sum();
        postings + self.shards.capacity() * size_of::<Shard>()
    }
}
