//! The language of an article: as declared where that can be true, else as its text says.
//!
//! In: the clean text and what entry and feed declare. Out: BCP 47, normalised. A declaration that contradicts the
//! script of the text is overruled; detection (the script, the most frequent words, then `whatlang`) speaks only on a
//! text long enough and when it is sure.

use std::{collections::HashMap, sync::LazyLock};

use unicode_normalization::char::is_combining_mark;
use whatlang::Lang;

/// Bytes of the text that detection reads; more make it no surer.
const REACH: usize = 400;
/// Letters below which a text is too short to tell its language.
const MIN_LETTERS: usize = 60;
/// The same for scripts that one or two languages write alone.
const MIN_TELLING: usize = 8;

/// The language of a text, given what its entry and its feed declare.
pub(super) fn of(
    body: &str,
    title: &str,
    entry: Option<&str>,
    feed: Option<&str>,
) -> Option<String> {
    let text = if body.len() >= title.len() { body } else { title };
    let text = &text[..text.floor_char_boundary(REACH)];
    let script = Scripts::of(text);
    [entry, feed]
        .into_iter()
        .flatten()
        .filter_map(normalize_tag)
        .find(|tag| script.allows(tag))
        .or_else(|| detect(text, &script))
}

/// A declared tag in BCP 47's own form: `en_us` becomes `en-US`, `zh-hans-cn` `zh-Hans-CN`, `english` nothing.
pub(super) fn normalize_tag(declared: &str) -> Option<String> {
    let declared = declared.trim();
    // POSIX locales carry a charset: `de_DE.UTF-8`.
    let declared = declared.split(['.', '@', ',', ';', ' ']).next().unwrap_or_default();
    let mut parts = declared.split(['-', '_']);
    let language = parts.next()?.to_ascii_lowercase();
    let is_language =
        (2..=3).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_lowercase());
    if !is_language || matches!(language.as_str(), "und" | "mul" | "zxx" | "mis" | "xx") {
        return None;
    }
    let mut tag = match language.as_str() {
        // Withdrawn codes and ISO 639-2's, each with the one that took its place.
        "iw" => "he".to_owned(),
        "in" => "id".to_owned(),
        "ji" => "yi".to_owned(),
        "jp" => "ja".to_owned(),
        "cn" => "zh".to_owned(),
        "gr" => "el".to_owned(),
        "ua" => "uk".to_owned(),
        "cz" => "cs".to_owned(),
        "dk" => "da".to_owned(),
        _ => two_letters(&language).map_or(language, str::to_owned),
    };
    for part in parts.take(3) {
        let is_alphanumeric = part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match part.len() {
            4 if part.bytes().all(|byte| byte.is_ascii_alphabetic()) => {
                tag.push('-');
                tag.push_str(&part[..1].to_ascii_uppercase());
                tag.push_str(&part[1..].to_ascii_lowercase());
            }
            2 | 3 if is_alphanumeric => {
                tag.push('-');
                tag.push_str(&part.to_ascii_uppercase());
            }
            5..=8 if is_alphanumeric => {
                tag.push('-');
                tag.push_str(&part.to_ascii_lowercase());
            }
            _ => break,
        }
    }
    Some(tag)
}

/// ISO 639-1 of a code of three letters, where feeds use it.
fn two_letters(code: &str) -> Option<&'static str> {
    const CODES: [(&str, &str); 30] = [
        ("eng", "en"),
        ("deu", "de"),
        ("ger", "de"),
        ("fra", "fr"),
        ("fre", "fr"),
        ("spa", "es"),
        ("por", "pt"),
        ("ita", "it"),
        ("nld", "nl"),
        ("dut", "nl"),
        ("rus", "ru"),
        ("ukr", "uk"),
        ("pol", "pl"),
        ("tur", "tr"),
        ("ara", "ar"),
        ("fas", "fa"),
        ("per", "fa"),
        ("heb", "he"),
        ("hin", "hi"),
        ("zho", "zh"),
        ("chi", "zh"),
        ("jpn", "ja"),
        ("kor", "ko"),
        ("swe", "sv"),
        ("dan", "da"),
        ("fin", "fi"),
        ("ces", "cs"),
        ("ell", "el"),
        ("ind", "id"),
        ("vie", "vi"),
    ];
    CODES.iter().find(|(long, _)| *long == code).map(|(_, short)| *short)
}

/// How many letters of a text are of which script.
#[derive(Default)]
struct Scripts {
    latin: usize,
    cyrillic: usize,
    greek: usize,
    arabic: usize,
    hebrew: usize,
    han: usize,
    kana: usize,
    hangul: usize,
    devanagari: usize,
    thai: usize,
    other: usize,
}

