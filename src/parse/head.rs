//! What a document says about itself: title, site, language, hints to its pollers.
//!
//! In: the tree of all that is not an entry. Out: a [`ParsedFeed`] without entries.

use url::Url;

use super::{
    entry::{person, read_link, text_construct},
    links::{self, Link, absolute},
    names::Ns,
    outline::{Outline, Root},
    tree::Tree,
};
use crate::model::{Markup, ParsedFeed, RawText};

/// The feed itself, and what its entries inherit.
pub(super) struct Head {
    pub(super) feed: ParsedFeed,
    pub(super) base: Option<Url>,
    /// Of Atom: an entry without an author has the feed's (RFC 4287, 4.2.1).
    pub(super) authors: Vec<String>,
}

/// Maps what a document says about itself.
pub(super) fn map(tree: &mut Tree<'_>, outline: &Outline, document_url: Option<&Url>) -> Head {
    // Junk before the root is a root to the tree.
    let root = tree.first_named(&["rss", "rdf", "feed", "channel"]).unwrap_or(0);
    let channel = tree.first_named(&["channel", "feed"]).unwrap_or(root);
    tree.give_back(channel);
    let root_base = links::rebased(document_url, tree.attribute(root, "xml:base").as_deref());
    let base = match channel == root {
        // CDF has an attribute of its own for it.
        true if outline.root == Some(Root::Channel) => {
            links::rebased(root_base.as_ref(), tree.attribute(root, "base").as_deref())
        }
        true => root_base,
        false => links::rebased(root_base.as_ref(), tree.attribute(channel, "xml:base").as_deref()),
    };
    let is_atom = outline.root == Some(Root::Atom);
    let mut found = Found::default();
    found.feed.format = format(tree, root, outline);
    for child in tree.children(channel) {
        map_child(tree, child, is_atom, base.as_ref(), &mut found);
    }
    let Found { mut feed, mut links, update, authors } = found;
    if let Some(href) = tree.attribute(channel, "href") {
        links.extend(absolute(&href, base.as_ref()).map(|url| Link {
            url,
            rel: "alternate".into(),
            ..Link::default()
        }));
    }
    let language =
        || tree.attribute(channel, "xml:lang").or_else(|| tree.attribute(root, "xml:lang"));
    feed.language = feed.language.take().or_else(language);
    feed.site_url = links::best(&links).map(|link| link.url.clone());
    let hubs = links.iter().filter(|link| link.rel == "hub").map(|link| link.url.clone());
    feed.hubs = hubs.take(8).collect();
    feed.hints.min_interval_seconds = feed.hints.min_interval_seconds.max(update.seconds());
    Head { feed, base, authors: if is_atom { authors } else { Vec::new() } }
}

#[derive(Default)]
struct Found {
    feed: ParsedFeed,
    links: Vec<Link>,
    update: Update,
    authors: Vec<String>,
}

/// `sy:updatePeriod` and `sy:updateFrequency`.
#[derive(Default)]
struct Update {
    period: Option<u32>,
    frequency: Option<u32>,
}

impl Update {
    fn seconds(&self) -> Option<u32> {
        let period = match (self.period, self.frequency) {
            (None, None) => return None,
            (period, _) => period.unwrap_or(86_400),
        };
        Some(period / self.frequency.unwrap_or(1).max(1))
    }
}

