//! What a publisher's edit does: a revision of an article, a copy judged again, a text given back.
//!
//! An article that was kept is never folded later, however it is edited. A copy that no longer holds becomes
//! an article of its own; an article whose text a copy had lent returns to its own then.

use std::borrow::Cow;

use serde_json::json;

use super::{
    change::{Change, classify},
    judge::{basis, outdoes, shared_key, takes_over},
    lines::strip,
    outcome::Options,
    state::{State, instant, with_side},
};
use crate::{
    dedup::{self, Scope, Side, Signature, Text, Verification, verify},
    digest::Arrival,
    model::{Article, ArticleId, BodySource, DuplicateId, FeedId, Fingerprint, TextId, Timestamp},
    store::{
        Error,
        articles::{Folded, Kept, NewText, StoredText},
    },
};

/// The publisher has edited the entry of an article. Returns whether its text changed.
pub(super) fn revise_article(
    state: &mut State,
    id: ArticleId,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<bool, Error> {
    let is_revised = revise_text(state, id, arrival, now)?;
    // After the text: the revision keeps the author that its text had.
    state.db.update_particulars(id, &arrival.article)?;
    Ok(is_revised)
}

/// A page is asked for once: when its entry is listed again, changed or not, the feed's teaser does not take the place
/// of the page's fuller text. The headline follows the feed.
fn beside_page<'a>(arrival: &'a Arrival, current: &StoredText) -> Cow<'a, Arrival> {
    let article = &arrival.article;
    let is_teaser =
        article.body_source == BodySource::Feed && article.word_count <= current.word_count;
    if current.body_source != BodySource::Page.as_str() || !is_teaser {
        return Cow::Borrowed(arrival);
    }
    Cow::Owned(Arrival::of(Article {
        body: current.body.clone(),
        word_count: current.word_count,
        body_source: BodySource::Page,
        ..article.clone()
    }))
}

fn revise_text(
    state: &mut State,
    id: ArticleId,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(current) = state.db.article_text(id)? else { return Ok(false) };
    let arrival = &*beside_page(arrival, &current);
    let article = &arrival.article;
    // An entry that has lost its text (a paywall, a broken template) does not take ours away.
    if article.body.is_empty() && !current.body.is_empty() {
        return Ok(false);
    }
    if current.body_source == "copy" {
        return revise_lent(state, &current, arrival, now);
    }
    let before = (current.title.as_str(), current.body.as_str());
    let Some(change) = classify(before, (&article.title, &article.body)) else { return Ok(false) };
    let (fingerprint, text_id) = if change.is_told() {
        index_text(state, current.feed_id, current.first_seen_at, &arrival.signature, now)?
    } else {
        (current.fingerprint, current.text_id)
    };
    let new = own_text(article, fingerprint, text_id);
    replace_text(state, &current, &new, change.as_str(), change.is_told(), now)?;
    Ok(true)
}

/// An edit of the first publisher while a fuller copy's text stands in its place: recorded, and shown only if
/// it is the fullest now.
fn revise_lent(
    state: &mut State,
    current: &StoredText,
    arrival: &Arrival,
    now: Timestamp,
) -> Result<bool, Error> {
    let article = &arrival.article;
    let Some(own) = state.db.own_text(current.article_id)? else { return Ok(false) };
    let Some(change) = classify((&own.title, &own.body), (&article.title, &article.body)) else {
        return Ok(false);
    };
    if article.word_count <= current.word_count {
        state.db.record_hidden_edit(current.article_id, article, now)?;
        return Ok(true);
    }
    let (fingerprint, text_id) =
        index_text(state, current.feed_id, current.first_seen_at, &arrival.signature, now)?;
    let new = own_text(article, fingerprint, text_id);
    let change = if change == Change::Headline { change } else { Change::Substantive };
    replace_text(state, current, &new, change.as_str(), true, now)?;
    Ok(true)
}

