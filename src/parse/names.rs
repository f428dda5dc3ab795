//! Namespaces: which vocabulary an element belongs to.
//!
//! In: the `xmlns` declarations met so far and an element's name. Out: a [`Ns`]. RSS and Atom in all their
//! versions are one vocabulary, because publishers mix them and their words do not clash. A prefix that
//! nothing declares means what it customarily means: documents lose their declarations.

use std::{collections::HashMap, sync::OnceLock};

/// A vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Ns {
    /// RSS, Atom, CDF, or no namespace at all.
    Feed,
    Rdf,
    Content,
    Dc,
    DcTerms,
    Media,
    Itunes,
    Podcast,
    Sy,
    FeedBurner,
    Pheedo,
    Wfw,
    Slash,
    Thr,
    FeedSync,
    Xhtml,
    Xml,
    /// Anything else.
    Other,
}

impl Ns {
    fn of_word(word: &str) -> Self {
        match word {
            "feed" => Self::Feed,
            "rdf" => Self::Rdf,
            "content" => Self::Content,
            "dc" => Self::Dc,
            "dcterms" => Self::DcTerms,
            "media" => Self::Media,
            "itunes" => Self::Itunes,
            "podcast" => Self::Podcast,
            "sy" => Self::Sy,
            "feedburner" => Self::FeedBurner,
            "pheedo" => Self::Pheedo,
            "wfw" => Self::Wfw,
            "slash" => Self::Slash,
            "thr" => Self::Thr,
            "feedsync" => Self::FeedSync,
            "xhtml" => Self::Xhtml,
            "xml" => Self::Xml,
            _ => Self::Other,
        }
    }
}

struct Table {
    by_prefix: HashMap<&'static str, Ns>,
    by_uri: HashMap<&'static str, Ns>,
}

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Table { by_prefix: HashMap::new(), by_uri: HashMap::new() };
        let lines = include_str!("data/namespaces.txt").lines();
        for line in lines.filter(|line| !line.starts_with('#')) {
            let mut words = line.split_whitespace();
            let (Some(word), Some(prefixes)) = (words.next(), words.next()) else { continue };
            let ns = Ns::of_word(word);
            table.by_prefix.extend(prefixes.split(',').map(|prefix| (prefix, ns)));
            table.by_uri.extend(words.map(|uri| (uri, ns)));
        }
        table
    })
}

/// What a namespace URI means; `Other` if nothing to us.
fn of_uri(uri: &str) -> Ns {
    let lower = uri.trim().to_ascii_lowercase();
    let bare = lower.strip_prefix("http://").or(lower.strip_prefix("https://")).unwrap_or(&lower);
    let bare = bare.strip_prefix("www.").unwrap_or(bare).trim_end_matches(['/', '#']);
    table().by_uri.get(bare).copied().unwrap_or(Ns::Other)
}

fn of_customary_prefix(prefix: &str) -> Ns {
    table().by_prefix.get(prefix).copied().unwrap_or(Ns::Other)
}

/// Elements that make up a feed; none of the other vocabularies has one.
const STRUCTURE: [&str; 6] = ["rss", "rdf", "feed", "channel", "item", "entry"];

/// Declarations in force at once: every name is looked up among them.
const MAX_BINDINGS: usize = 128;

/// The declarations in force at one place of a document.
#[derive(Clone, Debug, Default)]
pub(super) struct Bindings {
    bound: Vec<(String, Ns)>,
}

impl Bindings {
    /// How many declarations are in force; [`Bindings::truncate`] returns to it.
    pub(super) fn len(&self) -> usize {
        self.bound.len()
    }

    /// Forgets what was declared since there were `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bound.truncate(len);
    }

    /// Takes up `xmlns="uri"` (empty prefix) or `xmlns:prefix="uri"`.
    pub(super) fn declare(&mut self, prefix: &str, uri: &str) {
        if self.bound.len() >= MAX_BINDINGS {
            return;
        }
        let prefix = prefix.to_ascii_lowercase();
        // `xmlns=""`, as some serializers write it, puts an element back into the document's own vocabulary.
        let mut ns =
            if prefix.is_empty() && uri.trim().is_empty() { Ns::Feed } else { of_uri(uri) };
        if ns == Ns::Other && !prefix.is_empty() {
            // A mistyped URI on a customary prefix is far more common than another vocabulary under it.
            ns = of_customary_prefix(&prefix);
        }
        self.bound.push((prefix, ns));
    }

    /// Whether `name` is an element that makes up a feed, in the vocabulary that is the feed's so far.
    pub(super) fn is_feed_structure(&self, name: &str) -> bool {
        let (prefix, local) = split_name(name);
        STRUCTURE.iter().any(|known| local.eq_ignore_ascii_case(known))
            && self.resolve(self.feed_prefix(prefix)) == Ns::Feed
    }

    /// The vocabulary of an element that makes up a feed is the feed's, whatever URI a publisher invented for it.
    pub(super) fn assume_feed(&mut self, prefix: &str) {
        let prefix = self.feed_prefix(prefix);
        if self.resolve(prefix) != Ns::Feed {
            self.bound.push((prefix.to_ascii_lowercase(), Ns::Feed));
        }
    }

    /// `rdf:RDF` stands around elements without a prefix.
    fn feed_prefix<'p>(&self, prefix: &'p str) -> &'p str {
        if self.resolve(prefix) == Ns::Rdf { "" } else { prefix }
    }

    /// The vocabulary of a prefix (empty: none).
    pub(super) fn resolve(&self, prefix: &str) -> Ns {
        let declared =
            self.bound.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(prefix));
        match declared {
            Some((_, ns)) => *ns,
            None if prefix.is_empty() => Ns::Feed,
            None => of_customary_prefix(&prefix.to_ascii_lowercase()),
        }
    }
}

/// Splits `prefix:local`; the prefix is empty where there is none.
pub(super) fn split_name(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_uris_lost_declarations_and_typing_errors_are_understood() {
        let mut bindings = Bindings::default();
        bindings.declare("d", "http://purl.org/dc/elements/1.1");
        bindings.declare("media", "https://search.yahoo.com/mrss-typo");
        bindings.declare("", "http://www.w3.org/2005/Atom/");
        bindings.declare("x", "http://example.com/ours");
        for (prefix, ns) in [
            ("d", Ns::Dc),
            ("D", Ns::Dc),
            ("media", Ns::Media),
            ("", Ns::Feed),
            ("x", Ns::Other),
            ("dc", Ns::Dc),
            ("content", Ns::Content),
            ("unheard", Ns::Other),
        ] {
            assert_eq!(bindings.resolve(prefix), ns, "{prefix}");
        }
        bindings.truncate(0);
        assert_eq!(bindings.resolve("d"), Ns::Other);
    }
}
