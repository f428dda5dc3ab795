//! newsfold polls news feeds, cleans each article, folds copies of one story into one, and keeps the result
//! in an SQLite file.
//!
//! One article, from socket to row:
//!
//! ```text
//! config -> schedule -> fetch -> parse -> normalize -> dedup -> store
//! ```
//!
//! Fetching is parallel; judging and writing is one line, in the order of commits. `parse`, `normalize`,
//! `dedup` and `schedule` are pure: what they need is handed to them, `now` included.

pub mod model;

pub mod report;

pub mod fetch;

pub mod parse;

pub mod normalize;

pub mod digest;

pub mod dedup;

pub mod store;

pub mod writer;

pub mod schedule;

pub mod workers;

pub mod context;

pub mod pages;

pub mod poll;

pub mod daemon;

pub mod health;

pub mod metrics;

pub mod http;

pub mod config;

pub mod telemetry;

pub mod cli;
