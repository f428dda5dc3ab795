//! Reads a section of the configuration key by key, gathering every error instead of stopping at the first.
//!
//! A key is known because somebody asked for it: what nobody asked for by the time of [`Section::finish`] is an
//! error that names the nearest key that was. One section may stand in several files; a key set twice names both.

use std::{cell::RefCell, collections::HashSet, ops::Range};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::problems::{Place, Problem, is_secretive};

/// A parsed value and the file it stands in.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub(super) source: usize,
    pub(super) spanned: &'a Spanned<DeValue<'a>>,
    key_start: usize,
}

impl<'a> Value<'a> {
    pub(super) fn new(source: usize, spanned: &'a Spanned<DeValue<'a>>) -> Self {
        Self { source, spanned, key_start: spanned.span().start }
    }

    pub(super) fn place(&self) -> Place {
        Place { source: self.source, span: self.spanned.span() }
    }

    /// The text of a string value; what else it is, as the error.
    pub(super) fn as_str(&self) -> Result<&'a str, String> {
        let value = self.spanned.get_ref();
        value
            .as_str()
            .ok_or_else(|| format!("a text in quotes is meant here, this is {}", kind(value)))
    }

    pub(super) fn as_bool(&self) -> Result<bool, String> {
        let value = self.spanned.get_ref();
        value
            .as_bool()
            .ok_or_else(|| format!("true or false is meant here, this is {}", kind(value)))
    }

    /// A whole number within `range`.
    pub(super) fn as_integer(&self, range: Range<i64>) -> Result<i64, String> {
        let value = self.spanned.get_ref();
        let meant =
            || format!("a whole number from {} to {} is meant here", range.start, range.end - 1);
        let integer =
            value.as_integer().ok_or_else(|| format!("{}, this is {}", meant(), kind(value)))?;
        let number = i64::from_str_radix(integer.as_str(), integer.radix()).map_err(|_| meant())?;
        if range.contains(&number) {
            Ok(number)
        } else {
            Err(format!("{}, this is {number}", meant()))
        }
    }

    /// A number within `range`, with or without a fraction.
    pub(super) fn as_number(&self, range: std::ops::RangeInclusive<f64>) -> Result<f64, String> {
        let value = self.spanned.get_ref();
        let text = match value {
            DeValue::Float(float) => float.as_str(),
            DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
            _ => "",
        };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            format!(
                "a number from {} to {} is meant here, this is {}",
                range.start(),
                range.end(),
                kind(value)
            )
        })
    }

    /// The texts of an array of strings.
    pub(super) fn as_strings(&self) -> Result<Vec<String>, String> {
        let value = self.spanned.get_ref();
        let meant = || {
            format!("a list of texts is meant here, as in [\"a\", \"b\"], this is {}", kind(value))
        };
        let array = value.as_array().ok_or_else(meant)?;
        array
            .iter()
            .map(|item| item.get_ref().as_str().map(str::to_owned).ok_or_else(meant))
            .collect()
    }
}

/// A value as it was written, whatever the order of its keys, the spaces and the comments.
pub(super) fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(integer) => format!("{integer:?}"),
        DeValue::Float(float) => float.as_str().to_owned(),
        DeValue::Boolean(is_true) => is_true.to_string(),
        DeValue::Datetime(datetime) => datetime.to_string(),
        DeValue::Array(items) => items.iter().map(|item| written(item.get_ref()) + ",").collect(),
        DeValue::Table(table) => {
            let mut keys: Vec<String> = table
                .iter()
                .map(|(key, value)| format!("{:?}={};", key.get_ref(), written(value.get_ref())))
                .collect();
            keys.sort_unstable();
            format!("{{{}}}", keys.concat())
        }
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}

/// One section, in every file where it stands.
pub(super) struct Section<'a> {
    /// For messages: `[fetch]`, `[[feed]]`; empty at the top.
    name: String,
    layers: Vec<(usize, &'a DeTable<'a>)>,
    asked: RefCell<Vec<&'static str>>,
    problems: &'a RefCell<Vec<Problem>>,
}

