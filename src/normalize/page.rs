//! The article inside a web page.

use crate::model::{Cut, Timestamp};

use super::{FeedContext, Options};

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
pub fn normalize_page(
    html: &str,
    url: &str,
    title: Option<&str>,
    feed: &FeedContext<'_>,
    options: &Options,
) -> Result<Page, Refused> {
    let _ = (html, url, title, feed, options);
    Err(Refused::Empty)
}
