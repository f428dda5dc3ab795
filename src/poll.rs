//! One feed, one poll: fetch, digest off the async threads, hand over to the writer.
//!
//! Whatever happens to it, a poll ends in exactly one place: one [`writer::Writer::record`], which carries the outcome, the
//! feed's new state and its articles. Only a database that fails is an `Err` here; a feed that fails is data.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    context::{Context, Settings},
    digest::{self, Listing},
    fetch::{self, Fetched, Purpose, Received, Request, Slot},
    model::{Document, Known, Timestamp},
    pages,
    schedule::moves,
    store::feeds::FeedState,
    writer::{self, Moved, Outcome, Poll, PollReport, Response, Validators},
};

/// How the exchange and the reading went: all that is left of a poll when it is handed over.
struct Ended {
    /// When the answer, or the failure, was there: one instant for all that the poll brings, so that a date clamped to
    /// first seen is first seen.
    at: Timestamp,
    http_status: Option<u16>,
    body_bytes: u64,
    outcome: Outcome,
    response: Response,
    /// An order beside a failure that could not be followed as it was sent.
    absurd: Option<fetch::RetryAfter>,
}

/// Polls a feed that was claimed. `slot` is the permission to ask its host, where the caller has it already.
///
/// # Errors
///
/// Only where the poll could not be recorded: the database failed, or the writer has ended.
pub async fn poll(
    cx: &Context,
    feed: &FeedState,
    settings: &Arc<Settings>,
    slot: Option<Slot>,
) -> Result<PollReport, writer::Error> {
    let (started_at, clock) = ((cx.clock)(), Instant::now());
    let validators = feed
        .validators()
        .filter(|_| !feed.schedule.wants_full_get(started_at))
        .map(|(etag, last_modified, url)| fetch::Validators { url, etag, last_modified });
    let request = Request {
        url: &feed.effective_url,
        validators: validators.as_ref(),
        options: &settings.fetch,
        purpose: Purpose::Feed,
        asker: &feed.url,
        now: started_at,
        slot,
    };
    let mut ended = match cx.fetcher.fetch(request).await {
        Ok(fetched) => answered(cx, feed, settings, fetched).await?,
        Err(error) => failed(&error, settings, (cx.clock)()),
    };
    ended.response.is_full_get = validators.is_none();
    // Those of pages and of robots.txt too, and whoever's poll met them.
    ended.response.closed_origins.extend(cx.fetcher.hosts().take_unkept(ended.at));
    let report = cx
        .writer
        .record(Poll {
            feed_id: feed.id,
            started_at,
            ended_at: ended.at,
            duration_ms: milliseconds(clock.elapsed()),
            http_status: ended.http_status,
            body_bytes: ended.body_bytes,
            outcome: ended.outcome,
            response: ended.response,
            schedule: settings.schedule,
            options: Arc::clone(&settings.judging),
        })
        .await?;
    // As often as its failure is warned of.
    if let Some(order) = ended.absurd.filter(|_| report.is_warning) {
        warn_of_absurd(&order);
    }
    Ok(report)
}

/// The server answered: with "not modified", or with a document that is now read.
async fn answered(
    cx: &Context,
    feed: &FeedState,
    settings: &Arc<Settings>,
    fetched: Fetched,
) -> Result<Ended, writer::Error> {
    let now = (cx.clock)();
    let Fetched { status, final_url, chain, body, validators, freshness, retry_after, body_bytes } =
        fetched;
    let mut response = Response {
        max_age_seconds: freshness.max_age_seconds,
        expires_seconds: freshness.expires_seconds,
        ..Response::default()
    };
    let (mut is_whole, mut absurd) = (true, None);
    let outcome = match body {
        None => Outcome::Unchanged,
        Some(received) => {
            let ends_with_connection = received.ends_with_connection;
            let known = Arc::new(cx.writer.known(feed.id).await?);
            let mut outcome =
                read(cx, received, final_url.clone(), Arc::clone(&known), settings, now).await;
            if let Outcome::Changed(listing) = &mut outcome {
                is_whole = !(ends_with_connection && listing.is_cut);
                pages::fill(cx, feed, settings, &known, listing).await?;
            }
            outcome
        }
    };
    if matches!(outcome, Outcome::Failed { .. }) {
        // What could not be read leaves the validators of what could in place, and may be an error page with an order.
        response.retry_after_seconds = retry_after.as_ref().map(|order| order.seconds);
        absurd = retry_after.filter(|order| order.bounded.is_some());
    } else {
        // A "not modified" to those of half a document would hide the other half.
        response.validators = is_whole.then(|| validators.map(from_fetch).unwrap_or_default());
        response.moved = moved(feed, settings, &chain, &final_url, now);
    }
    Ok(Ended { at: now, http_status: status, body_bytes, outcome, response, absurd })
}