/// The publisher of a copy has edited it: its row follows, and it is judged again against its own article.
pub(super) fn revise_duplicate(
    state: &mut State,
    id: DuplicateId,
    arrival: &Arrival,
    options: &Options,
    now: Timestamp,
) -> Result<bool, Error> {
    let Some(copy) = state.db.duplicate_text(id)? else { return Ok(false) };
    let arrival = &*beside_page(arrival, &copy);
    let article = &arrival.article;
    let before = (copy.title.as_str(), copy.body.as_str());
    let is_emptied = article.body.is_empty() && !copy.body.is_empty();
    let change = match classify(before, (&article.title, &article.body)) {
        Some(change) if !is_emptied => change,
        _ => return Ok(false),
    };
    let Some(kept) = state.db.article_text(copy.article_id)? else { return Ok(false) };
    let has_lent = state.db.text_from(kept.article_id)? == Some(id);
    let against = if has_lent { with_own_text(state, &kept)? } else { kept.clone() };
    let verification = compare(state, &copy, arrival, &against, options)?;
    let key = shared_key(article.guid.as_deref(), article.url.as_deref(), &kept);
    let titles = key.map(|_| [article.title.as_str(), &against.title]);
    let holds = basis(&verification, titles, &options.dedup).is_some()
        || still_matches_another(state, id, &copy, arrival, options)?;
    let (fingerprint, text_id) = if change.is_told() {
        index_text(state, copy.feed_id, copy.first_seen_at, &arrival.signature, now)?
    } else {
        (copy.fingerprint, copy.text_id)
    };
    let evidence = json!({
        "edited_at": now,
        "matched": {
            "article": kept.article_id,
            "similarity": verification.similarity,
            "evidence": verification.evidence,
        },
        "thresholds": options.dedup.thresholds,
        "before": state.db.duplicate_evidence(id)?.get("matched"),
    });
    let folded = Folded {
        article_id: kept.article_id,
        reason: key
            .unwrap_or(verification.reason.map_or("near_duplicate", |reason| reason.as_str())),
        distance: (fingerprint.0 != 0 && against.fingerprint.0 != 0)
            .then(|| fingerprint.distance(against.fingerprint)),
        similarity: if verification.is_duplicate {
            verification.similarity.clamp(0.0, 1.0)
        } else {
            verification.similarity.max(verification.evidence.headline).clamp(0.0, 1.0)
        },
        kept: Kept {
            feed_id: copy.feed_id,
            fingerprint,
            text_id,
            first_seen_at: copy.first_seen_at,
            evidence: &evidence,
        },
    };
    state.db.update_duplicate(id, article, &folded)?;
    if !holds {
        if has_lent {
            return_own_text(state, &kept, now)?;
        }
        let evidence = json!({ "left": kept.article_id, "because": evidence });
        state.db.promote_duplicate(id, &evidence)?;
    } else if has_lent {
        follow_lender(state, &kept, id, &verification, (fingerprint, text_id), arrival, now)?;
    } else if takes_over(state, copy.feed_id, &kept, &verification, key.is_some(), &options.dedup)?
    {
        take_over(state, &kept, id, article, fingerprint, text_id, now)?;
    }
    // Last: until now the article may have shown it.
    state.release_text(copy.text_id)?;
    Ok(true)
}

/// The copy that lent its text was edited: the article follows while the new text still is the fuller one.
fn follow_lender(
    state: &mut State,
    kept: &StoredText,
    copy: DuplicateId,
    against_own: &Verification,
    (fingerprint, text_id): (Fingerprint, Option<TextId>),
    arrival: &Arrival,
    now: Timestamp,
) -> Result<(), Error> {
    if against_own.length_ratio < 1.0 {
        return return_own_text(state, kept, now);
    }
    let article = &arrival.article;
    let before = (kept.title.as_str(), kept.body.as_str());
    let Some(change) = classify(before, (&article.title, &article.body)) else { return Ok(()) };
    let new = NewText {
        body_source: "copy",
        text_from: Some(copy),
        ..own_text(article, fingerprint, text_id)
    };
    replace_text(state, kept, &new, change.as_str(), change.is_told(), now)
}

