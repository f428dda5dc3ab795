//! One HTTP exchange: send, wait for the header, collect the body; every wait with its deadline.

use std::{future::Future, sync::Arc, time::Duration};

use reqwest::{Client, Response, header::HeaderMap};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};
use url::Url;

use super::{Error, Options, error::from_client, headers};

/// Bodies up to this size do not count against the budget: at most `concurrency` of them exist at once.
const SMALL_BODY_BYTES: u64 = 256 * 1024;

/// The largest share that one body can take: the smallest budget.
pub(super) const MAX_SHARE_BYTES: u32 = 16 << 20;

/// When the whole fetch must be over. Waiting for our own limits does not count.
pub(super) struct Deadline {
    at: Instant,
    total: Duration,
}

impl Deadline {
    pub(super) fn new(total: Duration) -> Self {
        Self { at: Instant::now() + total, total }
    }

    /// Awaits something that is our own affair: the deadline moves by as long as it takes.
    pub(super) async fn pause<F: Future>(&mut self, future: F) -> F::Output {
        let begin = Instant::now();
        let output = future.await;
        self.at += begin.elapsed();
        output
    }

    /// Awaits `future` until the deadline.
    async fn keep<F: Future>(&self, future: F) -> Result<F::Output, Error> {
        let late = |_| Error::Timeout { phase: "the whole fetch", after: self.total };
        timeout_at(self.at, future).await.map_err(late)
    }

    /// Awaits `future` for `limit`, or until the deadline where that comes first.
    async fn keep_within<F: Future>(&self, limit: Duration, future: F) -> Result<F::Output, Error> {
        let until = Instant::now() + limit;
        if until >= self.at {
            return self.keep(future).await;
        }
        timeout_at(until, future)
            .await
            .map_err(|_| Error::Timeout { phase: "the answer", after: limit })
    }
}

/// Sends a GET and waits for the answer's header.
pub(super) async fn send(
    options: &Options,
    client: &Client,
    url: &Url,
    fields: HeaderMap,
    deadline: &Deadline,
) -> Result<Response, Error> {
    let mut request = reqwest::Request::new(reqwest::Method::GET, url.clone());
    *request.headers_mut() = fields;
    let host = url.host_str().unwrap_or_default();
    let answer = deadline.keep_within(options.first_byte_timeout, client.execute(request)).await?;
    let response = answer.map_err(|error| from_client(error, host, options.connect_timeout))?;
    if headers::size(response.headers()) > options.max_header_bytes as usize {
        return Err(Error::TooLarge { what: "header", limit: u64::from(options.max_header_bytes) });
    }
    Ok(response)
}

/// Collects a body of at most `max_body` bytes.
///
/// A body that grows beyond a small one takes its share of `budget` first, once and for all that it may become: a
/// fetch never waits for a share while it holds one, so they cannot wait for each other.
pub(super) async fn collect(
    mut response: Response,
    max_body: u64,
    budget: &Arc<Semaphore>,
    deadline: &mut Deadline,
) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), Error> {
    let too_large = || Error::TooLarge { what: "body", limit: max_body };
    let announced = response.content_length();
    if announced.is_some_and(|length| length > max_body) {
        return Err(too_large());
    }
    let host = response.url().host_str().unwrap_or_default().to_owned();
    let mut bytes = Vec::with_capacity(
        usize::try_from(announced.unwrap_or(0).min(SMALL_BODY_BYTES)).unwrap_or(0),
    );
    let mut share = None;
    loop {
        let chunk = deadline.keep(response.chunk()).await?;
        let chunk = chunk.map_err(|error| from_client(error, &host, Duration::ZERO))?;
        let Some(chunk) = chunk else { return Ok((bytes, share)) };
        let length = (bytes.len() + chunk.len()) as u64;
        if length > max_body {
            return Err(too_large());
        }
        if length > SMALL_BODY_BYTES && share.is_none() {
            share = deadline.pause(take_share(budget, announced.unwrap_or(max_body))).await;
        }
        bytes.extend_from_slice(&chunk);
    }
}

/// A share of the budget for `size` bytes.
async fn take_share(budget: &Arc<Semaphore>, size: u64) -> Option<OwnedSemaphorePermit> {
    // More than the whole budget would never be granted.
    let wanted = u32::try_from(size).unwrap_or(u32::MAX).min(MAX_SHARE_BYTES);
    Arc::clone(budget).acquire_many_owned(wanted).await.ok()
}
