//! What stands around an article in a feed and is not the article.

mod learned;

pub use learned::{LEARNED_AFTER, learn, sentences, unit, units};