/// A fuller copy's text takes the kept one's place; the old text goes to the revisions.
pub(super) fn take_over(
    state: &mut State,
    kept: &StoredText,
    copy: DuplicateId,
    article: &Article,
    fingerprint: Fingerprint,
    text_id: Option<TextId>,
    now: Timestamp,
) -> Result<(), Error> {
    let new = NewText {
        body_source: "copy",
        text_from: Some(copy),
        ..own_text(article, fingerprint, text_id)
    };
    replace_text(state, kept, &new, "fuller", true, now)
}

/// Makes a copy an article of its own, on somebody's order. That pair is kept apart for good.
pub(super) fn unfold(
    state: &mut State,
    id: DuplicateId,
    options_of: &dyn Fn(&str) -> dedup::Options,
    now: Timestamp,
) -> Result<ArticleId, Error> {
    let not_found = || Error::NotFound { what: "copy", id: id.to_string() };
    let copy = state.db.duplicate_text(id)?.ok_or_else(not_found)?;
    let kept = state.db.article_text(copy.article_id)?.ok_or_else(not_found)?;
    if state.db.text_from(kept.article_id)? == Some(id) {
        match best_of_rest(state, &kept, id, options_of)? {
            Some(best) => lend(state, &kept, &best, now)?,
            None => return_own_text(state, &kept, now)?,
        }
    }
    let evidence = json!({
        "unfolded_from": kept.article_id,
        "unfolded_at": now,
        "was": state.db.duplicate_evidence(id)?,
    });
    let became = state.db.promote_duplicate(id, &evidence)?;
    state.db.keep_apart(kept.article_id, &copy, became, now)?;
    Ok(became)
}

/// Of the copies that an article still has without one of them, the one whose text would stand in it now had that one
/// never been there; `None`: the article's own text.
fn best_of_rest(
    state: &mut State,
    kept: &StoredText,
    without: DuplicateId,
    options_of: &dyn Fn(&str) -> dedup::Options,
) -> Result<Option<StoredText>, Error> {
    let mut best = with_own_text(state, kept)?;
    for copy in state.db.copies_of(kept.article_id)? {
        if copy.duplicate_id == Some(without) {
            continue;
        }
        let feed = state.db.feed_state(copy.feed_id)?;
        let options = options_of(feed.as_ref().map_or("", |feed| &feed.url));
        let furniture = [state.furniture(copy.feed_id)?, state.furniture(best.feed_id)?];
        let verification = with_side(&copy, &furniture[0], |copy| {
            with_side(&best, &furniture[1], |best| verify(copy, best, &options))
        });
        let has_key = shared_key(copy.guid.as_deref(), copy.url.as_deref(), kept).is_some();
        if outdoes(state, [copy.feed_id, best.feed_id], &verification, has_key, &options)? {
            best = copy;
        }
    }
    Ok(best.duplicate_id.is_some().then_some(best))
}

/// A stored copy's text takes the place of what its article shows.
fn lend(
    state: &mut State,
    kept: &StoredText,
    copy: &StoredText,
    now: Timestamp,
) -> Result<(), Error> {
    let new = NewText { body_source: "copy", text_from: copy.duplicate_id, ..stored_text(copy) };
    replace_text(state, kept, &new, "fuller", true, now)
}

/// Gives an article another text; the one that it had leaves the index unless somebody has it still.
fn replace_text(
    state: &mut State,
    kept: &StoredText,
    new: &NewText<'_>,
    change: &str,
    is_change: bool,
    now: Timestamp,
) -> Result<(), Error> {
    state.db.replace_text(kept.article_id, new, change, is_change, now)?;
    state.release_text(kept.text_id)
}

