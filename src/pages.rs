//! The web pages behind a feed's entries, where its configuration asks for them.
//!
//! In: a listing fresh from `digest`. Out: the same, articles with the fuller clean text of feed and page. A page is
//! asked for once, when its entry is first seen; robots.txt is obeyed, and every guard and limit of feeds holds. What
//! goes wrong with a page costs that page: the article keeps the feed's text.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    context::{ContentSource, Context, Settings},
    digest::{Arrival, Listing},
    fetch::{self, FetchOptions, Fetched, Purpose, Request},
    model::{Article, Known},
    normalize::{self, FeedContext, Page},
    parse,
    store::feeds::FeedState,
    writer,
};

/// A poll asks for pages for so long at most: its claim outlives it, and the next poll is not kept waiting.
const BUDGET: Duration = Duration::from_secs(300);
/// Feed bodies with fewer words are taken for stubs; a teaser has 20 to 60, the shortest reports a hundred.
const STUB_WORDS: u32 = 80;

/// Replaces the bodies of new articles by those of their pages where that is asked for and better.
///
/// # Errors
///
/// Only where the ledger could not be read.
pub async fn fill(
    cx: &Context,
    feed: &FeedState,
    settings: &Arc<Settings>,
    known: &Known,
    listing: &mut Listing,
) -> Result<(), writer::Error> {
    if settings.source == ContentSource::Feed {
        return Ok(());
    }
    let wanted = wanted(cx, feed, settings.source, listing).await?;
    let deadline = Instant::now() + BUDGET;
    for at in wanted {
        if Instant::now() > deadline {
            tracing::info!("time for pages is up: the remaining articles keep the feed's text");
            break;
        }
        let article = &listing.arrivals[at].article;
        let Some(url) = article.url.clone() else { continue };
        match page(cx, feed, settings, known, listing, &url, &article.title).await {
            Ok(page) => {
                let article = normalize::with_page(article.clone(), page);
                listing.arrivals[at] = Arrival::of(article);
            }
            Err(reason) => tracing::debug!(page.url = url, reason, "the feed's text is kept"),
        }
    }
    Ok(())
}

/// Which arrivals need their page: those never seen before, and of them, in `auto`, the stubs.
async fn wanted(
    cx: &Context,
    feed: &FeedState,
    source: ContentSource,
    listing: &Listing,
) -> Result<Vec<usize>, writer::Error> {
    let candidates: Vec<(usize, String)> = listing
        .arrivals
        .iter()
        .enumerate()
        .filter(|(_, arrival)| source == ContentSource::Page || is_stub(&arrival.article))
        .filter_map(|(at, arrival)| Some((at, arrival.article.url.clone()?)))
        .collect();
    let id = feed.id;
    let unseen = cx.writer.call(move |state| {
        let mut unseen = Vec::new();
        for (at, url) in candidates {
            if !state.db.has_url(id, &url)? {
                unseen.push(at);
            }
        }
        Ok::<_, crate::store::Error>(unseen)
    });
    Ok(unseen.await??)
}

/// Whether a feed's text only points at the article.
fn is_stub(article: &Article) -> bool {
    let is_cut_off = article.body.ends_with('…') || article.body.ends_with("...");
    is_cut_off
        || article.word_count < STUB_WORDS
        || article.cuts.iter().any(|cut| cut.kind == "read_more")
}

/// One page, or in a word why not.
async fn page(
    cx: &Context,
    feed: &FeedState,
    settings: &Arc<Settings>,
    known: &Known,
    listing: &Listing,
    url: &str,
    title: &str,
) -> Result<Page, &'static str> {
    // The feed's credentials and headers are for the feed.
    let options = FetchOptions {
        home: None,
        credentials: None,
        headers: Vec::new(),
        ..settings.fetch.clone()
    };
    let request = Request {
        purpose: Purpose::Page,
        asker: &feed.url,
        ..Request::feed(url, &options, (cx.clock)())
    };
    if !cx.fetcher.may_fetch_page(&request).await.map_err(|error| error.kind())? {
        return Err("robots_txt");
    }
    let fetched = cx.fetcher.fetch(request).await.map_err(|error| error.kind())?;
    let names = (listing.title.clone(), listing.site_url.clone(), listing.language.clone());
    let (settings, title, furniture) =
        (Arc::clone(settings), title.to_owned(), known.furniture.clone());
    let work = move || {
        let context = FeedContext {
            title: names.0.as_deref(),
            site_url: names.1.as_deref(),
            language: names.2.as_deref(),
            furniture: &furniture,
        };
        read(fetched, &title, &context, &settings)
    };
    cx.workers.run(work).await.map_err(|_| "panic")?
}

fn read(
    fetched: Fetched,
    title: &str,
    context: &FeedContext<'_>,
    settings: &Settings,
) -> Result<Page, &'static str> {
    let Fetched { final_url, body: Some(received), .. } = fetched else { return Err("empty") };
    let content_type = received.content_type.clone();
    let bytes =
        received.decode(settings.fetch.max_body).map_err(|error: fetch::Error| error.kind())?;
    let html = parse::page_text(&bytes, content_type.as_deref());
    normalize::normalize_page(&html, &final_url, Some(title), context, &settings.digest.normalize)
        .map_err(normalize::page::Refused::kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{BodySource, Cut, Timestamp};

    fn article(body: &str, word_count: u32) -> Article {
        Article {
            guid: None,
            url: None,
            title: String::new(),
            body: body.to_owned(),
            summary: None,
            author: None,
            tags: Vec::new(),
            language: None,
            published_at: Some(Timestamp::MIN),
            published_source: None,
            updated_at: None,
            word_count,
            body_source: BodySource::Feed,
            cuts: Vec::new(),
            extras: serde_json::Map::new(),
            raw_hash: 0,
            content_hash: 0,
        }
    }

    #[test]
    fn a_stub_is_short_cut_off_or_points_elsewhere() {
        assert!(is_stub(&article("Eleven rescued.", 2)));
        assert!(is_stub(&article("Eleven people were rescued…", 300)));
        assert!(!is_stub(&article("Eleven people were rescued.", 300)));
        let mut pointing = article("Eleven people were rescued.", 300);
        pointing.cuts.push(Cut { kind: "read_more", text: "Read more".to_owned(), place: "end" });
        assert!(is_stub(&pointing));
    }
}
