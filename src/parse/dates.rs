//! Dates as publishers write them, to instants.
//!
//! In: a text such as `Tue, 24 Nov 2026 10:15:00 +0100`, `2026-11-24T09:15Z`, `24. november 2026`. Out: the
//! instant, or `None`: a date that cannot be read is not invented, nor is one that could mean two days
//! (`03/04/2026`) or none (`32 July`). Without a zone it is UTC, without a time midnight.

use std::{borrow::Cow, collections::HashMap, sync::OnceLock};

use crate::model::{RawDate, Timestamp};

/// Longer texts are no dates.
const MAX_BYTES: usize = 120;

/// The date in `raw`; `None` if there is no text.
pub(super) fn raw_date(raw: &str) -> Option<RawDate> {
    let raw = raw.trim();
    (!raw.is_empty()).then(|| RawDate { raw: raw.to_owned(), at: parse(raw) })
}

/// Reads a date.
pub(super) fn parse(raw: &str) -> Option<Timestamp> {
    let raw = raw.trim();
    if raw.is_empty() || raw.len() > MAX_BYTES {
        return None;
    }
    if raw.bytes().all(|byte| byte.is_ascii_digit()) {
        return digits_only(raw);
    }
    if let Some(seconds) = whole_seconds(raw) {
        return digits_only(seconds);
    }
    let plain = without_dots(raw);
    let tokens = tokens(&plain);
    let date = Parts::read(&tokens)?;
    date.instant()
}

/// `p.m.` and `P. M.` as `pm`.
fn without_dots(raw: &str) -> Cow<'_, str> {
    const HALVES: [(&str, &str); 4] =
        [("p.m.", "pm"), ("a.m.", "am"), ("p. m.", "pm"), ("a. m.", "am")];
    let lower = raw.to_ascii_lowercase();
    let found =
        HALVES.iter().find_map(|(dotted, plain)| Some((lower.find(dotted)?, dotted, plain)));
    match found {
        Some((at, dotted, plain)) => [&raw[..at], plain, &raw[at + dotted.len()..]].concat().into(),
        None => raw.into(),
    }
}

/// `20261124`, `20261124101500`, `2026328` (day of year), `2026`, `202611`, and seconds or milliseconds since
/// 1970.
fn digits_only(raw: &str) -> Option<Timestamp> {
    let number = |from: usize, to: usize| raw.get(from..to)?.parse::<i64>().ok();
    let mut parts = Parts::default();
    match raw.len() {
        4 => parts.date = Some((number(0, 4)?, 1, 1)),
        6 => parts.date = Some((number(0, 4)?, number(4, 6)?, 1)),
        7 => parts.date = day_of_year(number(0, 4)?, number(4, 7)?),
        8 => parts.date = Some((number(0, 4)?, number(4, 6)?, number(6, 8)?)),
        10 => return Timestamp::from_unix_seconds(number(0, 10)?),
        13 => return Timestamp::from_unix_seconds(number(0, 10)?),
        12 | 14 => {
            parts.date = Some((number(0, 4)?, number(4, 6)?, number(6, 8)?));
            let second = if raw.len() == 14 { number(12, 14)? } else { 0 };
            parts.time = Some((number(8, 10)?, number(10, 12)?, second));
        }
        _ => return None,
    }
    parts.instant()
}

