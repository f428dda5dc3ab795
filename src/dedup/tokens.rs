//! Text to tokens: what is compared when two texts are compared.
//!
//! In: any text in any script. Out: a token for each word or number, with a 32-bit hash of its folded form and
//! its place in the text. Folding is for comparison only: case (every kind of i is one), diacritics, width,
//! kana, tatweel, Arabic letter variants, traditional and simplified Chinese, digits of all scripts, apostrophes and
//! thousands separators. A minus sign belongs to its number.
//!
//! Scripts without spaces are cut into pieces where their own characters say so: a boundary falls between two
//! characters whose hash is divisible by the mean piece length. So a copy is cut at the same places as its
//! model wherever it reads the same, and everything downstream (runs of tokens, counts, the lead) works on
//! pieces as it does on words.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

use super::han::simplified;

/// What a token looks like, as far as one script or another tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary word.
    Word,
    /// A word that starts with a capital.
    Name,
    /// Anything with a digit in it.
    Number,
    /// A piece of a script without spaces.
    Piece,
}

/// A word, a number or a piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// Of the folded form: equal for what a reader takes for the same word.
    pub hash: u32,
    /// Where it starts, in bytes.
    pub start: u32,
    /// Where it ends, in bytes.
    pub end: u32,
    /// What it looks like.
    pub kind: Kind,
}

/// Splits a text into tokens; `into` is emptied first and may be used again and again.
pub fn tokenize(text: &str, into: &mut Vec<Token>) {
    into.clear();
    let mut open = Open::default();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if open.length == 0 {
            at = plain_words(bytes, at, into);
            if at == bytes.len() {
                break;
            }
        }
        let byte = bytes[at];
        if byte < 0x80 {
            match byte {
                b'a'..=b'z' => open.letter(u32::from(byte), at, false, into),
                b'A'..=b'Z' => open.letter(u32::from(byte | 0x20), at, true, into),
                b'0'..=b'9' => open.digit(u32::from(byte), text, at, into),
                b'\'' | b'`' if open.length > 0 => {}
                b'.' | b',' if open.is_number && joins_digits(bytes, at) => {
                    open.separator(bytes, at)
                }
                _ => open.close(at, into),
            }
            at += 1;
            continue;
        }
        let Some(c) = text[at..].chars().next() else { break };
        open.other(c, text, at, into);
        at += c.len_utf8();
    }
    open.close(bytes.len(), into);
}

/// Tokens of a headline that are compared: what is longer is none, and comparing two costs the square of their number.
const MAX_HEADLINE: usize = 100;

/// The tokens of a headline.
pub fn headline_tokens(title: &str) -> Vec<Token> {
    let mut into = tokens(title);
    into.truncate(MAX_HEADLINE);
    into
}

/// The tokens of a text.
pub fn tokens(text: &str) -> Vec<Token> {
    let mut into = Vec::with_capacity(text.len() / 5);
    tokenize(text, &mut into);
    into
}

/// The fast road: words of ASCII letters with nothing joined on. Stops before the first byte that it cannot
/// settle alone, with no token open.
fn plain_words(bytes: &[u8], mut at: usize, into: &mut Vec<Token>) -> usize {
    while let Some(first) = bytes.get(at) {
        if !first.is_ascii_alphabetic() {
            if first.is_ascii_digit() || !first.is_ascii() {
                return at;
            }
            at += 1;
            continue;
        }
        let (start, mut hash) = (at, 0);
        while let Some(byte) = bytes.get(at).filter(|byte| byte.is_ascii_alphabetic()) {
            hash = mix(hash, u32::from(byte | 0x20));
            at += 1;
        }
        if bytes.get(at).is_some_and(|next| !next.is_ascii() || matches!(next, b'\'' | b'`')) {
            return start;
        }
        let kind = if first.is_ascii_uppercase() { Kind::Name } else { Kind::Word };
        into.push(Token { hash: finish(hash), start: start as u32, end: at as u32, kind });
    }
    at
}

fn mix(hash: u64, c: u32) -> u64 {
    (hash.rotate_left(5) ^ u64::from(c)).wrapping_mul(0x517c_c1b7_2722_0a95)
}

