//! `newsfold explain` and `newsfold unfold`: why an article was kept or a copy folded, from what was stored when it
//! was decided, and taking such a decision back.

use std::fmt::Write;

use serde::Serialize;
use serde_json::Value;

use super::{
    Exit, Global, Id, dedup, load, now, open_for_reading, open_for_writing,
    output::{self, printable},
    summary::counted,
    words::tree,
};
use crate::{
    model::{ArticleId, DuplicateId},
    store::read::{FullArticle, FullDuplicate},
    writer,
};

pub(super) fn explain(global: &Global, id: Id) -> anyhow::Result<Exit> {
    let config = load(global)?;
    let db = open_for_reading(&config)?;
    match id {
        Id::Article(id) => {
            let mut article = db.article(id)?;
            // The texts are what `show` is for.
            article.revisions.clear();
            output::value(global.json, &article, kept)?;
        }
        Id::Duplicate(id) => {
            let copy = db.duplicate(id)?;
            let article = db.article(copy.article_id)?;
            output::value(global.json, &copy, |copy| folded(copy, &article))?;
        }
    }
    Ok(Exit::Fine)
}

pub(super) fn unfold(global: &Global, id: DuplicateId) -> anyhow::Result<Exit> {
    let config = load(global)?;
    let db = open_for_writing(&config)?;
    let copy = db.duplicate(id)?;
    let mut state = writer::State::new(db, config.window_seconds());
    let options_of = |url: &str| {
        let feed = config.feeds.iter().find(|feed| feed.url.as_str() == url);
        feed.map_or_else(|| dedup::options(&config), |feed| feed.writer_options(&config).dedup)
    };
    let article = writer::unfold(&mut state, id, &options_of, now())?;
    let unfolded = Unfolded { id: article, duplicate_id: id, left_article_id: copy.article_id };
    output::value(global.json, &unfolded, |_| {
        format!("{id} is article {article} now and stays apart from article {}\n", copy.article_id)
    })?;
    Ok(Exit::Fine)
}

#[derive(Debug, Serialize)]
struct Unfolded {
    /// The new article.
    id: ArticleId,
    /// What it was.
    duplicate_id: DuplicateId,
    /// What it was folded into.
    left_article_id: ArticleId,
}

fn kept(article: &FullArticle) -> String {
    let mut text = format!(
        "article {} was kept: {}\n  {}\n  {}\n",
        article.id,
        because(&article.evidence),
        printable(&article.title),
        printable(&article.feed),
    );
    for comparison in list(&article.evidence, "refused") {
        text.push_str(&refused(comparison));
    }
    let rest = without(&article.evidence, &["refused", "compared", "passed_over"]);
    if rest.as_object().is_some_and(|rest| !rest.is_empty()) {
        let _ = write!(text, "\n{}", tree(&rest, 2));
    }
    let copies = article.carriers.iter().filter(|carrier| carrier.duplicate_id.is_some());
    for copy in copies {
        let id = copy.duplicate_id.map(|id| id.to_string()).unwrap_or_default();
        let reason = copy.reason.as_deref().unwrap_or_default();
        let similarity = copy.similarity.unwrap_or_default();
        let _ = write!(text, "\n{id} was folded into it: {reason}, similarity {similarity:.2}");
    }
    text.trim_end().to_owned() + "\n"
}

fn because(evidence: &Value) -> String {
    if evidence["scope"] == "off" {
        return "its feed's scope is off, so it was not compared".to_owned();
    }
    if !evidence["unfolded_from"].is_null() {
        return format!("somebody unfolded it from article {}", evidence["unfolded_from"]);
    }
    if !evidence["left"].is_null() {
        return format!(
            "edited by its publisher, it is no longer a copy of article {}",
            evidence["left"]
        );
    }
    let count = |key: &str| {
        let count = evidence[key].as_u64().map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        count.filter(|count| *count > 0)
    };
    let passed_over = count("passed_over").map_or(String::new(), |count| {
        let texts = counted(count, "much longer or shorter text", "much longer or shorter texts");
        format!("; {texts} under another headline passed over")
    });
    let compared = match (evidence["compared"].is_null(), count("compared")) {
        (true, _) => "see below".to_owned(),
        (_, None) => "nothing like it was there".to_owned(),
        (_, Some(count)) => {
            format!("compared with {}, a copy of none", counted(count, "text", "texts"))
        }
    };
    compared + &passed_over
}

