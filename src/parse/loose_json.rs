//! JSON that is not JSON: cut off, with trailing commas, with raw line ends and bare quotes in strings, with
//! brackets too many or too few.
//!
//! In: text. Out: the value as far as it can be read; total and linear. Only met where `serde_json` refused.
//! Wherever the brackets do not add up, the next thing that looks like a member or like the next element of
//! the list goes on: one broken item never costs the others.

use serde_json::{Map, Number, Value};

/// Brackets nested deeper are skipped.
const MAX_DEPTH: usize = 64;

/// Values that are read; what follows is left out.
const MAX_VALUES: usize = 200_000;

/// A longer string before a colon is no key. Keys are looked for ahead, so that their length must be bounded.
const MAX_KEY: usize = 64;

/// Reads `text` as far as it goes.
pub(super) fn read(text: &str) -> Value {
    Reader { text, at: 0, values: 0 }.value(0, Inside::Object)
}

/// Reads a feed: items that stand behind what closed their list too early belong to it.
pub(super) fn read_feed(text: &str) -> Value {
    let mut reader = Reader { text, at: 0, values: 0 };
    let mut feed = reader.value(0, Inside::Object);
    if let Value::Object(members) = &mut feed
        && let Some(Value::Array(items)) = members.get_mut("items")
    {
        while let Some(skipped) = memchr::memchr(b'{', reader.rest()) {
            reader.at += skipped;
            let value = reader.value(1, Inside::List);
            if ITEM_KEYS.iter().any(|key| value.get(key).is_some()) {
                items.push(value);
            }
        }
    }
    feed
}

/// An object with one of these is an item.
pub(super) const ITEM_KEYS: [&str; 5] = ["id", "url", "title", "content_html", "content_text"];