fn finish(hash: u64) -> u32 {
    ((hash ^ hash >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 32) as u32
}

/// A full stop or comma right before a digit belongs to the number.
fn joins_digits(bytes: &[u8], at: usize) -> bool {
    bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
}

/// Whether a minus sign stands right before a number: no dash between two figures, no hyphen behind a word.
fn is_below_zero(text: &str, at: usize) -> bool {
    let before = text[..at].strip_suffix(['-', '−', '–']);
    before.is_some_and(|before| {
        before.ends_with(|c: char| c.is_whitespace() || c == '(') || before.is_empty()
    })
}

/// The token being read.
#[derive(Default)]
struct Open {
    hash: u64,
    start: usize,
    /// Characters that count.
    length: u32,
    last: u32,
    is_number: bool,
    is_name: bool,
    /// Mean piece length of the script; 0 where words are spaced.
    mean: u32,
    /// Last byte that belongs to the token, so that a trailing apostrophe does not.
    end: usize,
}

/// Pieces end here at the latest, so that a row of equal characters is no single token.
const LONGEST_PIECE: u32 = 4;

impl Open {
    fn push(&mut self, c: u32, at: usize) {
        if self.length == 0 {
            self.start = at;
        }
        self.hash = mix(self.hash, c);
        self.length += 1;
        self.last = c;
    }

    fn letter(&mut self, c: u32, at: usize, is_capital: bool, into: &mut Vec<Token>) {
        if self.mean > 0 || self.is_number {
            self.close(at, into);
        }
        if self.length == 0 {
            self.is_name = is_capital;
        }
        self.push(c, at);
        self.end = at + 1;
    }

    fn digit(&mut self, c: u32, text: &str, at: usize, into: &mut Vec<Token>) {
        if !self.is_number {
            self.close(at, into);
        }
        self.is_number = true;
        if self.length == 0 && is_below_zero(text, at) {
            self.push(u32::from(b'-'), at);
        }
        self.push(c, at);
        self.end = at + 1;
    }

    /// `1,064,000` is `1064000`, `2,83` is `2.83`: three digits after it make a separator of thousands.
    fn separator(&mut self, bytes: &[u8], at: usize) {
        let digits =
            bytes[at + 1..].iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
        if digits != 3 {
            self.push(u32::from(b'.'), at);
        }
    }

    fn other(&mut self, c: char, text: &str, at: usize, into: &mut Vec<Token>) {
        match c {
            // Cyrillic, on its own for speed.
            'а'..='я' | 'А'..='Я' | 'ё' | 'Ё' => {
                let folded = match c {
                    'ё' | 'Ё' => 'е',
                    'й' | 'Й' => 'и',
                    'А'..='Я' => char::from_u32(c as u32 + 0x20).unwrap_or(c),
                    _ => c,
                };
                self.letter(folded as u32, at, matches!(c, 'А'..='Я' | 'Ё'), into);
                self.end = at + 2;
            }
            // Points over Arabic and Hebrew letters: written or not, the word is the same.
            '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{591}'..='\u{5c7}' => {}
            '\u{ad}'
            | '\u{640}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{2064}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' => {}
            '’' | '‘' | 'ʼ' | '´' | '′' if self.length > 0 => {}
            '٬' if self.is_number => {}
            '٫' if self.is_number => self.push(u32::from(b'.'), at),
            _ => self.rare(c, text, at, into),
        }
    }

    fn rare(&mut self, c: char, text: &str, at: usize, into: &mut Vec<Token>) {
        if let Some(digit) = digit_value(c) {
            self.digit(u32::from(b'0') + digit, text, at, into);
            self.end = at + c.len_utf8();
            return;
        }
        if let Some(mean) = mean_piece(c) {
            self.piece(c, mean, at, into);
            return;
        }
        if c.is_alphanumeric() {
            let is_capital = c.is_uppercase();
            fold(c, &mut |folded| self.letter(folded as u32, at, is_capital, into));
            self.end = at + c.len_utf8();
        } else if !is_combining_mark(c) {
            self.close(at, into);
        }
    }

    fn piece(&mut self, c: char, mean: u32, at: usize, into: &mut Vec<Token>) {
        if self.mean != mean {
            self.close(at, into);
        }
        fold(c, &mut |folded| {
            let folded = folded as u32;
            let pair = (u64::from(self.last) << 32 | u64::from(folded))
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                >> 40;
            let is_boundary =
                pair % u64::from(mean) == 0 || self.length >= LONGEST_PIECE * mean / 2;
            if self.length > 0 && is_boundary {
                self.close(at, into);
            }
            self.mean = mean;
            self.push(folded, at);
        });
        self.end = at + c.len_utf8();
    }

    fn close(&mut self, _at: usize, into: &mut Vec<Token>) {
        if self.length > 0 {
            let kind = match self {
                Self { is_number: true, .. } => Kind::Number,
                Self { mean: 1.., .. } => Kind::Piece,
                Self { is_name: true, .. } => Kind::Name,
                _ => Kind::Word,
            };
            let hash = finish(self.hash);
            into.push(Token { hash, start: self.start as u32, end: self.end as u32, kind });
        }
        *self = Self::default();
    }
}

/// Value of a decimal digit of any script that news is written in; full-width forms too.
fn digit_value(c: char) -> Option<u32> {
    const ZEROES: [u32; 17] = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50,
        0xed0, 0x1040, 0x17e0, 0xff10,
    ];
    let c = c as u32;
    ZEROES.iter().map(|zero| c.wrapping_sub(*zero)).find(|value| *value < 10)
}

