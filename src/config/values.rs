//! Values of the configuration: each function reads one kind, or says what is wrong with it.

use std::{collections::BTreeMap, time::Duration};

use url::Url;

use super::{
    reader::{Value, nearest},
    settings::{Initial, Interval, Keep},
    units::{parse_duration, parse_size},
};
use crate::fetch;

pub(super) fn word<T: Copy>(value: &Value<'_>, words: &[(&'static str, T)]) -> Result<T, String> {
    let text = value.as_str()?;
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*meaning);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let hint =
        nearest(text, &known).map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
    let list: Vec<String> = known.iter().map(|word| format!("\"{word}\"")).collect();
    Err(format!("{text:?} is not one of {}{hint}", list.join(", ")))
}

pub(super) fn text(value: &Value<'_>) -> Result<String, String> {
    value.as_str().map(str::to_owned)
}

pub(super) fn duration(value: &Value<'_>) -> Result<Duration, String> {
    parse_duration(value.as_str()?)
}

pub(super) fn positive(value: &Value<'_>) -> Result<Duration, String> {
    duration(value).and_then(|it| {
        if it.is_zero() { Err("must be longer than nothing".to_owned()) } else { Ok(it) }
    })
}

pub(super) fn size(value: &Value<'_>) -> Result<u64, String> {
    parse_size(value.as_str()?)
        .and_then(|it| if it == 0 { Err("must be larger than nothing".to_owned()) } else { Ok(it) })
}

pub(super) fn count(value: &Value<'_>, range: std::ops::Range<i64>) -> Result<u32, String> {
    value.as_integer(range).map(|number| number as u32)
}

pub(super) fn keep(value: &Value<'_>) -> Result<Keep, String> {
    if value.as_str()? == "forever" { Ok(Keep::Forever) } else { positive(value).map(Keep::For) }
}

pub(super) fn interval(value: &Value<'_>) -> Result<Interval, String> {
    if value.as_str()? == "auto" {
        Ok(Interval::Auto)
    } else {
        positive(value).map(Interval::Fixed)
    }
}

pub(super) fn initial(value: &Value<'_>) -> Result<Initial, String> {
    if value.spanned.get_ref().is_integer() {
        return count(value, 0..1_000_001).map(Initial::Newest);
    }
    let meant = "write \"all\", a number of entries, or an instant like \"2026-11-01T00:00:00Z\"";
    match value.as_str().map_err(|_| meant.to_owned())? {
        "all" => Ok(Initial::All),
        text => text
            .parse()
            .map(Initial::Since)
            .map_err(|_| format!("{text:?} is none of them: {meant}")),
    }
}

pub(super) fn level(value: &Value<'_>) -> Result<String, String> {
    let text = value.as_str()?;
    let known = ["error", "warn", "info", "debug", "trace"];
    let plain = |part: &str| known.contains(&part.rsplit('=').next().unwrap_or(part).trim());
    if !text.is_empty() && text.split(',').all(plain) {
        return Ok(text.to_owned());
    }
    Err(format!(
        "{text:?} is not one of \"error\", \"warn\", \"info\", \"debug\", \"trace\", or module=level pairs"
    ))
}

pub(super) fn header_text(value: &Value<'_>) -> Result<String, String> {
    let text = value.as_str()?;
    let printable = !text.is_empty() && text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if printable {
        Ok(text.to_owned())
    } else {
        Err("a header value is printable ASCII and not empty".to_owned())
    }
}

pub(super) fn headers(value: &Value<'_>) -> Result<BTreeMap<String, String>, String> {
    let table =
        value.spanned.get_ref().as_table().ok_or("headers is a section of names and texts")?;
    let (mut headers, mut refused) = (BTreeMap::new(), Vec::new());
    for (name, text) in table {
        let name: &str = name.get_ref();
        let checked = header_text(&Value::new(value.source, text))
            .map_err(|error| format!("{name}: {error}"))
            .and_then(|text| fetch::check_header(name, &text).map(|()| text));
        match checked {
            Ok(text) => drop(headers.insert(name.to_owned(), text)),
            Err(error) => refused.push(error),
        }
    }
    if refused.is_empty() { Ok(headers) } else { Err(refused.join("; ")) }
}

pub(super) fn proxy(value: &Value<'_>) -> Result<String, String> {
    let text = value.as_str()?;
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(text.to_owned()),
        _ => Err(format!("{text:?} is not the URL of an http or https proxy")),
    }
}
