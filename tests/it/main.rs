//! The one integration binary: the program and its parts against real neighbours.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that cannot go on fails where it stands, says what it measured or skipped, and reads the file and \
              the clock as a stranger would"
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
mod pages;
mod quality;
mod reading;
mod schema;
mod simulation;
mod store;
mod support;
mod systemd;
mod writer;