impl Scripts {
    fn of(text: &str) -> Self {
        let mut scripts = Self::default();
        for character in text.chars() {
            if character.is_ascii() {
                scripts.latin += usize::from(character.is_ascii_alphabetic());
                continue;
            }
            *match character {
                '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => &mut scripts.latin,
                '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => &mut scripts.greek,
                '\u{400}'..='\u{52f}' => &mut scripts.cyrillic,
                '\u{590}'..='\u{5ff}' => &mut scripts.hebrew,
                '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' => &mut scripts.arabic,
                '\u{900}'..='\u{97f}' => &mut scripts.devanagari,
                '\u{e00}'..='\u{e7f}' => &mut scripts.thai,
                '\u{3041}'..='\u{30ff}' => &mut scripts.kana,
                '\u{3400}'..='\u{9fff}' => &mut scripts.han,
                '\u{ac00}'..='\u{d7af}' => &mut scripts.hangul,
                other if other.is_alphabetic() => &mut scripts.other,
                _ => continue,
            } += 1;
        }
        scripts
    }

    fn total(&self) -> usize {
        self.latin
            + self.cyrillic
            + self.greek
            + self.arabic
            + self.hebrew
            + self.han
            + self.kana
            + self.hangul
            + self.devanagari
            + self.thai
            + self.other
    }

    /// Whether a text in these scripts may be in the declared language: a quarter of its letters is enough, for
    /// names and quotations come in other scripts.
    fn allows(&self, tag: &str) -> bool {
        let total = self.total();
        if total < MIN_TELLING {
            return true;
        }
        let mut parts = tag.split('-');
        let language = parts.next().unwrap_or_default();
        let own = match (language, parts.next().filter(|part| part.len() == 4)) {
            (_, Some("Latn")) => self.latin,
            (_, Some("Cyrl")) => self.cyrillic,
            (_, Some(_)) => return true,
            ("ru" | "uk" | "bg" | "be" | "mk" | "mn" | "kk" | "ky" | "tg", _) => self.cyrillic,
            ("ar" | "fa" | "ur" | "ps" | "ug" | "sd" | "ckb", _) => self.arabic,
            ("he" | "yi", _) => self.hebrew,
            ("el", _) => self.greek,
            ("hi" | "mr" | "ne" | "sa", _) => self.devanagari,
            ("th", _) => self.thai,
            ("zh" | "yue", _) => self.han.saturating_sub(self.kana * 4),
            ("ja", _) => self.kana * 4 + self.han,
            ("ko", _) => self.hangul * 2 + self.han,
            (
                "en" | "de" | "fr" | "es" | "pt" | "it" | "nl" | "pl" | "sv" | "da" | "no" | "nb"
                | "nn" | "fi" | "cs" | "sk" | "hu" | "ro" | "tr" | "vi" | "id" | "ms" | "ca" | "hr"
                | "sl" | "et" | "lv" | "lt" | "sw" | "tl" | "fil" | "gl" | "eu" | "is" | "ga"
                | "cy" | "af" | "sq",
                _,
            ) => self.latin,
            _ => return true,
        };
        own * 4 >= total
    }

    /// The language whose script this is, where hardly another is written in it.
    fn own_language(&self) -> Option<&'static str> {
        let most = self.total() / 2;
        if self.total() < MIN_TELLING {
            return None;
        }
        match () {
            () if self.kana * 10 > self.total() && self.kana + self.han > most => Some("ja"),
            () if self.hangul > most => Some("ko"),
            () if self.han > most => Some("zh"),
            () if self.greek > most => Some("el"),
            () if self.hebrew > most => Some("he"),
            () if self.thai > most => Some("th"),
            () => None,
        }
    }
}

/// The language that a text is in, if it can be told for certain.
fn detect(text: &str, scripts: &Scripts) -> Option<String> {
    if let Some(language) = scripts.own_language() {
        return Some(language.to_owned());
    }
    if scripts.total() < MIN_LETTERS {
        return None;
    }
    if let Some(language) = by_function_words(text) {
        return Some(language.to_owned());
    }
    let info = whatlang::detect(text)?;
    (info.is_reliable() || info.confidence() > 0.95).then(|| tag_of(info.lang()).to_owned())
}

/// Words of a text that are compared with the frequent words of languages.
const MAX_WORDS: usize = 60;
/// Frequent words that a text must hold of one language, and be ahead of the next by.
const MIN_HITS: u32 = 6;

/// The language whose most frequent words a text is full of, if none other's come near: a thirtieth of the cost of
/// `whatlang`, which has the last word on close relatives.
fn by_function_words(text: &str) -> Option<&'static str> {
    static WORDS: LazyLock<(Vec<&str>, HashMap<&str, u64>)> = LazyLock::new(|| {
        let lines = include_str!("data/function-words.txt").lines();
        let lists =
            lines.filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(": "));
        let (mut languages, mut words) = (Vec::new(), HashMap::new());
        for (index, (language, list)) in lists.enumerate() {
            languages.push(language);
            list.split(' ').for_each(|word| *words.entry(word).or_default() |= 1 << index);
        }
        (languages, words)
    });
    let (languages, words) = &*WORDS;
    let mut hits = [0_u32; u64::BITS as usize];
    let mut lower = String::with_capacity(32);
    let listed = text
        .split(|c: char| !c.is_alphanumeric() && !is_combining_mark(c))
        .filter(|word| !word.is_empty());
    for word in listed.take(MAX_WORDS).filter(|word| word.len() <= 24) {
        lower.clear();
        lower.extend(word.chars().flat_map(char::to_lowercase));
        let mut found = words.get(lower.as_str()).copied().unwrap_or_default();
        while found != 0 {
            hits[found.trailing_zeros() as usize] += 1;
            found &= found - 1;
        }
    }
    let (best, most) = hits.iter().enumerate().max_by_key(|(_, count)| **count)?;
    let next = hits
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != best)
        .map(|(_, count)| *count)
        .max()?;
    (*most >= MIN_HITS && *most * 2 >= next * 3 && *most >= next + 4).then(|| languages[best])
}

