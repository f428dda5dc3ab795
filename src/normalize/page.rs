//! The article inside a web page.
//!
//! In: a page's text and address, the headline that a feed gave. Out: a [`Page`] with a body as clean as a feed's, or
//! why there is none. The crate `trafilatura` finds the article (docs/decisions/0001-page-extraction.md); this module
//! bounds what it is given, survives its panics, and cleans what it finds with the rules for feeds.

use std::panic::{AssertUnwindSafe, catch_unwind};

use trafilatura::{ExtractResult, ExtractionFocus};
use url::Url;

use super::{FeedContext, Options, body, cuts::Cuts, html, language, lines::Lines, title};
use crate::model::{Cut, Markup, RawText, Timestamp};
use bounded::{Bounded, Boxes, Facts};

mod bounded;
mod boxes;
mod links;
mod locate;
mod refusal;
mod stamp;

/// The article that a web page holds.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The headline, plain text, one line; may be empty.
    pub title: String,
    /// Names, joined by `, `.
    pub author: Option<String>,
    /// When the page says that it was published.
    pub published_at: Option<Timestamp>,
    /// BCP 47, by declaration or detection.
    pub language: Option<String>,
    /// Plain text, paragraphs separated by one blank line; never empty.
    pub body: String,
    /// What was taken out.
    pub cuts: Vec<Cut>,
    /// `rel=canonical` or `og:url`, absolute http(s), cleaned.
    pub canonical_url: Option<String>,
}

/// Why a page gave no article.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// The text ends at an invitation to subscribe or register.
    Paywall,
    /// The page asks for consent to cookies and holds nothing else.
    Consent,
    /// Not found, forbidden, a challenge for robots, a broken server.
    ErrorPage,
    /// No article text was found.
    Empty,
}

impl Refused {
    /// Stable name, for columns and logs.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Paywall => "paywall",
            Self::Consent => "consent",
            Self::ErrorPage => "error_page",
            Self::Empty => "empty",
        }
    }
}

/// Finds the article in a web page; `title` is the headline that the feed gave, if there was one.
///
/// # Errors
///
/// Where the page holds no article.
pub fn normalize_page(
    html: &str,
    url: &str,
    title: Option<&str>,
    feed: &FeedContext<'_>,
    options: &Options,
) -> Result<Page, Refused> {
    // Without the boxes around the article, unless nothing is left of it then.
    let read = |boxes| read(html, boxes, url, title, feed, options);
    match read(Boxes::Drop) {
        Err(Refused::Empty) => read(Boxes::Keep),
        done => done,
    }
}

fn read(
    html: &str,
    boxes: Boxes,
    url: &str,
    title: Option<&str>,
    feed: &FeedContext<'_>,
    options: &Options,
) -> Result<Page, Refused> {
    let Bounded { html, facts } = bounded::read(html, boxes, options);
    let (mut lines, extracted) = article(&html).ok_or(Refused::Empty)?;
    let (metadata, facts) = (&extracted.metadata, &facts);
    let site = Some(metadata.sitename.as_str()).filter(|name| !name.is_empty());
    let feed =
        &FeedContext { title: feed.title.or(site), site_url: feed.site_url.or(Some(url)), ..*feed };
    let mut cuts = Cuts::default();
    let headline = headline(&metadata.title, feed, &mut cuts);
    links::cut(&mut lines, &mut cuts);
    if let Some(refused) = refusal::of(&headline, &lines.render(), facts.is_for_subscribers) {
        return Err(refused);
    }
    // A page has its headline in several forms, and any of them may stand on top of the text.
    let mut fuller = body::cut(&mut lines, &headline, feed, &mut cuts);
    for other in title.into_iter().chain(facts.headlines.iter().map(String::as_str)) {
        if other != headline {
            fuller = fuller.or(body::cut(&mut lines, other, feed, &mut cuts));
        }
    }
    if stamp::cut(&mut lines, &mut cuts) {
        // What stands below it is on top now.
        body::cut(&mut lines, &headline, feed, &mut cuts);
    }
    let body = lines.render();
    if body.is_empty() {
        return Err(Refused::Empty);
    }
    Ok(Page {
        author: author(&metadata.author),
        published_at: published(facts, &extracted),
        language: language::of(&body, &headline, facts.language.as_deref(), feed.language),
        canonical_url: canonical(facts, url),
        title: fuller.unwrap_or(headline),
        cuts: cuts.into_vec(),
        body,
    })
}