/// What a value is part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Object,
    List,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    /// The first byte at or after `at` that is neither white space nor in `skipped`, and where it stands.
    fn next_after(&self, at: usize, skipped: &[u8]) -> Option<(u8, usize)> {
        let rest = self.text.as_bytes().get(at..)?;
        let length = rest.iter().position(|b| !b.is_ascii_whitespace() && !skipped.contains(b))?;
        Some((rest[length], at + length))
    }

    fn peek(&mut self) -> Option<u8> {
        let next = self.next_after(self.at, b",:");
        self.at = next.map_or(self.text.len(), |(_, at)| at);
        next.map(|(byte, _)| byte)
    }

    /// The key that begins with the quote at `at`, if a colon and a value follow it.
    fn key_at(&self, at: usize) -> Option<&'a str> {
        let start = at + 1;
        let bytes = self.text.as_bytes().get(start..)?;
        let length = memchr::memchr(b'"', &bytes[..bytes.len().min(MAX_KEY)])?;
        let key = &self.text[start..start + length];
        let (_, colon) = self.next_after(start + length + 1, b"").filter(|(b, _)| *b == b':')?;
        let is_value = self
            .next_after(colon + 1, b"")
            .is_none_or(|(byte, _)| byte.is_ascii_digit() || b"\"{[-,}]tfnTFN".contains(&byte));
        (is_value && !key.contains(['{', '}', '[', ']', ',', '<', '\n'])).then_some(key)
    }

    /// The first key of the object whose brace stands at `at`.
    fn first_key_at(&self, at: usize) -> Option<&'a str> {
        match self.next_after(at + 1, b"")? {
            (b'"', at) => self.key_at(at),
            _ => None,
        }
    }

    fn value(&mut self, depth: usize, inside: Inside) -> Value {
        self.values += 1;
        if self.values > MAX_VALUES {
            self.at = self.text.len();
        }
        match self.peek() {
            Some(b'{' | b'[') if depth > MAX_DEPTH => {
                self.at += 1;
                Value::Null
            }
            Some(b'{') => {
                self.at += 1;
                let mut members = Map::new();
                self.members(&mut members, depth);
                Value::Object(members)
            }
            Some(b'[') => {
                self.at += 1;
                self.list(depth)
            }
            Some(b'"') => Value::String(self.string(inside)),
            Some(_) => match self.word() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                word => word.parse::<Number>().map_or(Value::Null, Value::Number),
            },
            None => Value::Null,
        }
    }

    /// Members up to their closing brace, or to where it must be missing.
    fn members(&mut self, members: &mut Map<String, Value>, depth: usize) {
        while let Some(next) = self.peek() {
            let key = match next {
                b'}' => {
                    self.at += 1;
                    return;
                }
                b']' | b'{' => return,
                b'"' => match self.key_at(self.at) {
                    Some(key) => {
                        self.at += key.len() + 2;
                        unescape(key)
                    }
                    // The end of a string whose sentence looked like a member.
                    None => {
                        self.at += 1;
                        continue;
                    }
                },
                _ => self.word().to_owned(),
            };
            let Some((b':', colon)) = self.next_after(self.at, b"") else { continue };
            self.at = colon + 1;
            let value = match self.next_after(self.at, b"") {
                None => return,
                Some((b',' | b'}' | b']', _)) => Value::Null,
                Some(_) => self.value(depth + 1, Inside::Object),
            };
            members.entry(key).or_insert(value);
        }
    }

    fn list(&mut self, depth: usize) -> Value {
        let mut list = Vec::new();
        let mut last_key = None;
        while let Some(next) = self.peek() {
            let key = if next == b'"' { self.key_at(self.at) } else { None };
            match (next, key) {
                (b']', _) => {
                    self.at += 1;
                    break;
                }
                (b'}', _) => match self.next_after(self.at, b"},") {
                    // Braces too many, if what follows is like what came before.
                    Some((b'{', at)) if last_key.is_some() && self.first_key_at(at) == last_key => {
                        self.at = at;
                    }
                    _ => break,
                },
                (_, Some(key)) => match list.last_mut() {
                    // One before it closed the object too early.
                    Some(Value::Object(last)) if !last.contains_key(key) => {
                        self.members(last, depth + 1);
                    }
                    // One is missing.
                    _ => {
                        let mut members = Map::new();
                        self.members(&mut members, depth + 1);
                        list.push(Value::Object(members));
                    }
                },
                _ => {
                    last_key = if next == b'{' { self.first_key_at(self.at) } else { None };
                    let value = self.value(depth + 1, Inside::List);
                    // Words that mean nothing are junk, not elements.
                    if value != Value::Null {
                        list.push(value);
                    }
                }
            }
        }
        Value::Array(list)
    }

    /// A bare word; at least one character, so that every call gets on.
    fn word(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let is_end = |c: char| c.is_whitespace() || "{}[],:\"".contains(c);
        let length = first + rest[first..].find(is_end).unwrap_or(rest.len() - first);
        self.at += length;
        &rest[..length]
    }

    /// A string to the first quote that can be its end, else to the end of the text.
    fn string(&mut self, inside: Inside) -> String {
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut end = start;
        while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[end.min(bytes.len())..]) {
            end += found;
            if bytes[end] == b'\\' {
                end += 2;
            } else if self.is_end(end, inside) {
                self.at = end + 1;
                return unescape(&self.text[start..end]);
            } else {
                end += 1;
            }
        }
        self.at = bytes.len();
        unescape(&self.text[start..])
    }

    /// Whether the quote ends a string: what follows it is what can follow a value, and not more of a
    /// sentence.
    fn is_end(&self, quote: usize, inside: Inside) -> bool {
        match (self.next_after(quote + 1, b""), inside) {
            (None, _) => true,
            (Some((b'}' | b']', at)), _) => {
                matches!(self.next_after(at + 1, b""), None | Some((b',' | b'}' | b']' | b'{', _)))
            }
            (Some((b',' | b'"', at)), Inside::Object) => match self.next_after(at, b",") {
                Some((b'"', at)) => self.key_at(at).is_some(),
                Some((byte, _)) => matches!(byte, b'}' | b']' | b'{'),
                None => true,
            },
            (Some((b',', at)), Inside::List) => {
                self.next_after(at, b",").is_none_or(|(byte, _)| {
                    matches!(byte, b'"' | b'{' | b'[' | b']' | b'}' | b'-' | b'0'..=b'9')
                })
            }
            _ => false,
        }
    }
}

fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(escape) = rest.chars().next() else { break };
        rest = &rest[escape.len_utf8()..];
        match escape {
            'n' => text.push('\n'),
            't' => text.push('\t'),
            'r' => text.push('\r'),
            'b' | 'f' => text.push(' '),
            'u' => rest = code_unit(rest, &mut text),
            other => text.push(other),
        }
    }
    text.push_str(rest);
    text
}

