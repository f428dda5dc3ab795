//! The one integration binary: the program and its parts against real neighbours.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands, helpers included"
)]

mod bodies;
mod cli;
mod conduct;
mod config;
mod daemon;
mod damage;
mod desk;
mod docs;
mod feeds;
mod fetch;
mod golden;
mod layers;
mod line;
mod operations;
mod quality;
mod reading;
mod schema;
mod simulation;
mod store;
mod support;
mod systemd;
mod writer;
