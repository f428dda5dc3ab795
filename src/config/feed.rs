//! One subscription: `[[feed]]` with its URL, its secrets and what it sets for itself alone.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use url::Url;

use super::{
    problems::{Place, Problem},
    reader::{self, Section, Value},
    settings::{Content, Dedup, Fetch, PREFERENCES, Poll, SCOPES},
    values::{headers, text, word},
};
use crate::dedup::{Prefer, Scope};

/// The URL of a feed: http(s) or file, without credentials, as it stands in `feeds.url`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FeedUrl(String);

impl FeedUrl {
    /// The URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path of a `file:` feed.
    pub fn file_path(&self) -> Option<PathBuf> {
        self.0.starts_with("file:").then(|| Url::parse(&self.0).ok()?.to_file_path().ok()).flatten()
    }

    /// Reads a URL as a configuration names it; `folder` is where relative `file:` feeds start.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("file:") {
            let path = folder.join(path.strip_prefix("//").unwrap_or(path));
            let url = Url::from_file_path(&path).map_err(|()| format!("{text:?} is not a path"))?;
            return Ok(Self(url.into()));
        }
        let url = Url::parse(text).map_err(|error| match error {
            url::ParseError::RelativeUrlWithoutBase => {
                format!("{text:?} is not a URL: one begins with https://, http:// or file:")
            }
            error => format!("{text:?} is not a URL: {error}"),
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!(
                "a feed's URL begins with https://, http:// or file:, this one with {}:",
                url.scheme()
            ));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "credentials do not belong in a URL: use username and password_file".to_owned()
            );
        }
        Ok(Self(url.into()))
    }
}

impl fmt::Display for FeedUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a feed's password is read from at each poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// A file, its last line end cut.
    File(PathBuf),
    /// A credential that the service manager hands over (`LoadCredential=`).
    Credential(String),
}

/// `[[feed]]`: one subscription with its final settings.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// What is asked.
    pub url: FeedUrl,
    /// Of its entry as it was written: no other setting, and no other version of the program, changes it.
    pub entry_hash: u64,
    /// What people call it.
    pub name: Option<String>,
    /// For grouping.
    pub tags: Vec<String>,
    /// Whether it is polled.
    pub enabled: bool,
    /// Of two copies that are equally full, the feed with the higher number keeps its text.
    pub priority: i32,
    /// HTTP basic authentication.
    pub username: Option<String>,
    /// Its password.
    pub password: Option<Password>,
    /// Further request headers.
    pub headers: BTreeMap<String, String>,
    /// Merged `[fetch]`.
    pub fetch: Fetch,
    /// Merged `[poll]`.
    pub poll: Poll,
    /// Merged `[content]`.
    pub content: Content,
    /// Merged `dedup.scope`.
    pub scope: Scope,
    /// Merged `dedup.prefer`.
    pub prefer: Prefer,
}

/// What a feed falls back to.
pub(super) struct Defaults<'a> {
    pub(super) fetch: &'a Fetch,
    pub(super) poll: &'a Poll,
    pub(super) content: &'a Content,
    pub(super) dedup: &'a Dedup,
}

impl Feed {
    /// Reads one `[[feed]]`; `None` where its URL cannot be read, which is then reported.
    pub(super) fn read(
        section: Section<'_>,
        item: &Value<'_>,
        defaults: &Defaults<'_>,
        folder: &Path,
    ) -> Option<(Self, Place)> {
        let place = section.every("url").first().map_or_else(|| item.place(), Value::place);
        if section.every("url").is_empty() {
            section.report(Problem::at(item.place(), "a feed needs a url"));
        }
        let url = section.get("url", |v| FeedUrl::parse(v.as_str()?, folder));
        let dedup = section.section("dedup");
        dedup.elsewhere("window", "[dedup]");
        let fetch = Fetch::read(section.section("fetch"), Some(defaults.fetch));
        let poll = Poll::read(section.section("poll"), Some(defaults.poll));
        let content = Content::read(section.section("content"), Some(defaults.content));
        let scope = dedup.get("scope", |v| word(v, &SCOPES)).unwrap_or(defaults.dedup.scope);
        let prefer =
            dedup.get("prefer", |v| word(v, &PREFERENCES)).unwrap_or(defaults.dedup.prefer);
        dedup.finish();
        let entry = reader::written(item.spanned.get_ref());
        let feed = url.map(|url| Self {
            url,
            entry_hash: xxhash_rust::xxh3::xxh3_64(entry.as_bytes()),
            name: section.get("name", text),
            tags: section.get("tags", Value::as_strings).unwrap_or_default(),
            enabled: section.get("enabled", Value::as_bool).unwrap_or(true),
            priority: section
                .get("priority", |v| v.as_integer(-1_000..1_001))
                .map_or(0, |it| it as i32),
            username: section.get("username", text),
            password: password(&section, folder),
            headers: section.get("headers", headers).unwrap_or_default(),
            fetch,
            poll,
            content,
            scope,
            prefer,
        });
        if feed.is_some() {
            section.finish();
        }
        feed.map(|feed| (feed, place))
    }
}

fn password(section: &Section<'_>, folder: &Path) -> Option<Password> {
    let file = section.get("password_file", |v| Ok(Password::File(folder.join(v.as_str()?))));
    let credential = section.get("password_credential", |v| {
        let name = v.as_str()?;
        let plain = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if plain {
            Ok(Password::Credential(name.to_owned()))
        } else {
            Err(format!("{name:?} is not the name of a credential"))
        }
    });
    if file.is_some()
        && credential.is_some()
        && let Some(value) = section.every("password_credential").first()
    {
        section.report(Problem::at(
            value.place(),
            "password_file and password_credential exclude each other",
        ));
    }
    let given = |keys: &[&'static str]| {
        keys.iter().find_map(|key| Some((*key, section.every(key).first()?.place())))
    };
    match (given(&["username"]), given(&["password_file", "password_credential"])) {
        (Some((_, place)), None) => section.report(Problem::at(
            place,
            "username does nothing without password_file or password_credential",
        )),
        (None, Some((key, place))) => {
            section.report(Problem::at(place, format!("{key} does nothing without username")));
        }
        _ => {}
    }
    file.or(credential)
}