/// `XXXX`, and the low surrogate `\uXXXX` after a high one; what follows.
fn code_unit<'a>(rest: &'a str, text: &mut String) -> &'a str {
    let hex = |rest: &str| rest.get(..4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
    let Some(high) = hex(rest) else { return rest };
    let after = &rest[4..];
    let low = after.strip_prefix("\\u").and_then(hex);
    match (char::from_u32(u32::from(high)), low) {
        (Some(c), _) => text.push(c),
        (None, Some(low)) => {
            let pair = char::decode_utf16([high, low]).next().and_then(Result::ok);
            text.push(pair.unwrap_or(char::REPLACEMENT_CHARACTER));
            return after.get(6..).unwrap_or("");
        }
        (None, None) => text.push(char::REPLACEMENT_CHARACTER),
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn broken_json_is_read_as_far_as_it_goes() {
        for (text, expected) in [
            (r#"{"a":[1,2,],"b":"x"}"#, json!({"a": [1, 2], "b": "x"})),
            ("{\"a\":\"x\ny\"}", json!({"a": "x\ny"})),
            (r#"{"a":[{"b":"c"},{"b":"d"#, json!({"a": [{"b": "c"}, {"b": "d"}]})),
            (r#"{"a":"\u00e9\ud83d\ude00\"","b":true"#, json!({"a": "é😀\"", "b": true})),
            (r#"{a: NaN, "b": -1.5}"#, json!({"a": null, "b": -1.5})),
            ("", Value::Null),
            (r#"{"a":"\"#, json!({"a": ""})),
            (
                r#"{"a":"x "y", z","b":["1 "2"",3]}"#,
                json!({"a": "x \"y\", z", "b": ["1 \"2\"", 3]}),
            ),
            (
                r#"{"a":"x" "b":,"c":"","d":""y" z"}"#,
                json!({"a": "x", "b": null, "c": "", "d": "\"y\" z"}),
            ),
            (r#"[{"a":1}},{"a":2}}},{"a":3}]"#, json!([{"a": 1}, {"a": 2}, {"a": 3}])),
            (
                r#"[{"a":1,{"a":2,"b":{"c":3},{"a":4}]"#,
                json!([{"a": 1}, {"a": 2, "b": {"c": 3}}, {"a": 4}]),
            ),
            (r#"[{"a":1},"a":2},{"a":3}]"#, json!([{"a": 1}, {"a": 2}, {"a": 3}])),
            (
                r#"[{"a":1,"b":{"c":2}},"d":3},{"a":4}]"#,
                json!([{"a": 1, "b": {"c": 2}, "d": 3}, {"a": 4}]),
            ),
            (r#"[{"a":["x","y"},{"a":[]}]"#, json!([{"a": ["x", "y"]}, {"a": []}])),
            (r#"[{"a":[{"b":1}},{"a":2}]"#, json!([{"a": [{"b": 1}]}, {"a": 2}])),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_stands_behind_the_end_is_read_if_it_is_an_item() {
        for text in [
            r#"{"items":[{"id":1}],{"id":2}]} junk"#,
            r#"{"items":[{"id":1,"tags":["a"]],"title":"x"},{"id":2}]}"#,
            r#"{"items":[{"id":1}}],"title":"x"},{"id":2}<script>{"a":{}}</script>"#,
        ] {
            let feed = read_feed(text);
            let ids: Vec<_> = feed["items"].as_array().unwrap().iter().map(|i| &i["id"]).collect();
            assert_eq!(ids, [1, 2], "{text}");
        }
    }

    #[test]
    fn what_is_looked_for_ahead_takes_linear_time() {
        for unit in
            ["\" ", "}", "\"}", "\",", "{\"a\":\"", "[{\"a\":1}", "\"a\":", "{", "[}", "\"a\"  }"]
        {
            let start = std::time::Instant::now();
            read_feed(&format!("{{\"items\":[{}", unit.repeat(200_000)));
            assert!(start.elapsed().as_secs() < 10, "{unit}: {:?}", start.elapsed());
        }
    }
}