/// Mean length of a piece in characters, for scripts that put no space between words.
fn mean_piece(c: char) -> Option<u32> {
    match c {
        '\u{3041}'..='\u{30ff}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}'
        | '\u{20000}'..='\u{3ffff}' => Some(2).filter(|_| c != '・'),
        '\u{e01}'..='\u{e7f}'
        | '\u{e81}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17d3}' => Some(4),
        _ => None,
    }
}

/// Lower case without marks; one character may become several or none.
fn fold(c: char, each: &mut impl FnMut(char)) {
    match c {
        'İ' | 'ı' => return each('i'),
        'ß' | 'ẞ' => {
            each('s');
            return each('s');
        }
        'ø' | 'Ø' => return each('o'),
        'ł' | 'Ł' => return each('l'),
        'đ' | 'Đ' => return each('d'),
        'أ' | 'إ' | 'آ' | 'ٱ' => return each('ا'),
        'ى' | 'ی' | 'ې' | 'ئ' => return each('ي'),
        'ک' | 'ڪ' => return each('ك'),
        'ة' | 'ۀ' | 'ە' | 'ہ' | 'ۂ' | 'ھ' => return each('ه'),
        'ؤ' => return each('و'),
        '\u{3400}'..='\u{9fff}' => return each(simplified(c)),
        '\u{ac00}'..='\u{d7a3}' => return each(c),
        _ => {}
    }
    for lower in c.to_lowercase() {
        decompose_compatible(lower, |part| match part {
            // Katakana reads as hiragana.
            'ァ'..='ヶ' => each(char::from_u32(part as u32 - 0x60).unwrap_or(part)),
            '\u{3099}' | '\u{309a}' => {}
            // Vowel signs of Indic scripts are marks too, but they are what tells words apart.
            _ if is_combining_mark(part) && !part.is_alphanumeric() => {}
            _ => each(part),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashes(text: &str) -> Vec<u32> {
        tokens(text).iter().map(|token| token.hash).collect()
    }

    #[test]
    fn forms_of_one_word_fold_together() {
        for (left, right) in [
            ("The team's win", "the TEAM’S win"),
            ("café naïve", "cafe\u{301} naive"),
            ("İstanbul ISPARTA ılık", "istanbul isparta ilik"),
            ("1,064,000 2,83", "1064000 2.83"),
            ("−5 2-3 F-16", "-5 2 3 F 16"),
            ("٣٤٥ ۱۲", "345 12"),
            ("علي في كتـــاب", "على فی کتاب"),
            ("مُحَمَّدٌ شَدَّ", "محمد شد"),
            ("שָׁלוֹם", "שלום"),
            ("ｶﾞｷﾞ テスト", "がぎ てすと"),
            ("ＡＢＣ１２", "abc12"),
            ("Straße Łódź Malmø", "strasse lodz malmo"),
            ("Ещё Алёна", "еще алена"),
            ("颱風登陸臺灣東部", "台风登陆台湾东部"),
        ] {
            assert_eq!(hashes(left), hashes(right), "{left} / {right}");
        }
    }

    #[test]
    fn words_that_differ_stay_apart() {
        for (left, right) in [
            ("2.83", "283"),
            ("16", "61"),
            ("at -5", "at 5"),
            ("(−5)", "5"),
            ("की", "का"),
            ("東京", "京都"),
            ("a b", "ab"),
        ] {
            assert_ne!(hashes(left), hashes(right), "{left} / {right}");
        }
    }

    #[test]
    fn scripts_without_spaces_are_cut_alike_wherever_they_read_alike() {
        let text = "気象庁によると、十七日午前六時ごろ、東北地方で震度五弱の地震があった。津波の心配はないという。";
        let grown = format!("【東京時事】{text}");
        let (all, tail) = (hashes(&grown), hashes(text));
        assert!(tail.len() > 12, "{}", tail.len());
        assert_eq!(all[all.len() - tail.len()..], tail[..]);
    }

    #[test]
    fn places_point_at_the_words() {
        let text = "L'été, «Zürich» 12,5 % – 東京";
        let words: Vec<_> = tokens(text)
            .iter()
            .map(|token| &text[token.start as usize..token.end as usize])
            .collect();
        assert_eq!(words[..3], ["L'été", "Zürich", "12,5"]);
    }
}
