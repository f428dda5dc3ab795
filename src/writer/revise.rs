//! What a publisher's edit does: a revision of an article, a copy judged again, a text given back.
//!
//! An article that was kept is never folded later, however it is edited. A copy that no longer holds becomes
//! an article of its own; an article whose text a copy had lent shows the best of the rest then, and copies that have
//! nothing in common with that leave it together.

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
    dedup::{
        self, Scope, Side, Signature, Text, Verification,
        join::{Basis, RELATED, is_related, joins, lengths},
        verify,
    },
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
    options: &Options,
    now: Timestamp,
) -> Result<bool, Error> {
    let before = state.db.article_text(id)?;
    let is_revised = revise_text(state, id, arrival, now)?;
    if let Some(before) = before.filter(|_| is_revised) {
        follow_edit(state, &before, &|_| options.dedup.clone(), now)?;
    }
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
        state.note_correction(current.text_id);
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
    let basis = basis(&verification, titles, &options.dedup);
    let through = match basis {
        Some(basis) if basis != Basis::Headline => None,
        _ => through_another(state, id, &copy, arrival, options)?,
    };
    let (limits, db) = (&options.dedup.thresholds, &state.db);
    let may_join = |basis, found: &Verification| {
        let has_report = || db.has_report(kept.article_id, limits.min_tokens, Some(id));
        joins(basis, found, &verification, limits, has_report)
    };
    let holds_directly = match basis {
        Some(Basis::Headline) => may_join(Basis::Headline, &verification)?,
        basis => basis.is_some(),
    };
    let through = through.filter(|_| !holds_directly);
    let holds = holds_directly
        || match through.as_ref().and_then(|(_, found)| Some((Basis::of(found)?, found))) {
            Some((basis, found)) => may_join(basis, found)?,
            None => false,
        };
    let (fingerprint, text_id) = if change.is_told() {
        index_text(state, copy.feed_id, copy.first_seen_at, &arrival.signature, now)?
    } else {
        state.note_correction(copy.text_id);
        (copy.fingerprint, copy.text_id)
    };
    let found = through.as_ref().filter(|_| holds).map_or(&verification, |(_, found)| found);
    let matched = through.as_ref().filter(|_| holds).map(|(text, _)| text);
    let evidence = json!({
        "edited_at": now,
        "matched": {
            "article": kept.article_id,
            "copy": matched.and_then(|text| text.duplicate_id),
            "revision": matched.and_then(|text| text.revision),
            "similarity": found.similarity,
            "evidence": found.evidence,
        },
        "thresholds": options.dedup.thresholds,
        "before": state.db.duplicate_evidence(id)?.get("matched"),
    });
    let folded = Folded {
        article_id: kept.article_id,
        reason: key.unwrap_or(found.reason.map_or("near_duplicate", |reason| reason.as_str())),
        distance: (fingerprint.0 != 0 && against.fingerprint.0 != 0)
            .then(|| fingerprint.distance(against.fingerprint)),
        similarity: if found.is_duplicate {
            found.similarity.clamp(0.0, 1.0)
        } else {
            found.similarity.max(found.evidence.headline).clamp(0.0, 1.0)
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
    let options_of: OptionsOf<'_> = &|_| options.dedup.clone();
    if !holds {
        if has_lent {
            give_back(state, &kept, Some(id), options_of, now)?;
        }
        let evidence = json!({ "left": kept.article_id, "because": evidence });
        state.db.promote_duplicate(id, &evidence)?;
        if has_lent {
            judge_copies_again(state, kept.article_id, Vec::new(), options_of, now)?;
        }
    } else if has_lent && verification.length_ratio < 1.0 {
        give_back(state, &kept, None, options_of, now)?;
        judge_copies_again(state, kept.article_id, Vec::new(), options_of, now)?;
    } else if has_lent {
        follow_lender(state, &kept, id, (fingerprint, text_id), arrival, now)?;
        follow_edit(state, &kept, options_of, now)?;
    } else if takes_over(state, copy.feed_id, &kept, &verification, key.is_some(), &options.dedup)?
    {
        take_over(state, &kept, id, article, fingerprint, text_id, now)?;
    }
    // Last: until now the article may have shown it.
    state.release_text(copy.text_id)?;
    Ok(true)
}

/// The copy that lent its text was edited, and its new text still is the fuller one: the article follows.
fn follow_lender(
    state: &mut State,
    kept: &StoredText,
    copy: DuplicateId,
    (fingerprint, text_id): (Fingerprint, Option<TextId>),
    arrival: &Arrival,
    now: Timestamp,
) -> Result<(), Error> {
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
    options_of: OptionsOf<'_>,
    now: Timestamp,
) -> Result<ArticleId, Error> {
    let not_found = || Error::NotFound { what: "copy", id: id.to_string() };
    let copy = state.db.duplicate_text(id)?.ok_or_else(not_found)?;
    let kept = state.db.article_text(copy.article_id)?.ok_or_else(not_found)?;
    let has_lent = state.db.text_from(kept.article_id)? == Some(id);
    if has_lent {
        give_back(state, &kept, Some(id), options_of, now)?;
    }
    let evidence = json!({
        "unfolded_from": kept.article_id,
        "unfolded_at": now,
        "was": state.db.duplicate_evidence(id)?,
    });
    let became = state.db.promote_duplicate(id, &evidence)?;
    state.db.keep_apart(kept.article_id, &copy, became, now)?;
    if has_lent {
        judge_copies_again(state, kept.article_id, vec![became], options_of, now)?;
    }
    Ok(became)
}

/// A copy's text no longer stands in an article: the best of the rest does.
fn give_back(
    state: &mut State,
    kept: &StoredText,
    without: Option<DuplicateId>,
    options_of: OptionsOf<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    match best_of_rest(state, kept, without, options_of)? {
        Some(best) => lend(state, kept, &best, now),
        None => return_own_text(state, kept, now),
    }
}

/// An edit has changed what an article shows. Where it tells something else now, the copies are judged again.
fn follow_edit(
    state: &mut State,
    before: &StoredText,
    options_of: OptionsOf<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(after) = state.db.article_text(before.article_id)? else { return Ok(()) };
    let compared = compare_stored(state, &after, before, options_of)?;
    let was_report = lengths(&compared.seen)[1] >= compared.options.thresholds.min_tokens;
    if was_report && compared.seen.holds < RELATED {
        judge_copies_again(state, before.article_id, Vec::new(), options_of, now)?;
    }
    Ok(())
}

/// Judges the copies of an article by what it shows now. Those that have nothing in common with that leave, the fullest
/// first, each to the first of `homes` that it is a copy of, or to be an article itself and a home for the others.
fn judge_copies_again(
    state: &mut State,
    article: ArticleId,
    mut homes: Vec<ArticleId>,
    options_of: OptionsOf<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    let Some(kept) = state.db.article_text(article)? else { return Ok(()) };
    let lender = state.db.text_from(article)?;
    let mut leaving = Vec::new();
    for copy in state.db.copies_of(article)? {
        if copy.duplicate_id == lender {
            continue;
        }
        let compared = compare_stored(state, &copy, &kept, options_of)?;
        if !compared.belong_together() {
            leaving.push((copy, compared));
        }
    }
    leaving.sort_by_key(|(copy, _)| std::cmp::Reverse(copy.word_count));
    for (copy, compared) in leaving {
        let Some(id) = copy.duplicate_id else { continue };
        let left = json!({
            "left": article,
            "left_at": now,
            "because": { "similarity": compared.seen.similarity, "evidence": compared.seen.evidence },
        });
        if !move_home(state, &copy, &homes, &left, options_of)? {
            homes.push(state.db.promote_duplicate(id, &left)?);
        }
    }
    Ok(())
}

/// Gives a copy to the first of some articles that it is a copy of; `false` if there is none.
fn move_home(
    state: &mut State,
    copy: &StoredText,
    homes: &[ArticleId],
    left: &serde_json::Value,
    options_of: OptionsOf<'_>,
) -> Result<bool, Error> {
    let (guid, url) = (copy.guid.as_deref(), copy.url.as_deref());
    for home in homes {
        let (Some(id), Some(kept)) = (copy.duplicate_id, state.db.article_text(*home)?) else {
            continue;
        };
        let compared = compare_stored(state, copy, &kept, options_of)?;
        if !compared.belong_together() || state.db.is_kept_apart(*home, copy.feed_id, guid, url)? {
            continue;
        }
        let mut evidence = left.clone();
        evidence["matched"] = json!({
            "article": home,
            "similarity": compared.seen.similarity,
            "evidence": compared.seen.evidence,
        });
        evidence["thresholds"] = json!(compared.options.thresholds);
        let by_text = compared.seen.reason.map_or("near_duplicate", |reason| reason.as_str());
        let (ours, theirs) = (copy.fingerprint, kept.fingerprint);
        let folded = Folded {
            article_id: *home,
            reason: compared.key.unwrap_or(by_text),
            distance: (ours.0 != 0 && theirs.0 != 0).then(|| ours.distance(theirs)),
            similarity: compared.seen.similarity.clamp(0.0, 1.0),
            kept: Kept {
                feed_id: copy.feed_id,
                fingerprint: ours,
                text_id: copy.text_id,
                first_seen_at: copy.first_seen_at,
                evidence: &evidence,
            },
        };
        state.db.move_duplicate(id, &folded)?;
        return Ok(true);
    }
    Ok(false)
}

/// The options of a feed, by its URL.
pub(super) type OptionsOf<'a> = &'a dyn Fn(&str) -> dedup::Options;

/// Two stored texts, compared by the options of the first one's feed.
struct Compared {
    seen: Verification,
    basis: Option<Basis>,
    key: Option<&'static str>,
    options: dedup::Options,
}

impl Compared {
    fn can_be_compared(&self) -> bool {
        self.seen.evidence.tokens[0] >= self.options.thresholds.min_tokens
    }

    fn belong_together(&self) -> bool {
        let limits = &self.options.thresholds;
        self.basis.is_some() || self.can_be_compared() && is_related(&self.seen, limits)
    }
}

fn compare_stored(
    state: &mut State,
    text: &StoredText,
    other: &StoredText,
    options_of: OptionsOf<'_>,
) -> Result<Compared, Error> {
    let feed = state.db.feed_state(text.feed_id)?;
    let options = options_of(feed.as_ref().map_or("", |feed| &feed.url));
    let furniture = [state.furniture(text.feed_id)?, state.furniture(other.feed_id)?];
    let seen = with_side(text, &furniture[0], |text| {
        with_side(other, &furniture[1], |other| verify(text, other, &options))
    });
    let key = shared_key(text.guid.as_deref(), text.url.as_deref(), other);
    let titles = key.map(|_| [text.title.as_str(), &other.title]);
    Ok(Compared { basis: basis(&seen, titles, &options), seen, key, options })
}

/// Of the copies that an article still has without one of them, the one whose text would stand in it now had that one
/// never been there; `None`: the article's own text.
fn best_of_rest(
    state: &mut State,
    kept: &StoredText,
    without: Option<DuplicateId>,
    options_of: OptionsOf<'_>,
) -> Result<Option<StoredText>, Error> {
    let mut best = with_own_text(state, kept)?;
    for copy in state.db.copies_of(kept.article_id)? {
        if copy.duplicate_id == without {
            continue;
        }
        let Compared { seen, key, options, .. } =
            match compare_stored(state, &copy, &best, options_of)? {
                compared if compared.belong_together() => compared,
                _ => continue,
            };
        if outdoes(state, [copy.feed_id, best.feed_id], &seen, key.is_some(), &options)? {
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

/// A copy that was found through another copy, or through an earlier text of its article, may hold by that one alone: that
/// text, and the comparison with it.
fn through_another(
    state: &mut State,
    id: DuplicateId,
    copy: &StoredText,
    arrival: &Arrival,
    options: &Options,
) -> Result<Option<(StoredText, Verification)>, Error> {
    let evidence = state.db.duplicate_evidence(id)?;
    let matched = &evidence["matched"];
    let other_copy = matched["copy"].as_str().and_then(|id| id.parse::<DuplicateId>().ok());
    let revision = matched["revision"].as_u64().and_then(|revision| u32::try_from(revision).ok());
    let other = match (other_copy, revision) {
        (Some(id), _) => state.db.duplicate_text(id)?,
        (None, Some(revision)) => state.db.earlier_text(copy.article_id, revision)?,
        (None, None) => None,
    };
    let Some(other) = other.filter(|other| other.article_id == copy.article_id) else {
        return Ok(None);
    };
    let found = compare(state, copy, arrival, &other, options)?;
    Ok(Some((other, found)))
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
    let side = Side::new(text, copy.feed_id, at).out_of(&arrival.article.body);
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
