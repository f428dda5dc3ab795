//! JSON that is not JSON: cut off, with trailing commas, with raw line ends in strings.
//!
//! In: text. Out: the value as far as it can be read; total and linear. Only met where `serde_json` refused.

use serde_json::{Map, Number, Value};

/// Brackets nested deeper are skipped.
const MAX_DEPTH: usize = 64;

/// Values that are read; what follows is left out.
const MAX_VALUES: usize = 200_000;

/// Reads `text` as far as it goes.
pub(super) fn read(text: &str) -> Value {
    Reader { text, at: 0, values: 0 }.value(0)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let skipped =
            rest.iter().position(|b| !b.is_ascii_whitespace() && *b != b',' && *b != b':')?;
        self.at += skipped;
        self.text.as_bytes().get(self.at).copied()
    }

    fn value(&mut self, depth: usize) -> Value {
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
                while let Some(next) = self.peek().filter(|next| !matches!(next, b'}' | b']')) {
                    let key = if next == b'"' { self.string() } else { self.word().to_owned() };
                    if self.peek().is_none() {
                        break;
                    }
                    let value = self.value(depth + 1);
                    members.entry(key).or_insert(value);
                }
                self.at += usize::from(self.peek() == Some(b'}'));
                Value::Object(members)
            }
            Some(b'[') => {
                self.at += 1;
                let mut list = Vec::new();
                while self.peek().is_some_and(|next| !matches!(next, b'}' | b']')) {
                    list.push(self.value(depth + 1));
                }
                self.at += usize::from(self.peek() == Some(b']'));
                Value::Array(list)
            }
            Some(b'"') => Value::String(self.string()),
            Some(_) => match self.word() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                word => word.parse::<Number>().map_or(Value::Null, Value::Number),
            },
            None => Value::Null,
        }
    }

    /// A bare word; at least one character, so that every call gets on.
    fn word(&mut self) -> &str {
        let rest = &self.text[self.at..];
        let first = rest.chars().next().map_or(0, char::len_utf8);
        let is_end = |c: char| c.is_whitespace() || "{}[],:\"".contains(c);
        let length = first + rest[first..].find(is_end).unwrap_or(rest.len() - first);
        self.at += length;
        &rest[..length]
    }

    fn string(&mut self) -> String {
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut end = start;
        while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[end.min(bytes.len())..]) {
            end += found;
            if bytes[end] == b'"' {
                break;
            }
            end += 2;
        }
        let is_closed = bytes.get(end) == Some(&b'"');
        let raw = if is_closed { &self.text[start..end] } else { &self.text[start..] };
        self.at = if is_closed { end + 1 } else { bytes.len() };
        unescape(raw)
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
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
