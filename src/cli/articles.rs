//! `newsfold articles` and `newsfold show`: what has been kept, as a list and one by one.

use std::fmt::Write;

use serde_json::Value;

use super::{
    ArticlesArguments, Exit, Global, load, now, open_for_reading,
    output::{self, printable, printable_lines},
    summary::counted,
    table::{Column, Table},
};
use crate::{
    model::ArticleId,
    store::read::{ArticleLine, ArticleQuery, Carrier, FullArticle, Revision},
};

pub(super) fn articles(global: &Global, arguments: &ArticlesArguments) -> anyhow::Result<Exit> {
    let config = load(global)?;
    let db = open_for_reading(&config)?;
    let feed = arguments.feed.as_deref().map(|feed| db.find_feed(feed)).transpose()?;
    let articles = db.articles(&ArticleQuery {
        since: arguments.since.map(|since| since.instant(now())),
        feed,
        search: arguments.search.as_deref(),
        limit: arguments.limit,
    })?;
    output::rows(global.json, &articles, |articles| listed(articles, output::width()))?;
    Ok(Exit::Fine)
}

pub(super) fn show(global: &Global, id: ArticleId) -> anyhow::Result<Exit> {
    let config = load(global)?;
    let article = open_for_reading(&config)?.article(id)?;
    output::value(global.json, &article, |article| shown(article, output::width()))?;
    Ok(Exit::Fine)
}

fn listed(articles: &[ArticleLine], width: Option<usize>) -> String {
    let mut table = Table::new(&[
        ("id", Column::Right),
        ("published_at", Column::Left),
        ("carriers", Column::Right),
        ("feed", Column::Text),
        ("title", Column::Text),
    ]);
    for article in articles {
        table.row([
            article.id.to_string(),
            article.published_at.to_string(),
            article.carriers.to_string(),
            article.feed.clone(),
            article.title.clone(),
        ]);
    }
    table.render(width)
}

fn shown(article: &FullArticle, width: Option<usize>) -> String {
    let mut text = format!("{}  {}\n", article.id, printable(&article.title));
    let _ = writeln!(text, "{}", particulars(article));
    for line in [article.url.as_deref(), tags(&article.tags).as_deref()].into_iter().flatten() {
        let _ = writeln!(text, "{}", printable(line));
    }
    let _ = writeln!(text, "\n{}", printable_lines(&article.body));
    if article.carriers.len() > 1 {
        let _ = write!(text, "\ncarried by\n{}", carriers(&article.carriers, width));
    }
    if !article.revisions.is_empty() {
        let _ = write!(text, "\nearlier texts\n{}", revisions(&article.revisions, width));
    }
    text
}

fn particulars(article: &FullArticle) -> String {
    let published = match article.published_at {
        Some(at) => at.to_string(),
        None => format!("first seen {}", article.first_seen_at),
    };
    let lent = article.text_from.map(|copy| format!("text lent by {copy}"));
    let revised = (article.revision > 1).then(|| format!("revision {}", article.revision));
    let parts = [
        Some(article.feed.clone()),
        article.author.clone(),
        Some(published),
        article.language.clone(),
        Some(counted(article.word_count, "word", "words")),
        revised,
        lent,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().map(|part| printable(&part)).collect();
    parts.join(" | ")
}

fn tags(tags: &Value) -> Option<String> {
    let tags: Vec<&str> = tags.as_array()?.iter().filter_map(Value::as_str).collect();
    (!tags.is_empty()).then(|| format!("tags: {}", tags.join(", ")))
}

fn carriers(carriers: &[Carrier], width: Option<usize>) -> String {
    let mut table = Table::new(&[
        ("  id", Column::Right),
        ("published_at", Column::Left),
        ("reason", Column::Left),
        ("similarity", Column::Right),
        ("feed", Column::Text),
        ("title", Column::Text),
        ("url", Column::Text),
    ]);
    for carrier in carriers {
        table.row([
            carrier.duplicate_id.map_or_else(String::new, |id| id.to_string()),
            carrier.published_at.to_string(),
            carrier.reason.clone().unwrap_or_else(|| carrier.role.clone()),
            carrier.similarity.map_or_else(String::new, |similarity| format!("{similarity:.2}")),
            carrier.feed.clone(),
            carrier.title.clone(),
            carrier.url.clone().unwrap_or_default(),
        ]);
    }
    table.render(width)
}

fn revisions(revisions: &[Revision], width: Option<usize>) -> String {
    let mut table = Table::new(&[
        ("  revision", Column::Right),
        ("replaced_at", Column::Left),
        ("change", Column::Left),
        ("words", Column::Right),
        ("title", Column::Text),
    ]);
    for revision in revisions {
        table.row([
            revision.revision.to_string(),
            revision.replaced_at.to_string(),
            revision.change.clone(),
            revision.word_count.to_string(),
            revision.title.clone(),
        ]);
    }
    table.render(width)
}