/// Gives an article back the text that its own publisher last gave it.
fn return_own_text(state: &mut State, kept: &StoredText, now: Timestamp) -> Result<(), Error> {
    let own = with_own_text(state, kept)?;
    let furniture = state.furniture(own.feed_id)?;
    let body = strip(&own.body, &furniture);
    let signature = Signature::of(&Text { title: &own.title, body: &body });
    let (fingerprint, text_id) =
        index_text(state, own.feed_id, own.first_seen_at, &signature, now)?;
    let new = NewText { fingerprint, text_id, ..stored_text(&own) };
    replace_text(state, kept, &new, "unfolded", true, now)
}

/// The article as its own publisher has it, where a copy's text stands in its place.
fn with_own_text(state: &State, kept: &StoredText) -> Result<StoredText, Error> {
    let Some(own) = state.db.own_text(kept.article_id)? else { return Ok(kept.clone()) };
    let signature = Signature::of(&Text { title: &own.title, body: &own.body });
    Ok(StoredText {
        title: own.title,
        body: own.body,
        summary: own.summary,
        author: own.author,
        language: own.language,
        word_count: own.word_count,
        body_source: own.body_source,
        fingerprint: signature.fingerprint,
        text_id: None,
        ..kept.clone()
    })
}

/// A copy that was found through another copy, or through an earlier text of its article, may hold by that one alone.
fn still_matches_another(
    state: &mut State,
    id: DuplicateId,
    copy: &StoredText,
    arrival: &Arrival,
    options: &Options,
) -> Result<bool, Error> {
    let evidence = state.db.duplicate_evidence(id)?;
    let matched = &evidence["matched"];
    let other_copy = matched["copy"].as_str().and_then(|id| id.parse::<DuplicateId>().ok());
    let revision = matched["revision"].as_u64().and_then(|revision| u32::try_from(revision).ok());
    let other = match (other_copy, revision) {
        (Some(id), _) => state.db.duplicate_text(id)?,
        (None, Some(revision)) => state.db.earlier_text(copy.article_id, revision)?,
        (None, None) => None,
    };
    let Some(other) = other else { return Ok(false) };
    Ok(other.article_id == copy.article_id
        && compare(state, copy, arrival, &other, options)?.is_duplicate)
}

fn compare(
    state: &mut State,
    copy: &StoredText,
    arrival: &Arrival,
    other: &StoredText,
    options: &Options,
) -> Result<Verification, Error> {
    let furniture = state.furniture(copy.feed_id)?;
    let body = strip(&arrival.article.body, &furniture);
    let text = Text { title: &arrival.article.title, body: &body };
    let at = instant(arrival.article.published_at, copy.first_seen_at);
    let side = Side::new(text, copy.feed_id, at);
    let furniture = state.furniture(other.feed_id)?;
    Ok(with_side(other, &furniture, |other| verify(&side, other, &options.dedup)))
}

/// Puts a text into the index, unless its feed takes no part.
fn index_text(
    state: &mut State,
    feed: FeedId,
    first_seen_at: Timestamp,
    signature: &Signature,
    now: Timestamp,
) -> Result<(Fingerprint, Option<TextId>), Error> {
    if state.standing(feed)?.0 == Scope::Off {
        return Ok((signature.fingerprint, None));
    }
    let text_id = state.insert_text(feed, first_seen_at, signature, now)?;
    Ok((signature.fingerprint, Some(text_id)))
}

fn own_text(article: &Article, fingerprint: Fingerprint, text_id: Option<TextId>) -> NewText<'_> {
    NewText {
        title: &article.title,
        body: &article.body,
        summary: article.summary.as_deref(),
        author: article.author.as_deref(),
        language: article.language.as_deref(),
        word_count: article.word_count,
        body_source: article.body_source.as_str(),
        text_from: None,
        fingerprint,
        text_id,
    }
}

fn stored_text(text: &StoredText) -> NewText<'_> {
    NewText {
        title: &text.title,
        body: &text.body,
        summary: text.summary.as_deref(),
        author: text.author.as_deref(),
        language: text.language.as_deref(),
        word_count: text.word_count,
        body_source: &text.body_source,
        text_from: None,
        fingerprint: text.fingerprint,
        text_id: text.text_id,
    }
}