/// Finds the article in a page read twice: strictly, which says where it begins and ends, and leniently, which loses
/// less in between.
fn article(html: &str) -> Option<(Lines, ExtractResult)> {
    let mut page = html::lines(html, Markup::Html);
    let text = |extracted: &ExtractResult| html::lines(&extracted.content_html, Markup::Html);
    let place = |extracted: &ExtractResult| locate::locate(&page, &text(extracted).render());
    let strict = extract(html, ExtractionFocus::FavorPrecision);
    let lenient = extract(html, ExtractionFocus::Balanced);
    let placed = strict.as_ref().and_then(place);
    let others = lenient.as_ref().and_then(place);
    let extracted = strict.or(lenient)?;
    let Some(mut holds) = placed.or_else(|| others.clone()) else {
        return Some((text(&extracted), extracted));
    };
    let first = holds.iter().position(|holds| *holds).unwrap_or(0);
    let last = holds.iter().rposition(|holds| *holds).unwrap_or(first);
    for (holds, other) in
        holds[first..=last].iter_mut().zip(others.iter().flat_map(|o| &o[first..=last]))
    {
        *holds |= other;
    }
    page.keep(|at| holds[at]);
    Some((page, extracted))
}

/// Runs the extractor; `None` where it found nothing or gave up.
fn extract(html: &str, focus: ExtractionFocus) -> Option<ExtractResult> {
    let options = trafilatura::Options::default()
        .with_focus(focus)
        .with_fallback(true)
        .with_exclude_comments(true);
    let run = || trafilatura::extract(html, &options).ok();
    // A page that the crate cannot take is a page without an article; it holds no state that could be broken.
    catch_unwind(AssertUnwindSafe(run)).ok().flatten()
}

/// The headline as the page gives it, without the name of the site.
fn headline(found: &str, feed: &FeedContext<'_>, cuts: &mut Cuts) -> String {
    let raw = RawText { value: found.to_owned(), markup: Markup::Plain };
    title::clean(Some(&raw), feed, cuts)
}

/// The names, each once, joined by `, `.
fn author(found: &str) -> Option<String> {
    let names: Vec<String> = found.split(';').map(str::to_owned).collect();
    super::author(&names)
}

/// When the page was published: to the second where it says so, else the day.
fn published(facts: &Facts, extracted: &ExtractResult) -> Option<Timestamp> {
    let day = || extracted.metadata.date.and_then(|day| instant(&day.to_string()));
    facts.published.as_deref().and_then(instant).or_else(day)
}

/// An ISO 8601 instant; without a zone, or a day alone, UTC.
fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let exact = text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_second);
    let local = || {
        let date_time: jiff::civil::DateTime = text.parse().ok()?;
        Some(jiff::tz::TimeZone::UTC.to_timestamp(date_time).ok()?.as_second())
    };
    Timestamp::from_unix_seconds(exact.or_else(local)?)
}

/// `rel=canonical`, else `og:url`: http(s), of this site, and not the front page unless this is it.
fn canonical(facts: &Facts, url: &str) -> Option<String> {
    let page = Url::parse(url).ok();
    let is_front = |url: &Url| url.path() == "/" && url.query().is_none();
    [&facts.canonical, &facts.og_url].into_iter().flatten().find_map(|link| {
        let found = match &page {
            Some(page) => page.join(link),
            None => Url::parse(link),
        };
        found
            .ok()
            .filter(|found| matches!(found.scheme(), "http" | "https"))
            .filter(|found| page.as_ref().is_none_or(|page| is_same_site(page, found)))
            .filter(|found| !is_front(found) || page.as_ref().is_some_and(is_front))
            .map(String::from)
    })
}

/// Whether one host is the other's or below it, `www.` and its like left out. A link to another site names where a text
/// was taken from, or is a mistake of a template; this article's address it is not.
fn is_same_site(one: &Url, other: &Url) -> bool {
    const FRONTS: [&str; 4] = ["www.", "m.", "mobile.", "amp."];
    let (Some(one), Some(other)) = (one.host_str(), other.host_str()) else { return false };
    let bare = |host: &'_ str| {
        FRONTS.iter().find_map(|front| host.strip_prefix(front)).unwrap_or(host).to_owned()
    };
    let (one, other) = (bare(one), bare(other));
    let is_below = |host: &str, above: &str| {
        host.strip_suffix(above).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    is_below(&one, &other) || is_below(&other, &one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canonical_link_names_a_page_of_this_site() {
        let page = "https://m.news.example/story?id=1";
        for (link, expected) in [
            ("/story/1", Some("https://m.news.example/story/1")),
            ("https://www.news.example/story/1", Some("https://www.news.example/story/1")),
            ("https://news.example/", None),
            ("https://agency.example/story/1", None),
            ("https://badnews.example/story/1", None),
            ("ftp://news.example/story/1", None),
            ("https://", None),
        ] {
            let facts = Facts { canonical: Some(link.to_owned()), ..Facts::default() };
            assert_eq!(canonical(&facts, page).as_deref(), expected, "{link}");
        }
    }
}