impl<'a> Section<'a> {
    pub(super) fn new(
        name: impl Into<String>,
        layers: Vec<(usize, &'a DeTable<'a>)>,
        problems: &'a RefCell<Vec<Problem>>,
    ) -> Self {
        Self { name: name.into(), layers, asked: RefCell::default(), problems }
    }

    /// A section that reports to the same list: an item of a list of sections.
    pub(super) fn inner(&self, name: &str, layers: Vec<(usize, &'a DeTable<'a>)>) -> Section<'a> {
        Section::new(name, layers, self.problems)
    }

    /// A section inside this one, empty where nobody wrote it.
    pub(super) fn section(&self, key: &'static str) -> Section<'a> {
        let mut layers = Vec::new();
        for value in self.every(key) {
            match value.spanned.get_ref().as_table() {
                Some(table) => layers.push((value.source, table)),
                None => self.report(Problem::at(
                    value.place(),
                    format!("{key} is a section, this is {}", kind(value.spanned.get_ref())),
                )),
            }
        }
        let name = if self.name.is_empty() {
            format!("[{key}]")
        } else {
            format!("{key} of {}", self.name)
        };
        Section::new(name, layers, self.problems)
    }

    /// Every value of `key`, in file order.
    pub(super) fn every(&self, key: &'static str) -> Vec<Value<'a>> {
        self.asked.borrow_mut().push(key);
        let found = self.layers.iter().filter_map(|&(source, table)| {
            let (name, spanned) = table.get_key_value(key)?;
            Some(Value { source, spanned, key_start: name.span().start })
        });
        found.collect()
    }

    /// The value of `key`, read by `read`; `None` where it is not set or wrong (which is then reported).
    pub(super) fn get<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&Value<'a>) -> Result<T, String>,
    ) -> Option<T> {
        let values = self.every(key);
        let first = values.first()?;
        if let Some(second) = values.get(1) {
            let place =
                Place { source: second.source, span: second.key_start..second.spanned.span().end };
            let mut problem = Problem::at(place, format!("{key} is set twice"));
            problem.other = Some((first.place(), "first set here"));
            self.report(problem);
        }
        let report = |message| {
            let problem = Problem::at(first.place(), format!("{key}: {message}"));
            self.report(Problem { secret: is_secretive(key).then(|| first.place()), ..problem });
        };
        read(first).map_err(report).ok()
    }

    /// Says that `key` exists, but not in this kind of section.
    pub(super) fn elsewhere(&self, key: &'static str, section: &str) {
        for value in self.every(key) {
            self.report(Problem::at(
                value.place(),
                format!("{key} is set once for all feeds, in {section}"),
            ));
        }
    }

    /// Records an error.
    pub(super) fn report(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// Reports every key that nobody asked for, with the nearest one that exists.
    pub(super) fn finish(self) {
        let mut asked = self.asked.borrow().clone();
        let mut known = HashSet::new();
        asked.retain(|key| known.insert(*key));
        for &(source, table) in &self.layers {
            for (key, value) in
                table.iter().filter(|(key, _)| !asked.contains(&key.get_ref().as_ref()))
            {
                let name: &str = key.get_ref();
                let of =
                    if self.name.is_empty() { String::new() } else { format!(" in {}", self.name) };
                let mut problem = Problem::at(
                    Place { source, span: key.span() },
                    format!("unknown key {name}{of}"),
                );
                problem.help = Some(match nearest(name, &asked) {
                    Some(near) => format!("did you mean {near}?"),
                    None => format!("known here: {}", asked.join(", ")),
                });
                // A section's span is that of its name.
                if is_secretive(name) && value.span().start >= key.span().end {
                    problem.secret = Some(Place { source, span: value.span() });
                }
                self.problems.borrow_mut().push(problem);
            }
        }
    }
}

/// The key most like `name`, if it is likely enough to be meant.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let scored = known.iter().map(|key| (strsim::jaro_winkler(name, key), *key));
    scored.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, key)| key)
}
