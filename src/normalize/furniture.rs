//! What stands around an article in a feed and is not the article.

mod learned;

pub use learned::{LEARNED_AFTER, learn, sentences, unit, units};

use super::{FeedContext, cuts::Cuts, lines::Lines};

pub(super) fn cut(lines: &mut Lines, title: &str, feed: &FeedContext<'_>, cuts: &mut Cuts) {
    let _ = (lines, title, feed, cuts);
}