fn map_child(tree: &Tree<'_>, node: usize, is_atom: bool, base: Option<&Url>, found: &mut Found) {
    let feed = &mut found.feed;
    let text = || Some(tree.plain_text(node)).filter(|text| !text.is_empty());
    match (tree.node(node).ns, tree.name(node).as_str()) {
        (Ns::Feed | Ns::Dc, "title") if feed.title.is_none() => {
            feed.title = text_construct(tree, node, is_atom).map(one_line);
        }
        (Ns::Feed, "link" | "a") => {
            if let Some(link) = read_link(tree, node, base) {
                links::keep(&mut found.links, link);
            }
        }
        (Ns::Feed | Ns::Dc, "language") if feed.language.is_none() => feed.language = text(),
        (Ns::Feed, "ttl") => {
            let minutes = text().and_then(|ttl| ttl.parse::<u32>().ok());
            feed.hints.min_interval_seconds = minutes.map(|minutes| minutes.saturating_mul(60));
        }
        (Ns::Feed, "skiphours") => feed.hints.skip_hours = skip_hours(tree, node),
        (Ns::Feed, "skipdays") => feed.hints.skip_days = skip_days(tree, node),
        (Ns::Sy, "updateperiod") => {
            found.update.period = text().as_deref().and_then(period_seconds)
        }
        (Ns::Sy, "updatefrequency") => {
            found.update.frequency = text().and_then(|times| times.parse().ok())
        }
        (Ns::Feed, "author") if found.authors.len() < 16 => {
            found.authors.extend(person(tree, node))
        }
        (Ns::Itunes, "new-feed-url") => {
            feed.new_feed_url = text().and_then(|link| absolute(&link, base));
        }
        _ => {}
    }
}

fn period_seconds(period: &str) -> Option<u32> {
    match period.to_ascii_lowercase().as_str() {
        "hourly" => Some(3_600),
        "daily" => Some(86_400),
        "weekly" => Some(7 * 86_400),
        "monthly" => Some(30 * 86_400),
        "yearly" => Some(365 * 86_400),
        _ => None,
    }
}

fn skip_hours(tree: &Tree<'_>, node: usize) -> u32 {
    let hours = tree.children(node).filter_map(|hour| tree.plain_text(hour).parse::<u32>().ok());
    // Netscape counted from 1 to 24.
    hours.filter(|hour| *hour <= 24).fold(0, |bits, hour| bits | 1 << (hour % 24))
}

fn skip_days(tree: &Tree<'_>, node: usize) -> u8 {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let days = tree.children(node).filter_map(|day| {
        let day = tree.plain_text(day).to_ascii_lowercase();
        DAYS.iter().position(|known| day.starts_with(known))
    });
    days.fold(0, |bits, day| bits | 1 << day)
}

/// A title as plain text on one line. Markup in a feed's title is rare and never structure, so that taking
/// the tags out is enough.
pub(super) fn one_line(title: RawText) -> String {
    let mut text = String::with_capacity(title.value.len());
    let mut rest = title.value.as_str();
    while title.markup == Markup::Html
        && let Some(start) = rest.find('<')
    {
        let is_tag = rest[start + 1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/');
        match rest[start..].find('>').filter(|_| is_tag) {
            Some(length) => {
                text.push_str(&rest[..start]);
                rest = &rest[start + length + 1..];
            }
            None => {
                text.push_str(&rest[..=start]);
                rest = &rest[start + 1..];
            }
        }
    }
    text.push_str(rest);
    if title.markup == Markup::Html {
        text = super::text::decode(&text, &super::text::Entities::default()).into_owned();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Format and version.
fn format(tree: &Tree<'_>, root: usize, outline: &Outline) -> String {
    let attributes = outline.root_attributes.of(tree.text);
    let version = super::text::attribute(attributes, "version", tree.entities);
    let version = version
        .as_deref()
        .map(str::trim)
        .filter(|version| version.len() < 16 && !version.is_empty());
    let of = |name: &str, version: Option<&str>| match version {
        Some(version) => format!("{name} {}", version.to_lowercase()),
        None => name.to_owned(),
    };
    match outline.root {
        Some(Root::Rss) => of("rss", version),
        Some(Root::Rdf) if attributes.contains("rdf/simple/0.9") => "rss 0.90".to_owned(),
        Some(Root::Rdf) => "rss 1.0".to_owned(),
        Some(Root::Atom) if attributes.contains("2005/Atom") => "atom 1.0".to_owned(),
        Some(Root::Atom) => of("atom", version),
        Some(Root::Channel) if attributes.contains("rss1.1") => "rss 1.1".to_owned(),
        Some(Root::Channel) if tree.attribute(root, "href").is_some() => "cdf".to_owned(),
        _ => "rss".to_owned(),
    }
}
