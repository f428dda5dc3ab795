//! The one integration binary: the program and its parts against real neighbours.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands, helpers included"
)]

mod bodies;
mod cli;
mod config;
mod damage;
mod desk;
mod feeds;
mod fetch;
mod layers;
mod simulation;
mod support;
mod writer;
