//! What may stand in the open places of a pattern, so that a sentence that merely holds its words stays.

use std::{collections::HashSet, sync::LazyLock};

use super::folded;
use crate::normalize::{characters::is_unspaced, fold};

/// What a line talks about that calls on its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Facebook, WhatsApp, e-mail.
    Channel,
    /// A newsletter.
    Letter,
    /// An app or the place to get it.
    App,
    /// A news agency.
    Agency,
    /// Words that stand between names: of, by, and; also `site`, `portal`.
    Connector,
}

/// The words of the classes, folded.
struct Words {
    /// Five letters and more: may be part of a longer word (`Facebook'ta`, `בפייסבוק`).
    long: Vec<String>,
    short: HashSet<String>,
    /// Written with a capital because they are ordinary words without: `Signal`, `LINE`.
    capital: HashSet<&'static str>,
}

static CLASSES: LazyLock<Vec<(Class, Words)>> = LazyLock::new(|| {
    let text = include_str!("../data/classes.txt");
    [
        ("channel", Class::Channel),
        ("letter", Class::Letter),
        ("app", Class::App),
        ("agency", Class::Agency),
        ("connector", Class::Connector),
    ]
    .map(|(name, class)| (class, words_of(text, name)))
    .into()
});

fn words_of(text: &'static str, name: &str) -> Words {
    let mut words = Words { long: Vec::new(), short: HashSet::new(), capital: HashSet::new() };
    let listed = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    for word in listed.flat_map(|list| list.split(", ")) {
        if word.starts_with(|c: char| c.is_ascii_uppercase()) {
            words.capital.insert(word);
            continue;
        }
        let word = folded::fold(word);
        let is_long = word.chars().count() >= 5 || word.chars().any(is_unspaced);
        if is_long {
            words.long.push(word);
        } else {
            words.short.insert(word);
        }
    }
    words
}

fn class(wanted: Class) -> Option<&'static Words> {
    CLASSES.iter().find(|(class, _)| *class == wanted).map(|(_, words)| words)
}

/// Whether a text, folded and as written, holds a word of a class.
pub(super) fn holds(folded: &str, source: &str, wanted: Class) -> bool {
    class(wanted).is_some_and(|words| {
        folded.split([' ', ':']).any(|word| words.short.contains(word))
            || words.long.iter().any(|word| folded.contains(word.as_str()))
            || source
                .split(|c: char| !c.is_ascii_alphanumeric())
                .any(|word| words.capital.contains(word))
    })
}

/// Whether a folded word is of a class, whole.
pub(super) fn is(word: &str, wanted: Class) -> bool {
    class(wanted).is_some_and(|words| {
        words.short.contains(word) || words.long.iter().any(|long| long == word)
    })
}

/// Words that a run of names may have.
const MAX_NAMES: usize = 9;
/// Bytes of a list of names.
const MAX_LIST: usize = 300;

/// Whether a text is made of names: hardly a word in lower case, no sentence.
pub(super) fn is_names(text: &str) -> bool {
    let is_sentence = text.trim_end().ends_with(['。', '।', '۔']);
    let text = text
        .trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '«' | '»' | '“' | '”' | '„'));
    let words: Vec<&str> = text
        .split(|c: char| {
            c.is_whitespace() || matches!(c, '/' | '|' | ',' | ';' | '&' | '、' | '，')
        })
        .filter(|word| word.contains(char::is_alphanumeric))
        .collect();
    let dense = text.chars().filter(|c| is_unspaced(*c)).count();
    // Particles of sentences in Chinese and Japanese stand in no name.
    let is_clause = dense > 0
        && text.contains([
            '的', '是', '了', '不', '在', '们', '們', 'は', 'が', 'を', 'に', 'で', 'と', 'も',
        ]);
    if words.len() > MAX_NAMES && dense == 0 && text.contains([',', ';']) {
        // A long list: names between any two commas.
        return text.len() <= MAX_LIST && text.split([',', ';']).all(is_names);
    }
    if words.is_empty() || words.len() > MAX_NAMES || dense > 16 || is_clause || ends_inside(text) {
        return false;
    }
    let is_uncased = !text.chars().any(|c| c.is_uppercase() || is_small_letter(c));
    if is_uncased {
        return words.len() <= 6 && !is_sentence && !text.contains(['，', '。']);
    }
    let mut is_quoted = false;
    let mut proper = 0;
    let all = words.iter().all(|word| {
        is_quoted |= word.starts_with(['«', '“', '„', '"']);
        let is_name = is_quoted || is_proper(word);
        is_quoted &= !word.ends_with(['»', '”', '"']) && !word.ends_with('“');
        proper += u32::from(is_name && !is_connector(word));
        is_name || is_connector(word)
    });
    all && proper > 0
}

/// Whether a text ends like a sentence in a script that has no capitals, where a name looks like any other word.
pub(super) fn is_uncased_sentence(text: &str) -> bool {
    let ends = ['.', '!', '?', ':', '؟', '۔', '।', '。', '！', '？'];
    text.trim_end().ends_with(ends) && !text.chars().any(|c| c.is_uppercase() || is_small_letter(c))
}