fn folded(copy: &FullDuplicate, article: &FullArticle) -> String {
    let distance = copy.distance.map(|bits| format!(", distance {bits} of 64")).unwrap_or_default();
    let mut text = format!(
        "{} was folded into article {}: {}, similarity {:.2}{distance}\n",
        copy.id, copy.article_id, copy.reason, copy.similarity
    );
    let _ = writeln!(text, "  copy     {} | {}", printable(&copy.feed), printable(&copy.title));
    let _ =
        writeln!(text, "  article  {} | {}", printable(&article.feed), printable(&article.title));
    if article.text_from == Some(copy.id) {
        let _ = writeln!(text, "  its text was the fuller one and stands in the article");
    }
    let matched = &copy.evidence["matched"];
    if matched.is_object() {
        let _ = write!(text, "\nmatched {}:\n{}", target(matched), comparison_tree(matched));
    }
    let kept = &copy.evidence["kept"];
    if kept.is_object() {
        let _ = write!(
            text,
            "\nagainst article {} itself:\n{}",
            copy.article_id,
            comparison_tree(kept)
        );
    }
    for comparison in list(&copy.evidence, "refused") {
        text.push_str(&refused(comparison));
    }
    let rest = without(&copy.evidence, &["matched", "kept", "refused", "compared", "passed_over"]);
    let _ = write!(text, "\n{}", tree(&rest, 0));
    for cut in copy.cuts.as_array().map(Vec::as_slice).unwrap_or_default() {
        let word = |key: &str| printable(cut[key].as_str().unwrap_or_default());
        let _ = writeln!(
            text,
            "taken from the copy, {} ({}): {}",
            word("place"),
            word("kind"),
            word("text")
        );
    }
    let _ = writeln!(text, "\nundo it with: newsfold unfold {}", copy.id);
    text
}

/// A comparison that led nowhere: with another story, or with a text whose article may not be joined.
fn refused(comparison: &Value) -> String {
    let kept = &comparison["kept"];
    let own = format!("{}:\n{}", target(comparison), comparison_tree(comparison));
    if kept.is_object() {
        let shown = comparison_tree(kept);
        format!(
            "\na copy of {own}but it may not join that article; against what is shown there:\n{shown}"
        )
    } else {
        format!("\nnot a copy of {own}")
    }
}

/// `article 7` or `d12, a copy of article 7`, and how it was found.
fn target(comparison: &Value) -> String {
    let article = &comparison["article"];
    let which = match (comparison["copy"].as_str(), comparison["revision"].as_u64()) {
        (Some(copy), _) => format!("{copy}, a copy of article {article}"),
        (None, Some(_)) => format!("the earlier text of article {article}"),
        (None, None) => format!("article {article}"),
    };
    match comparison["via"].as_str() {
        Some(via) => format!("{which}, found by {via}"),
        None => which,
    }
}

fn comparison_tree(comparison: &Value) -> String {
    let mut all = without(comparison, &["article", "copy", "revision", "via", "evidence", "kept"]);
    if let (Some(all), Some(evidence)) = (all.as_object_mut(), comparison["evidence"].as_object()) {
        all.extend(evidence.clone());
    }
    tree(&all, 2)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn without(value: &Value, keys: &[&str]) -> Value {
    let mut value = value.clone();
    if let Some(object) = value.as_object_mut() {
        object.retain(|key, _| !keys.contains(&key.as_str()));
    }
    value
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn why_an_article_was_kept_is_said_in_words() {
        for (evidence, said) in [
            (json!({"scope": "off"}), "its feed's scope is off, so it was not compared"),
            (json!({"unfolded_from": 7}), "somebody unfolded it from article 7"),
            (json!({"compared": 0}), "nothing like it was there"),
            (json!({"compared": 1}), "compared with 1 text, a copy of none"),
            (json!({"compared": 12, "refused": []}), "compared with 12 texts, a copy of none"),
            (
                json!({"compared": 0, "passed_over": 2}),
                "nothing like it was there; 2 much longer or shorter texts under another headline passed over",
            ),
        ] {
            assert_eq!(because(&evidence), said);
        }
    }

    #[test]
    fn a_comparison_says_with_what_and_how_it_was_found() {
        let comparison = json!({"article": 7, "copy": "d3", "via": "passages", "distance": 5,
            "evidence": {"test": "copied", "copied": [1.0, 0.5]}});
        assert_eq!(target(&comparison), "d3, a copy of article 7, found by passages");
        assert_eq!(
            comparison_tree(&comparison),
            "  distance  5\n  test      copied\n  copied    1 / 0.5\n"
        );
        let shown = json!({"article": 7, "similarity": 0, "evidence": {"test": "neither"}});
        let mut joins_not = comparison.clone();
        joins_not["kept"] = shown;
        assert_eq!(
            refused(&joins_not),
            "\na copy of d3, a copy of article 7, found by passages:\n  distance  5\n  test      copied\n  \
             copied    1 / 0.5\nbut it may not join that article; against what is shown there:\n  \
             similarity  0\n  test        neither\n"
        );
        assert!(refused(&comparison).starts_with("\nnot a copy of d3, "));
    }
}