/// BCP 47's shortest tag of a language that `whatlang` names by three letters.
fn tag_of(language: Lang) -> &'static str {
    match language {
        Lang::Epo => "eo",
        Lang::Eng => "en",
        Lang::Rus => "ru",
        Lang::Cmn => "zh",
        Lang::Spa => "es",
        Lang::Por => "pt",
        Lang::Ita => "it",
        Lang::Ben => "bn",
        Lang::Fra => "fr",
        Lang::Deu => "de",
        Lang::Ukr => "uk",
        Lang::Kat => "ka",
        Lang::Ara => "ar",
        Lang::Hin => "hi",
        Lang::Jpn => "ja",
        Lang::Heb => "he",
        Lang::Yid => "yi",
        Lang::Pol => "pl",
        Lang::Amh => "am",
        Lang::Jav => "jv",
        Lang::Kor => "ko",
        Lang::Nob => "nb",
        Lang::Dan => "da",
        Lang::Swe => "sv",
        Lang::Fin => "fi",
        Lang::Tur => "tr",
        Lang::Nld => "nl",
        Lang::Hun => "hu",
        Lang::Ces => "cs",
        Lang::Ell => "el",
        Lang::Bul => "bg",
        Lang::Bel => "be",
        Lang::Mar => "mr",
        Lang::Kan => "kn",
        Lang::Ron => "ro",
        Lang::Slv => "sl",
        Lang::Hrv => "hr",
        Lang::Srp => "sr",
        Lang::Mkd => "mk",
        Lang::Lit => "lt",
        Lang::Lav => "lv",
        Lang::Est => "et",
        Lang::Tam => "ta",
        Lang::Vie => "vi",
        Lang::Urd => "ur",
        Lang::Tha => "th",
        Lang::Guj => "gu",
        Lang::Uzb => "uz",
        Lang::Pan => "pa",
        Lang::Aze => "az",
        Lang::Ind => "id",
        Lang::Tel => "te",
        Lang::Pes => "fa",
        Lang::Mal => "ml",
        Lang::Ori => "or",
        Lang::Mya => "my",
        Lang::Nep => "ne",
        Lang::Sin => "si",
        Lang::Khm => "km",
        Lang::Tuk => "tk",
        Lang::Aka => "ak",
        Lang::Zul => "zu",
        Lang::Sna => "sn",
        Lang::Afr => "af",
        Lang::Lat => "la",
        Lang::Slk => "sk",
        Lang::Cat => "ca",
        Lang::Tgl => "tl",
        Lang::Hye => "hy",
        Lang::Cym => "cy",
        // A language that a later version learns goes by its three letters.
        #[expect(unreachable_patterns, reason = "the list of languages grows with the crate")]
        other => other.code(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_take_their_own_form() {
        for (declared, tag) in [
            ("en", Some("en")),
            ("en_us", Some("en-US")),
            ("EN-gb", Some("en-GB")),
            ("zh-hans-cn", Some("zh-Hans-CN")),
            ("de_DE.UTF-8", Some("de-DE")),
            ("iw", Some("he")),
            ("eng", Some("en")),
            ("english", None),
            ("und", None),
            ("", None),
        ] {
            assert_eq!(normalize_tag(declared).as_deref(), tag, "{declared}");
        }
    }

    #[test]
    fn the_script_overrules_a_declaration() {
        let russian = "Совет порта решил углубить внутреннюю гавань впервые с 1974 года, сообщили инженеры во вторник.";
        assert_eq!(of(russian, "", Some("en"), Some("ru")).as_deref(), Some("ru"));
        assert_eq!(of(russian, "", Some("en-US"), None).as_deref(), Some("ru"));
        assert_eq!(
            of("港湾委員会は火曜日、内港の浚渫を決めた。", "", Some("zh"), None).as_deref(),
            Some("ja")
        );
        assert_eq!(
            of("港务会决定疏浚内港，这是五十年来首次。", "", None, None).as_deref(),
            Some("zh")
        );
        assert_eq!(of("Short.", "", None, None), None);
        assert_eq!(of("Short.", "", Some("de"), Some("en")).as_deref(), Some("de"));
    }

    #[test]
    fn a_long_text_tells_its_language() {
        let german = "Der Hafenrat hat am Dienstag beschlossen, das innere Becken zum ersten Mal seit 1974 auszubaggern. Die Ingenieure rechnen mit 90.000 Kubikmetern Schlick.";
        assert_eq!(of(german, "", None, None).as_deref(), Some("de"));
    }
}