/// Decompresses and digests a document on a worker thread. A panic in there costs this one poll.
async fn read(
    cx: &Context,
    received: Received,
    url: String,
    known: Arc<Known>,
    settings: &Arc<Settings>,
    now: Timestamp,
) -> Outcome {
    let settings = Arc::clone(settings);
    let span = tracing::Span::current();
    let work = move || span.in_scope(|| digest_received(received, url, &known, &settings, now));
    match cx.workers.run(work).await {
        Ok(Ok(listing)) => Outcome::Changed(Box::new(listing)),
        Ok(Err((kind, message))) => {
            Outcome::Failed { kind: kind.to_owned(), message, is_soft: false }
        }
        Err(error) => {
            tracing::error!(error = %error, "a panic while reading a document: please report it with the feed's URL");
            let message = "reading the document failed in a way that it never should".to_owned();
            Outcome::Failed { kind: "panic".to_owned(), message, is_soft: false }
        }
    }
}

fn digest_received(
    received: Received,
    url: String,
    known: &Known,
    settings: &Settings,
    now: Timestamp,
) -> Result<Listing, (&'static str, String)> {
    let content_type = received.content_type.clone();
    let bytes = received
        .decode(settings.fetch.max_body)
        .map_err(|error| (error.kind(), error.to_string()))?;
    let document = Document { bytes, content_type, url };
    digest::digest(&document, known, &settings.digest, now)
        .map_err(|error| (error.kind(), error.to_string()))
}

/// No document came.
fn failed(error: &fetch::Error, settings: &Settings, now: Timestamp) -> Ended {
    let http_status = error.status();
    let outcome = match (error, http_status) {
        (fetch::Error::Held { until, .. }, _) => {
            Outcome::Held { until: *until, message: error.to_string() }
        }
        (_, Some(410)) => Outcome::Gone,
        _ => Outcome::Failed {
            kind: error.kind().to_owned(),
            message: error.to_string(),
            is_soft: error.is_soft(),
        },
    };
    let absurd = error.retry_after().filter(|order| order.bounded.is_some()).cloned();
    let closed = error.closes_origin(settings.schedule.min_interval_seconds);
    let response = Response {
        retry_after_seconds: error.retry_after().map(|order| order.seconds),
        closed_origins: closed
            .map(|(origin, seconds)| (origin, now.plus_seconds(i64::from(seconds))))
            .into_iter()
            .collect(),
        ..Response::default()
    };
    Ended { at: now, http_status, body_bytes: 0, outcome, response, absurd }
}

fn warn_of_absurd(order: &fetch::RetryAfter) {
    let raw = order.bounded.as_deref().unwrap_or_default();
    let counts_as = match order.seconds {
        0 => "no time to come counts as none",
        _ => "over seven days counts as seven days",
    };
    tracing::warn!(retry_after = raw, "a Retry-After that names {counts_as}: {raw:?}");
}

fn moved(
    feed: &FeedState,
    settings: &Settings,
    chain: &[fetch::Hop],
    final_url: &str,
    now: Timestamp,
) -> Moved {
    let hops = chain.iter().map(|hop| (hop.status, hop.url.as_str()));
    let after = settings.schedule.adopt_redirects_after_seconds;
    match moves::decide(feed.schedule.moved.as_ref(), hops, final_url, after, now) {
        moves::Decision::Stay => Moved::No,
        moves::Decision::Watch(watched) => Moved::Watched(watched),
        moves::Decision::Adopt(to) => Moved::Adopted { to },
    }
}

fn from_fetch(validators: fetch::Validators) -> Validators {
    let fetch::Validators { url, etag, last_modified } = validators;
    Validators { etag, last_modified, url }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
