//! `newsfold inspect`: what parse and normalize make of one document, as JSON. No database, and no configuration
//! unless the document is fetched.

use std::{
    collections::HashSet,
    io::{self, IsTerminal, Read, Write},
    path::Path,
};

use anyhow::{Context, bail};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{DocumentKind, Exit, Global, InspectArguments, load_or_defaults, now, output};
use crate::{
    config::{Config, Feed, FeedUrl},
    fetch::{FetchOptions, Fetcher, Purpose, Request, Secret},
    model::{Article, Cut, Document, Entry, Known, ParsedFeed, Timestamp},
    normalize::{self, FeedContext},
    parse,
};

pub(super) fn inspect(global: &Global, arguments: &InspectArguments) -> anyhow::Result<Exit> {
    let mut document = match &arguments.document {
        name if name == "-" => read_stdin()?,
        name if name.starts_with("https://") || name.starts_with("http://") => {
            fetch(name, arguments.kind, &load_or_defaults(global)?)?
        }
        name => read_file(Path::new(name.strip_prefix("file:").unwrap_or(name)))?,
    };
    if let Some(url) = &arguments.url {
        document.url.clone_from(url);
    }
    if arguments.content_type.is_some() {
        document.content_type.clone_from(&arguments.content_type);
    }
    match arguments.kind {
        DocumentKind::Feed => print(global, &feed(&document, now())?)?,
        DocumentKind::Page => print(global, &page(&document)?)?,
    }
    Ok(Exit::Fine)
}

/// What may be read from a file or stdin: ample for a document, short of what would exhaust the memory.
const MAX_BYTES: u64 = 256 << 20;

fn read_stdin() -> anyhow::Result<Document> {
    let bytes = read(io::stdin().lock()).context("cannot read stdin")?;
    Ok(Document { bytes, content_type: None, url: String::new() })
}

fn read_file(path: &Path) -> anyhow::Result<Document> {
    let cannot = || format!("cannot read {}", path.display());
    let file = std::fs::File::open(path).with_context(cannot)?;
    let bytes = read(file).with_context(cannot)?;
    let folder = std::env::current_dir().unwrap_or_default();
    let url = FeedUrl::parse(&format!("file:{}", path.display()), &folder);
    Ok(Document {
        bytes,
        content_type: None,
        url: url.map(|url| url.to_string()).unwrap_or_default(),
    })
}

fn read(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("it is larger than {} MiB", MAX_BYTES >> 20)));
    }
    Ok(bytes)
}

fn fetch(url: &str, kind: DocumentKind, config: &Config) -> anyhow::Result<Document> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let feed = config.feeds.iter().find(|feed| feed.url.as_str() == url);
    let options = feed.map_or_else(|| fetch_options(config), Feed::fetch_options);
    let purpose = if kind == DocumentKind::Page { Purpose::Page } else { Purpose::Feed };
    let request = Request { purpose, ..Request::feed(url, &options, now()) };
    let fetcher = Fetcher::new(crate::fetch::Options::default());
    let fetched = runtime.block_on(fetcher.fetch(request))?;
    let Some(received) = fetched.body else { bail!("{url} sent no document") };
    let content_type = received.content_type.clone();
    let bytes = received.decode(options.max_body)?;
    Ok(Document { bytes, content_type, url: fetched.final_url })
}

/// For a URL that no configured feed has: what `[fetch]` says of all.
fn fetch_options(config: &Config) -> FetchOptions {
    FetchOptions {
        user_agent: config.fetch.user_agent.clone(),
        timeout: config.fetch.timeout,
        max_body: config.fetch.max_body,
        proxy: config.fetch.proxy.as_deref().map(Secret::new),
        allow_private_networks: config.fetch.allow_private_networks,
        ..FetchOptions::default()
    }
}

/// Indented where a person reads it, one line where a program does.
fn print(global: &Global, value: &impl Serialize) -> anyhow::Result<()> {
    let mut out = output::stdout();
    if global.json || !io::stdout().is_terminal() {
        output::json_line(&mut out, value)?;
    } else {
        serde_json::to_writer_pretty(&mut out, value).map_err(io::Error::from)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

/// A feed document as it is printed.
#[derive(Debug, Serialize)]
struct InspectedFeed {
    format: String,
    title: Option<String>,
    site_url: Option<String>,
    language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_feed_url: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hubs: Vec<String>,
    entries: Vec<FeedEntry>,
    /// What had to be repaired or left out.
    repairs: Vec<String>,
}

#[derive(Debug, Serialize)]
struct FeedEntry {
    guid: Option<String>,
    /// The link as its publisher wrote it.
    url: Option<String>,
    /// What is stored instead: without tracking, past redirectors. Absent where that is `url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    stored_url: Option<String>,
    title: String,
    author: Option<String>,
    published_at: Option<Timestamp>,
    updated_at: Option<Timestamp>,
    body: String,
    cuts: Vec<Cut>,
    published_source: Option<&'static str>,
    summary: Option<String>,
    tags: Vec<String>,
    language: Option<String>,
    word_count: u32,
    extras: Map<String, Value>,
}

impl FeedEntry {
    fn of(entry: &Entry, article: Article) -> Self {
        Self {
            guid: article.guid,
            stored_url: article.url.filter(|url| Some(url) != entry.url.as_ref()),
            url: entry.url.clone(),
            title: article.title,
            author: article.author,
            published_at: article.published_at,
            updated_at: article.updated_at,
            body: article.body,
            cuts: article.cuts,
            published_source: article.published_source.map(|source| source.as_str()),
            summary: article.summary,
            tags: article.tags,
            language: article.language,
            word_count: article.word_count,
            extras: article.extras,
        }
    }
}

fn feed(document: &Document, now: Timestamp) -> Result<InspectedFeed, parse::Error> {
    let limits = parse::Limits::default();
    let ParsedFeed {
        format, title, site_url, language, entries, repairs, new_feed_url, hubs, ..
    } = parse::parse(document, &Known::default(), &limits)?;
    let furniture = HashSet::new();
    let context = FeedContext {
        title: title.as_deref(),
        site_url: site_url.as_deref(),
        language: language.as_deref(),
        furniture: &furniture,
    };
    let options = normalize::Options::default();
    let entries = entries
        .iter()
        .map(|entry| FeedEntry::of(entry, normalize::normalize(entry, &context, &options, now)))
        .collect();
    Ok(InspectedFeed { format, title, site_url, language, new_feed_url, hubs, entries, repairs })
}

/// A web page as it is printed.
#[derive(Debug, Serialize)]
struct Page {
    url: String,
    title: String,
    author: Option<String>,
    published_at: Option<Timestamp>,
    language: Option<String>,
    body: String,
    cuts: Vec<Cut>,
}

fn page(document: &Document) -> anyhow::Result<Page> {
    let html = parse::page_text(&document.bytes, document.content_type.as_deref());
    let furniture = HashSet::new();
    let context =
        FeedContext { title: None, site_url: None, language: None, furniture: &furniture };
    let options = normalize::Options::default();
    match normalize::normalize_page(&html, &document.url, None, &context, &options) {
        Ok(page) => Ok(Page {
            url: page.canonical_url.unwrap_or_else(|| document.url.clone()),
            title: page.title,
            author: page.author,
            published_at: page.published_at,
            language: page.language,
            body: page.body,
            cuts: page.cuts,
        }),
        Err(refused) => bail!("no article in this page: {}", refused.kind()),
    }
}
