//! The language of an article.
pub(super) fn of(
    _body: &str,
    _title: &str,
    entry: Option<&str>,
    feed: Option<&str>,
) -> Option<String> {
    entry.or(feed).map(str::to_owned)
}