/// `1795511700.25`: seconds or milliseconds since 1970 without their fraction.
fn whole_seconds(raw: &str) -> Option<&str> {
    let (whole, fraction) = raw.split_once('.')?;
    let are_digits = whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    (matches!(whole.len(), 10 | 13) && are_digits).then_some(whole)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Token<'a> {
    Number { value: i64, digits: usize },
    Word(&'a str),
    Mark(char),
    Space,
}

fn tokens(raw: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::with_capacity(16);
    let mut rest = raw;
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_digit() {
            rest.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len())
        } else if first.is_alphabetic() {
            rest.find(|c: char| !c.is_alphabetic() && !is_combining(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (text, after) = rest.split_at(length);
        tokens.push(match first {
            c if c.is_ascii_digit() => {
                Token::Number { value: text.parse().unwrap_or(i64::MAX), digits: length }
            }
            c if c.is_alphabetic() => Token::Word(text),
            c if c.is_whitespace() => Token::Space,
            '\u{2212}' | '\u{2013}' => Token::Mark('-'),
            c => Token::Mark(c),
        });
        rest = after;
    }
    tokens.dedup_by(|a, b| *a == Token::Space && *b == Token::Space);
    tokens
}

fn is_combining(c: char) -> bool {
    ('\u{300}'..='\u{36f}').contains(&c)
}

/// What was recognised of a date.
#[derive(Debug, Default)]
struct Parts {
    date: Option<(i64, i64, i64)>,
    time: Option<(i64, i64, i64)>,
    is_afternoon: Option<bool>,
    offset_minutes: i64,
}

impl Parts {
    fn read(tokens: &[Token<'_>]) -> Option<Self> {
        let mut parts = Self::default();
        let mut after_time = tokens.len();
        let mut before_time = tokens.len();
        if let Some((from, to)) = parts.take_time(tokens) {
            before_time = from;
            after_time = to;
        }
        let (before, mut after) = (&tokens[..before_time], &tokens[after_time..]);
        if parts.time.is_some() {
            after = parts.take_zone(after);
        }
        parts.take_half(tokens, before_time);
        parts.date = read_date(before, after);
        parts.date.is_some().then_some(parts)
    }

    /// Finds `hh:mm`, `hh:mm:ss(.fff)`, `Thhmm`, `Thhmmss` and times in words; the range of tokens it takes.
    fn take_time(&mut self, tokens: &[Token<'_>]) -> Option<(usize, usize)> {
        use Token::{Mark, Number, Word};
        for (at, token) in tokens.iter().enumerate() {
            match (token, &tokens[at + 1..]) {
                (
                    Number { value: hour, digits: 1..=2 },
                    [Mark(':'), Number { value: minute, digits: 1..=2 }, rest @ ..],
                ) => {
                    let mut to = at + 3;
                    let mut second = 0;
                    if let [Mark(':'), Number { value, digits: 1..=2 }, ..] = rest {
                        second = *value;
                        to += 2;
                    }
                    if let [Mark('.' | ','), Number { .. }, ..] = &tokens[to..] {
                        to += 2;
                    }
                    self.time = Some((*hour, *minute, second));
                    let from = if at > 0 && is_time_word(tokens[at - 1]) { at - 1 } else { at };
                    return Some((from, to));
                }
                (Word("T" | "t"), [Number { value, digits: digits @ (2 | 4 | 6) }, rest @ ..])
                    if at > 0 && !matches!(rest, [Mark(':'), ..]) =>
                {
                    self.time = Some(match digits {
                        2 => (*value, 0, 0),
                        4 => (value / 100, value % 100, 0),
                        _ => (value / 10_000, value / 100 % 100, value % 100),
                    });
                    let fraction = matches!(rest, [Mark('.' | ','), Number { .. }, ..]);
                    return Some((at, at + 2 + if fraction { 2 } else { 0 }));
                }
                (Number { value: hour, digits: 1..=2 }, _) => {
                    if let Some((minute, second, to)) = worded_time(tokens, at, *hour) {
                        self.time = Some((*hour, minute, second));
                        return Some((at, to));
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Takes the zone that follows a time: `Z`, `+01:00`, `-0500`, `GMT+1`, `EST`, `(CET)`.
    fn take_zone<'t, 'a>(&mut self, after: &'t [Token<'a>]) -> &'t [Token<'a>] {
        use Token::{Mark, Number, Space, Word};
        let mut rest = after;
        let mut is_found = false;
        loop {
            rest = match rest {
                [Space | Mark('(' | ')'), tail @ ..] => tail,
                [Word(word), tail @ ..] if half_of_day(word).is_some() => tail,
                [Mark(sign @ ('+' | '-')), Space, Number { value, digits: 4 }, tail @ ..]
                    if !is_year_after_dash(*sign, *value, 4) =>
                {
                    self.take_offset(*sign, value / 100 * 60 + value % 100);
                    is_found = true;
                    tail
                }
                [Word(word), tail @ ..] if zone(word).is_some() => {
                    if !is_found {
                        self.offset_minutes = zone(word).unwrap_or(0);
                    }
                    is_found = true;
                    tail
                }
                [Mark(sign @ ('+' | '-')), Number { value, digits }, tail @ ..]
                    if *digits <= 4 && !is_year_after_dash(*sign, *value, *digits) =>
                {
                    let (minutes, tail) = match (digits, tail) {
                        (1 | 2, [Mark(':'), Number { value: minute, digits: 2 }, tail @ ..]) => {
                            (value * 60 + minute, tail)
                        }
                        (1 | 2, _) => (value * 60, tail),
                        _ => (value / 100 * 60 + value % 100, tail),
                    };
                    self.take_offset(*sign, minutes);
                    is_found = true;
                    tail
                }
                _ => return rest,
            };
        }
    }

    fn take_offset(&mut self, sign: char, minutes: i64) {
        if minutes <= 15 * 60 {
            self.offset_minutes = if sign == '-' { -minutes } else { minutes };
        }
    }

    /// `AM`, `PM`, `오전`, `오후` after the time or right before it: `am 24. November` is a day's.
    fn take_half(&mut self, tokens: &[Token<'_>], time: usize) {
        let before = tokens[..time].iter().rposition(|token| *token != Token::Space);
        let near = &tokens[before.unwrap_or(0)..];
        self.is_afternoon = near.iter().rev().find_map(|token| match token {
            Token::Word(word) => half_of_day(word),
            _ => None,
        });
    }

    fn instant(&self) -> Option<Timestamp> {
        let (year, month, day) = self.date?;
        let (mut hour, minute, second) = self.time.unwrap_or((0, 0, 0));
        match self.is_afternoon {
            Some(true) if hour < 12 => hour += 12,
            Some(false) if hour == 12 => hour = 0,
            _ => {}
        }
        let is_valid = (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day)
            && (0..=24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..=60).contains(&second)
            && (hour < 24 || minute == 0 && second == 0)
            && (1970..=9999).contains(&year);
        if !is_valid {
            return None;
        }
        let seconds =
            days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second;
        Timestamp::from_unix_seconds(seconds - self.offset_minutes * 60)
    }
}

/// `-2003` after a time is a year (`10:00-2003` does not occur as a zone).
fn is_year_after_dash(sign: char, value: i64, digits: usize) -> bool {
    sign == '-' && digits == 4 && value > 1_500
}

fn is_time_word(token: Token<'_>) -> bool {
    matches!(token, Token::Word("T" | "t"))
}

/// Words after an hour, a minute and a second, and before a time with a dot.
const HOUR_WORDS: [&str; 7] = ["h", "uhr", "時", "时", "点", "點", "시"];
const MINUTE_WORDS: [&str; 5] = ["min", "mn", "m", "分", "분"];
const SECOND_WORDS: [&str; 4] = ["s", "sec", "秒", "초"];
const TIME_WORDS: [&str; 4] = ["kl", "klo", "ore", "um"];

/// Minute and second of `10h15`, `10時15分30秒`, `10 Uhr`, `10.15 Uhr`, `kl. 10.15`, `10 am`, and the token after
/// them; the hour is the number at `at`.
fn worded_time(tokens: &[Token<'_>], at: usize, hour: i64) -> Option<(i64, i64, usize)> {
    use Token::{Mark, Number, Space, Word};
    let is_word = |at: usize, words: &[&str]| match tokens.get(at) {
        Some(Word(word)) => words.iter().any(|known| word.eq_ignore_ascii_case(known)),
        _ => false,
    };
    let after_space = |at: usize| at + usize::from(tokens.get(at) == Some(&Space));
    let number = |at: usize| match tokens.get(at) {
        Some(Number { value, digits: 1..=2 }) => Some(*value),
        _ => None,
    };
    if let [Mark('.'), Number { value: minute, digits: 2 }, rest @ ..] = &tokens[at + 1..] {
        let before = tokens[..at].iter().rposition(|token| !matches!(token, Space | Mark('.')));
        let is_named = before.is_some_and(|before| is_word(before, &TIME_WORDS))
            || is_word(after_space(at + 3), &["uhr"]);
        let is_date = matches!(rest, [Mark('.'), Number { .. }, ..]);
        return (is_named && !is_date).then_some((*minute, 0, at + 3));
    }
    let word = after_space(at + 1);
    if !is_word(word, &HOUR_WORDS) {
        let is_half = is_word(word, &["am", "pm"]) && (1..=12).contains(&hour);
        return is_half.then_some((0, 0, at + 1));
    }
    let minute_at = after_space(word + 1);
    let Some(minute) = number(minute_at) else { return Some((0, 0, word + 1)) };
    let unit = after_space(minute_at + 1);
    let has_unit = is_word(unit, &MINUTE_WORDS);
    let is_last = match tokens.get(unit) {
        Some(Word(word)) => zone(word).is_some(),
        other => other.is_none(),
    };
    // `10 h 24 novembre`
    if minute_at > word + 1 && !has_unit && !is_last {
        return Some((0, 0, word + 1));
    }
    let second_at = after_space(unit + 1);
    match number(second_at).filter(|_| has_unit && is_word(second_at + 1, &SECOND_WORDS)) {
        Some(second) => Some((minute, second, second_at + 2)),
        None if has_unit => Some((minute, 0, unit + 1)),
        None => Some((minute, 0, minute_at + 1)),
    }
}

fn half_of_day(word: &str) -> Option<bool> {
    match word {
        _ if word.eq_ignore_ascii_case("am")
            || word == "오전"
            || word == "上午"
            || word == "午前" =>
        {
            Some(false)
        }
        _ if word.eq_ignore_ascii_case("pm")
            || word == "오후"
            || word == "下午"
            || word == "午後" =>
        {
            Some(true)
        }
        _ => None,
    }
}

/// Year, month and day from what stands before and after the time.
fn read_date(before: &[Token<'_>], after: &[Token<'_>]) -> Option<(i64, i64, i64)> {
    let tokens: Vec<Token<'_>> =
        before.iter().chain([&Token::Space]).chain(after).copied().collect();
    let numbers: Vec<(i64, usize, usize)> =
        tokens.iter().enumerate().filter_map(number_at).collect();
    // The last: `mardi 24 novembre` begins with a word that is also short for March.
    let month = tokens.iter().rev().find_map(|token| match token {
        Token::Word(word) => month(word),
        _ => None,
    });
    let Some(month) = month else { return numeric_date(&tokens, &numbers) };
    let (first, second) = match numbers.as_slice() {
        [first, second, ..] => (*first, *second),
        // `November 2026`
        [(year, 4, _)] => return Some((*year, month, 1)),
        _ => return None,
    };
    // The year is the number of four digits; of two short ones the later: `24 Nov 26`, `Nov 24, 26`.
    if first.1 == 4 {
        return Some((first.0, month, second.0));
    }
    Some((full_year(second.0, second.1)?, month, first.0))
}

fn number_at((at, token): (usize, &Token<'_>)) -> Option<(i64, usize, usize)> {
    match token {
        Token::Number { value, digits } => Some((*value, *digits, at)),
        _ => None,
    }
}

/// Dates of numbers alone: `2026-11-24`, `2026/1/10`, `24.11.2026`, `2026-328`, `2026-W48-2`, `2026年11月24日`.
fn numeric_date(tokens: &[Token<'_>], numbers: &[(i64, usize, usize)]) -> Option<(i64, i64, i64)> {
    let separator = |at: usize| match tokens.get(at + 1) {
        Some(Token::Mark(mark)) => *mark,
        _ => ' ',
    };
    match *numbers {
        [(year, 4, _), (week, 1..=2, at), ..] if is_week(tokens.get(at - 1)) => {
            let day = numbers.get(2).map_or(1, |number| number.0);
            week_date(year, week, day)
        }
        [(year, 4, _), (day, 3, at)] if is_week(tokens.get(at - 1)) => {
            week_date(year, day / 10, day % 10)
        }
        [(year, 4, _), (month, 1..=2, _), (day, 1..=2, _), ..] => Some((year, month, day)),
        [(year, 4, _), (day, 3, _), ..] => day_of_year(year, day),
        [(year, 4, _), (month, 1..=2, _)] => Some((year, month, 1)),
        [(year, 4, _)] => Some((year, 1, 1)),
        [(date, 8, _), ..] => Some((date / 10_000, date / 100 % 100, date % 100)),
        [(date, 7, _), ..] => day_of_year(date / 1_000, date % 1_000),
        [(day, 1..=2, at), (month, 1..=2, _), (year, 4, _), ..] if separator(at) == '.' => {
            Some((year, month, day))
        }
        [(first, 1..=2, _), (second, 1..=2, _), (year, 4, _), ..] => match (first, second) {
            (13..=31, 1..=12) => Some((year, second, first)),
            (1..=12, 13..=31) => Some((year, first, second)),
            (a, b) if a == b => Some((year, a, b)),
            _ => None,
        },
        // `03-12-31`: RFC 3339's ancestors allowed the century to be left out.
        [(year, 2, at), (month, 2, _), (day, 2, _), ..] if separator(at) == '-' => {
            Some((full_year(year, 2)?, month, day))
        }
        _ => None,
    }
}

fn is_week(token: Option<&Token<'_>>) -> bool {
    matches!(token, Some(Token::Word("W" | "w")))
}

fn week_date(year: i64, week: i64, day: i64) -> Option<(i64, i64, i64)> {
    if !(1..=53).contains(&week) || !(1..=7).contains(&day) {
        return None;
    }
    let fourth = days_from_civil(year, 1, 4);
    let monday = fourth - (fourth + 3).rem_euclid(7);
    Some(civil_from_days(monday + (week - 1) * 7 + day - 1))
}

fn day_of_year(year: i64, day: i64) -> Option<(i64, i64, i64)> {
    let length = if is_leap(year) { 366 } else { 365 };
    let is_valid = (1..=length).contains(&day) && (1..=9999).contains(&year);
    is_valid.then(|| civil_from_days(days_from_civil(year, 1, 1) + day - 1))
}

/// Years of two digits: to 69 in this century (POSIX); of three: since 1900 (a Perl habit).
fn full_year(year: i64, digits: usize) -> Option<i64> {
    match digits {
        1 | 2 if year < 70 => Some(2000 + year),
        1..=3 => Some(1900 + year),
        4 => Some(year),
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let mut year = 1970 + days.div_euclid(366);
    while days_from_civil(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_from_civil(year, month + 1, 1) <= days {
        month += 1;
    }
    (year, month, days - days_from_civil(year, month, 1) + 1)
}

/// The month a word names, in the languages of `data/months.txt`. Finnish `marraskuuta` is November, though it begins
/// like March: the longest name that a word begins with is the one.
fn month(word: &str) -> Option<i64> {
    let english = match word.as_bytes() {
        [a, b, c, ..] => english_month([a | 0x20, b | 0x20, c | 0x20]),
        _ => None,
    };
    if english.is_some() && word.len() == 3 {
        return english;
    }
    let lower = word.to_lowercase();
    let candidates = month_names().iter().filter(|(name, _)| lower.starts_with(*name));
    let longest = candidates.max_by_key(|(name, _)| name.len());
    match longest {
        Some((name, month)) if name.len() > 3 => Some(*month),
        other => english.or(other.map(|(_, month)| *month)),
    }
}

fn english_month(start: [u8; 3]) -> Option<i64> {
    const NAMES: [&[u8; 3]; 12] = [
        b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov",
        b"dec",
    ];
    NAMES.iter().position(|name| **name == start).map(|at| at as i64 + 1)
}

fn month_names() -> &'static [(&'static str, i64)] {
    static NAMES: OnceLock<Vec<(&'static str, i64)>> = OnceLock::new();
    NAMES.get_or_init(|| {
        let lines = include_str!("data/months.txt").lines().filter(|line| !line.starts_with('#'));
        let words = lines.flat_map(|line| {
            let (number, names) = line.split_once(' ').unwrap_or_default();
            let number = number.parse().unwrap_or(0);
            names.split_whitespace().map(move |name| (name, number))
        });
        words.collect()
    })
}

fn zone(word: &str) -> Option<i64> {
    static ZONES: OnceLock<HashMap<&'static str, i64>> = OnceLock::new();
    let zones = ZONES.get_or_init(|| {
        let lines = include_str!("data/zones.txt").lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| line.split_once(' '));
        pairs.filter_map(|(name, minutes)| Some((name, minutes.parse().ok()?))).collect()
    });
    if word.len() > 5 {
        return None;
    }
    zones.get(word.to_ascii_lowercase().as_str()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_their_publishers_meant_them() {
        for (raw, expected) in [
            ("Tue, 24 Nov 2026 10:15:00 +0100", "2026-11-24T09:15:00Z"),
            ("Tue, 24 Nov 2026 10:15:00 GMT", "2026-11-24T10:15:00Z"),
            ("24 Nov 26 10:15 EST", "2026-11-24T15:15:00Z"),
            ("Tuesday, 24 November 2026 10:15:00 PDT", "2026-11-24T17:15:00Z"),
            ("Tue Nov 24 10:15:00 2026", "2026-11-24T10:15:00Z"),
            ("Tue Nov 24 10:15:00 EST 2026", "2026-11-24T15:15:00Z"),
            ("Nov 24, 2026 10:15 PM", "2026-11-24T22:15:00Z"),
            ("2026-11-24 10:15 p.m.", "2026-11-24T22:15:00Z"),
            ("Nov 24, 2026 1:05 P. M. EST", "2026-11-24T18:05:00Z"),
            ("24. marraskuuta 2026", "2026-11-24T00:00:00Z"),
            ("24. maaliskuuta 2026", "2026-03-24T00:00:00Z"),
            ("24 července 2026", "2026-07-24T00:00:00Z"),
            ("24 června 2026", "2026-06-24T00:00:00Z"),
            ("24 marzo 2026", "2026-03-24T00:00:00Z"),
            ("Tue, 24 Nov 2026 12:12 AM", "2026-11-24T00:12:00Z"),
            ("Tue, 24 Nov 2026 12:12 PM", "2026-11-24T12:12:00Z"),
            ("Tue, 24 Nov 2026 10:15:00 GMT+2", "2026-11-24T08:15:00Z"),
            ("Tue, 24 Nov 2026 10:15:00 +0000 (UTC)", "2026-11-24T10:15:00Z"),
            ("Tue,24Nov2026 10:15:00Z", "2026-11-24T10:15:00Z"),
            ("24 Nov 2026", "2026-11-24T00:00:00Z"),
            ("24-Nov-2026 10:15", "2026-11-24T10:15:00Z"),
            ("Tue, 24 Nov 2026 24:00:00 GMT", "2026-11-25T00:00:00Z"),
            ("Tue, 24 Nov 2026 23:59:60 GMT", "2026-11-25T00:00:00Z"),
            ("2026-11-24T09:15:00Z", "2026-11-24T09:15:00Z"),
            ("2026-11-24T09:15:00.123456+01:00", "2026-11-24T08:15:00Z"),
            ("2026-11-24T09:15Z", "2026-11-24T09:15:00Z"),
            ("2026-11-24 09:15:00 -0500", "2026-11-24T14:15:00Z"),
            ("2026-11-24 09:15:00 UTC", "2026-11-24T09:15:00Z"),
            ("20261124T091500Z", "2026-11-24T09:15:00Z"),
            ("20261124T0915+01", "2026-11-24T08:15:00Z"),
            ("2026-11-24", "2026-11-24T00:00:00Z"),
            ("2026-11", "2026-11-01T00:00:00Z"),
            ("2026", "2026-01-01T00:00:00Z"),
            ("2026-328", "2026-11-24T00:00:00Z"),
            ("2026-W48-2", "2026-11-24T00:00:00Z"),
            ("2026/1/10", "2026-01-10T00:00:00Z"),
            ("2026/1/10 10:15:00", "2026-01-10T10:15:00Z"),
            ("24.11.2026 10:15", "2026-11-24T10:15:00Z"),
            ("24/11/2026", "2026-11-24T00:00:00Z"),
            ("11/24/2026 10:15:00 AM", "2026-11-24T10:15:00Z"),
            ("1795511700", "2026-11-24T09:15:00Z"),
            ("20261124101500", "2026-11-24T10:15:00Z"),
            ("24. November 2026 10:15 Uhr", "2026-11-24T10:15:00Z"),
            ("24 novembre 2026", "2026-11-24T00:00:00Z"),
            ("mardi 24 novembre 2026", "2026-11-24T00:00:00Z"),
            ("24 août 2026", "2026-08-24T00:00:00Z"),
            ("Вт, 24 ноября 2026 10:15:00 +0300", "2026-11-24T07:15:00Z"),
            ("Τρι, 24 Νοέ 2026 10:15:00 EST", "2026-11-24T15:15:00Z"),
            ("2026-július-13T9:15-05:00", "2026-07-13T14:15:00Z"),
            ("2026년 11월 24일  10:15:00", "2026-11-24T10:15:00Z"),
            ("2026-11-24 오후 10:15:00", "2026-11-24T22:15:00Z"),
            ("2026年11月24日", "2026-11-24T00:00:00Z"),
            ("Thu, 01 Jan 104 07:56:23 GMT", "2004-01-01T07:56:23Z"),
            ("24 novembre 2026 à 10h15", "2026-11-24T10:15:00Z"),
            ("24 novembre 2026, 10 h 15 CET", "2026-11-24T09:15:00Z"),
            ("24 novembre 2026 - 10H15min", "2026-11-24T10:15:00Z"),
            ("10h 24 novembre 2026", "2026-11-24T10:00:00Z"),
            ("24. November 2026, 12.15 Uhr", "2026-11-24T12:15:00Z"),
            ("24.11.2026 9.15 Uhr", "2026-11-24T09:15:00Z"),
            ("Dienstag, 24. November 2026, 12 Uhr", "2026-11-24T12:00:00Z"),
            ("24. november 2026 kl. 10.15", "2026-11-24T10:15:00Z"),
            ("am 24. November 2026 um 12:15", "2026-11-24T12:15:00Z"),
            ("2026年11月24日 10時15分", "2026-11-24T10:15:00Z"),
            ("2026年11月24日10時15分30秒", "2026-11-24T10:15:30Z"),
            ("2026年11月24日 下午3点15分", "2026-11-24T15:15:00Z"),
            ("2026년 11월 24일 오후 3시 15분", "2026-11-24T15:15:00Z"),
            ("Nov 24, 2026 10 am", "2026-11-24T10:00:00Z"),
            ("Tue, 24 Nov 2026 10:15:00 + 0100", "2026-11-24T09:15:00Z"),
            ("2026-11-24 10:15 - 0500", "2026-11-24T15:15:00Z"),
            ("10:15 - 24 Nov 2026", "2026-11-24T10:15:00Z"),
            ("2023W011", "2023-01-02T00:00:00Z"),
            ("2023W01", "2023-01-02T00:00:00Z"),
            ("2023W011T101500Z", "2023-01-02T10:15:00Z"),
            ("1795511700.25", "2026-11-24T09:15:00Z"),
            ("1795511700250.5", "2026-11-24T09:15:00Z"),
        ] {
            let read = parse(raw).map(|at| at.to_string());
            assert_eq!(read.as_deref(), Some(expected), "{raw}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_not_invented() {
        for raw in [
            "",
            "yesterday",
            "32 Jul 2026",
            "30 Feb 2026",
            "03/04/2026",
            "2026-13-01",
            "2026-11-24T25:00:00Z",
            "99999999999999999999999",
            "0000-00-00 00:00:00",
            "Tue, 24 Nov 2026 10:75:00 GMT",
            "1 2",
            "12:00",
            "2023W601",
            "24. November 2026, 25.15 Uhr",
        ] {
            assert_eq!(parse(raw), None, "{raw}");
        }
    }

    #[test]
    fn calendars_agree() {
        for days in (0..2_932_896).step_by(37) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
    }
}
