//! The one integration binary: the program and its parts against real neighbours.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands, helpers included"
)]

mod bodies;
mod config;
<<<<<<< HEAD
mod feeds;
=======
mod desk;
>>>>>>> 800d1d7 (Judge and write in one thread: identity, copies, revisions, takeover, unfold)
mod layers;
mod writer;
