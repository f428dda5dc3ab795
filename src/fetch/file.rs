//! Feeds on disk, and passwords in files: the same answers as from a server, without one.
//!
//! A file's modification time, length and inode stand in for its ETag, so that an untouched file is "not modified".

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use url::Url;

use super::{Error, Fetched, Freshness, Received, Request, Validators};

/// A password longer than this is none.
const MAX_PASSWORD_BYTES: u64 = 4_096;

/// The path of a `file:` URL; `None` for any other scheme.
pub(super) fn path_of(url: &str) -> Result<Option<PathBuf>, Error> {
    if !url.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:")) {
        return Ok(None);
    }
    let parsed = Url::parse(url).map_err(|error| Error::InvalidUrl(error.to_string()))?;
    let path = parsed
        .to_file_path()
        .map_err(|()| Error::InvalidUrl("names no file on this machine".to_owned()))?;
    Ok(Some(path))
}

/// Reads a feed from disk.
pub(super) async fn read(path: PathBuf, request: Request<'_>) -> Result<Fetched, Error> {
    let limit = request.options.max_body;
    let known = request.validators.filter(|validators| validators.url == request.url);
    let known = known.and_then(|validators| validators.etag.clone());
    let (version, bytes) =
        blocking(path.clone(), move |path| read_if_changed(path, known.as_deref(), limit)).await?;
    if bytes.as_ref().is_some_and(|bytes| bytes.len() as u64 > limit) {
        return Err(Error::TooLarge { what: "file", limit });
    }
    let validators =
        Validators { url: request.url.to_owned(), etag: Some(version), last_modified: None };
    Ok(Fetched {
        status: None,
        final_url: request.url.to_owned(),
        chain: Vec::new(),
        body_bytes: bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
        body: bytes.map(|bytes| Received {
            bytes,
            encoding: None,
            content_type: None,
            ends_with_connection: false,
            budget: None,
        }),
        validators: Some(validators),
        freshness: Freshness::default(),
        retry_after: None,
    })
}

/// The file's version and, if it is not the known one, its bytes: one more than `limit` at most.
fn read_if_changed(
    path: &Path,
    known: Option<&str>,
    limit: u64,
) -> io::Result<(String, Option<Vec<u8>>)> {
    // Asked before opening: opening a pipe without a writer would wait for ever.
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    let (mtime, nanos) = (metadata.mtime(), metadata.mtime_nsec());
    let version = format!("{mtime}.{nanos:09}-{}-{}", metadata.len(), metadata.ino());
    if known == Some(version.as_str()) {
        return Ok((version, None));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((version, Some(bytes)))
}

/// Reads a password; one trailing line break is not part of it.
pub(super) async fn read_password(path: PathBuf) -> Result<String, Error> {
    let read = |path: &Path| {
        let mut text = String::new();
        File::open(path)?.take(MAX_PASSWORD_BYTES).read_to_string(&mut text)?;
        Ok(text)
    };
    let text = blocking(path, read).await.map_err(|error| Error::Credentials(error.to_string()))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// Disks may hang like servers do: not on an async thread.
async fn blocking<T: Send + 'static>(
    path: PathBuf,
    work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let name = path.display().to_string();
    let joined = tokio::task::spawn_blocking(move || work(&path)).await;
    joined
        .unwrap_or_else(|_| Err(io::Error::other("the reading thread ended")))
        .map_err(|error| Error::File { path: name, cause: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::super::{FetchOptions, Fetcher, Options};
    use crate::model::Timestamp;

    use super::*;

    #[tokio::test]
    async fn an_untouched_file_is_not_modified_and_a_large_one_too_large() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a feed.xml");
        std::fs::write(&path, "<rss/>").unwrap();
        let url = Url::from_file_path(&path).unwrap();
        let fetcher = Fetcher::new(Options::default());
        let options = FetchOptions { max_body: 10, ..FetchOptions::default() };
        let request = || Request::feed(url.as_str(), &options, Timestamp::MIN);

        let first = fetcher.fetch(request()).await.unwrap();
        assert_eq!(first.body.unwrap().decode(10).unwrap(), b"<rss/>");
        let validators = first.validators.unwrap();
        let again =
            fetcher.fetch(Request { validators: Some(&validators), ..request() }).await.unwrap();
        assert!(again.is_not_modified());

        std::fs::write(&path, "<rss></rss>").unwrap();
        assert_eq!(fetcher.fetch(request()).await.unwrap_err().kind(), "too_large");
        let missing = Request { url: "file:///nowhere/at/all.xml", ..request() };
        assert_eq!(fetcher.fetch(missing).await.unwrap_err().kind(), "file");
        let folder = Url::from_directory_path(folder.path()).unwrap();
        let directory = Request { url: folder.as_str(), ..request() };
        assert_eq!(fetcher.fetch(directory).await.unwrap_err().kind(), "file");
    }

    #[tokio::test]
    async fn a_password_is_one_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "p w\r\n").unwrap();
        assert_eq!(read_password(file.path().to_owned()).await.unwrap(), "p w");
        let error = read_password("/nowhere/password".into()).await.unwrap_err();
        assert_eq!(error.kind(), "credentials");
    }
}
