//! Any bytes through `parse`: no panic, absolute links, and known entries recognised as known.
//!
//! `cargo fuzz run parse -- -dict=parse.dict` with the fixtures of `tests/fixtures/feeds` as seeds
//! (docs/parsing.md).

#![no_main]

use libfuzzer_sys::fuzz_target;
use newsfold::{
    model::{Document, Known},
    parse::{Limits, parse},
};

fuzz_target!(|bytes: &[u8]| {
    let document = Document {
        bytes: bytes.to_vec(),
        content_type: None,
        url: "https://example.com/dir/feed.xml".to_owned(),
    };
    let limits = Limits::default();
    let Ok(feed) = parse(&document, &Known::default(), &limits) else { return };
    for entry in &feed.entries {
        let is_http = |url: &String| url.to_ascii_lowercase().starts_with("http");
        assert!(entry.url.as_ref().is_none_or(is_http));
        assert!(entry.guid.as_deref() != Some(""));
    }
    let raw_hashes = feed.entries.iter().map(|entry| entry.raw_hash).collect();
    let again = parse(&document, &Known { raw_hashes, ..Known::default() }, &limits);
    let again = again.expect("it was read before");
    assert!(again.entries.is_empty());
    assert_eq!(again.unchanged.len(), feed.entries.len());
});