/// Whether a text may be the name of a site: names, or a few words of which the first has a capital.
pub(super) fn is_site(text: &str) -> bool {
    let text = text.trim().trim_matches(|c: char| !c.is_alphanumeric());
    let begins = text.starts_with(|c: char| c.is_uppercase() || c.is_numeric());
    let is_day = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
        .iter()
        .any(|day| text.eq_ignore_ascii_case(day));
    !is_day
        && (is_names(text)
            || begins && fold::words(text) <= 5 && !text.contains([',', ';', ':', '.']))
}

/// Whether a text is a short clause and no more.
pub(super) fn is_plain(text: &str) -> bool {
    fold::words(text) <= 16 && !text.contains([',', ';', '،', '，', '、', '"', '”', '»'])
}

fn is_connector(word: &str) -> bool {
    is(&folded::fold(word), Class::Connector)
}

/// A name: capitalised, a number, a handle, an address, an agency that writes itself small.
fn is_proper(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '@');
    let first = word.chars().find(|c| c.is_alphanumeric());
    let is_small = first.is_some_and(is_small_letter);
    let inside = word.trim_matches(|c: char| !c.is_alphanumeric());
    !is_small
        || word.starts_with('@')
        || inside.contains(['.', '@'])
        || inside.chars().any(char::is_uppercase)
        || is(&folded::fold(word), Class::Agency)
}

/// Whether a sentence ends in the middle of a text.
fn ends_inside(text: &str) -> bool {
    let mut sentences = crate::normalize::furniture::sentences(text);
    // Initials and abbreviations end in a full stop too.
    sentences.next().is_some_and(|first| sentences.next().is_some() && fold::words(first) > 3)
}

/// Whether a text in a script without spaces goes on as a sentence of an article does: a comma, then a full stop.
pub(super) fn is_dense_sentence(text: &str) -> bool {
    text.contains(['，', '、'])
        && text.ends_with('。')
        && text.chars().filter(|c| is_unspaced(*c)).count() > 12
}

/// Characters that a headline may have.
const MAX_TITLE: usize = 160;

/// Whether a text may be a headline: it begins like one and is no sentence. Behind a colon commas are no matter.
pub(super) fn is_title(text: &str, is_behind_colon: bool) -> bool {
    let text = text.trim();
    let end = text.trim_end_matches(|c: char| !c.is_alphanumeric() && !is_stop(c));
    let first = text.chars().find(|c| c.is_alphanumeric());
    let begins = first.is_none_or(|c| !is_small_letter(c));
    let is_short = text.chars().take(MAX_TITLE + 1).count() <= MAX_TITLE;
    let dense = text.chars().filter(|c| is_unspaced(*c)).count();
    let stops = end.ends_with(is_stop) && !text.ends_with("...");
    if !is_behind_colon && fold::words(text) <= 3 && is_plain(text) && !text.ends_with(is_stop) {
        return true;
    }
    if !begins || !is_short || stops {
        return false;
    }
    is_behind_colon
        || (dense <= 30
            && fold::words(text) <= 16
            && !text.contains([',', ';', '،', '、', '，', '；'])
            // Where letters have no case, a headline is told from a sentence by its length alone.
            && (first.is_none_or(char::is_uppercase) || fold::words(text) <= 9))
}

/// A letter in lower case, of a script that begins sentences with capitals: Georgian does not.
fn is_small_letter(character: char) -> bool {
    character.is_lowercase() && !('\u{10d0}'..='\u{10ff}').contains(&character)
}

fn is_stop(character: char) -> bool {
    matches!(character, '.' | '。' | '।' | '۔' | '։' | '።')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_words() {
        for names in [
            "Jo Marsh/Getty Images",
            "Harbour Gazette",
            "nordkurier-heute.example",
            "Tom Arkle in Port Ellery; editing by Rosa Adeyemi",
            "صحيفة المنارة",
            "丸山慎／アフロ",
            "Ada Quist, Bram Olde, Ko Hui Lin, with reporting by Herb Marsh and Meg Arkle, editing by Mo Dale",
        ] {
            assert!(is_names(names), "{names}");
        }
        for words in [
            "the list of closures, followed by those in Millgate",
            "a local radio station in 1974",
            "un testo del 1874 mai abrogato",
            "Ada Quist, Bram Olde, Ko Hui Lin, Herb Marsh and Meg Arkle, who had been at sea for a week",
        ] {
            assert!(!is_names(words), "{words}");
        }
    }

    #[test]
    fn headlines_are_told_from_sentences() {
        assert!(is_title("Eastbank sea wall to cost twice the estimate", true));
        assert!(is_title("堤防の費用は2倍に", true));
        assert!(!is_title("what the silt hides: two anchors", true));
        assert!(!is_title("Nobody reads it anyway, he said.", true));
        assert!(!is_title("em voz alta, pediu ela", false));
    }
}
