//! What may stand in the open places of a pattern, so that a sentence that merely holds its words stays.

use std::sync::LazyLock;

use rustc_hash::{FxHashMap, FxHashSet};

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
    /// Cookies and privacy.
    Cookie,
    /// Consent, and what it is asked for: the site, its contents.
    Consent,
    /// Content, its owner, its reproduction.
    Reprint,
    /// Advertisements.
    Advert,
    /// What is subscribed to or given to.
    Subscription,
    /// News and what else newsletters bring.
    News,
    /// Browsers and what they run.
    Browser,
    /// What is done with scripts, or what they lack.
    Enable,
    /// And.
    Conjunction,
}

pub(super) const CLASSES_COUNT: usize = 14;

/// The names of the classes in classes.txt, in their order.
const CLASS_NAMES: [&str; CLASSES_COUNT] = [
    "channel",
    "letter",
    "app",
    "agency",
    "connector",
    "cookie",
    "consent",
    "reprint",
    "advert",
    "subscription",
    "news",
    "browser",
    "enable",
    "conjunction",
];

/// The words of one class, folded.
#[derive(Debug, Default)]
struct Words {
    /// Five letters and more, marked as stems, of a script without spaces or Korean, by their first two letters: a longer
    /// word may begin with them (`Facebook'ta`).
    long: FxHashMap<[char; 2], Vec<String>>,
    short: FxHashSet<String>,
    /// Written with a capital because they are ordinary words without: `Signal`, `LINE`.
    capital: FxHashSet<&'static str>,
}

static CLASSES: LazyLock<[Words; CLASSES_COUNT]> = LazyLock::new(|| {
    let text = include_str!("../data/classes.txt");
    CLASS_NAMES.map(|name| words_of(text, name))
});

fn words_of(text: &'static str, name: &str) -> Words {
    let mut words = Words::default();
    let listed = text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    for word in listed.flat_map(|list| list.split(", ")) {
        if word.starts_with(|c: char| c.is_ascii_uppercase()) {
            words.capital.insert(word);
            continue;
        }
        let is_stem = word.ends_with('*');
        let word = folded::fold(word);
        let is_long = is_stem || word.chars().count() >= 5 || word.chars().any(goes_on);
        if is_long {
            words.long.entry(first_two(&word)).or_default().push(word);
        } else {
            words.short.insert(word);
        }
    }
    words
}

/// Whether a letter is of a script whose words go on without a space.
fn goes_on(letter: char) -> bool {
    is_unspaced(letter) || matches!(letter, '\u{ac00}'..='\u{d7a3}')
}

/// The first two letters of a word; of one letter, that and none.
fn first_two(word: &str) -> [char; 2] {
    let mut letters = word.chars();
    [letters.next().unwrap_or_default(), letters.next().unwrap_or_default()]
}

fn words(class: Class) -> &'static Words {
    &CLASSES[class as usize]
}

/// Whether a text, folded and as written, holds a word of a class.
pub(super) fn holds(folded: &str, source: &str, class: Class) -> bool {
    find(folded, class).next().is_some() || holds_capital(source, class)
}

/// Whether a text, as written, holds a word of a class that is one with a capital only.
fn holds_capital(source: &str, class: Class) -> bool {
    let capital = &words(class).capital;
    !capital.is_empty()
        && source.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| capital.contains(word))
}

/// The places of a folded text where words of a class stand, from begin to end.
fn find(folded: &str, class: Class) -> impl Iterator<Item = (usize, usize)> {
    let words = words(class);
    let mut before = None;
    let mut letters_before = 0;
    folded.char_indices().filter_map(move |(at, letter)| {
        let is_start = before.is_none_or(|c| is_apart(c, letter));
        letters_before = if is_start { 0 } else { letters_before + 1 };
        before = Some(letter);
        let may_begin = is_start || letters_before <= MAX_PREFIX && takes_prefixes(letter);
        if !may_begin {
            return None;
        }
        let rest = &folded[at..];
        let [first, second] = first_two(rest);
        let long = [[first, second], [first, '\0']]
            .iter()
            .filter_map(|key| words.long.get(key))
            .flatten()
            .find(|word| rest.starts_with(word.as_str()));
        if let Some(word) = long {
            return Some((at, at + word.len()));
        }
        let end = rest.find([' ', ':']).unwrap_or(rest.len());
        (is_start && words.short.contains(&rest[..end])).then_some((at, at + end))
    })
}

/// Letters that articles and prepositions have where they are written together with the word behind them.
const MAX_PREFIX: usize = 2;

/// Whether a letter is of a script that writes short words together with the next: Hebrew, Arabic, Ethiopic.
pub(super) fn takes_prefixes(letter: char) -> bool {
    matches!(letter, '\u{590}'..='\u{6ff}' | '\u{1200}'..='\u{137f}')
}

/// Whether no word goes on from one letter to the next.
pub(super) fn is_apart(before: char, after: char) -> bool {
    [before, after].iter().any(|c| *c == ' ' || !folded::is_spaced(*c))
}

/// Whether a folded word is of a class, whole.
pub(super) fn is(word: &str, class: Class) -> bool {
    let words = words(class);
    words.short.contains(word)
        || words.long.get(&first_two(word)).is_some_and(|long| long.iter().any(|w| w == word))
}

/// Words, names aside, that may stand before and behind a word that a clause is about.
pub(super) type Room = (usize, usize);

/// `us on Facebook for the latest news`.
pub(super) const AT_ONCE: Room = (2, 8);
pub(super) const SOMEWHERE: Room = (10, 10);
/// One of several channels.
pub(super) const IN_LIST: Room = (6, 6);

/// Where in a folded clause the words of a class stand: from the first to behind the last.
pub(super) fn places(folded: &str, source: &str, class: Class) -> Option<(usize, usize)> {
    let mut places = find(folded, class);
    match places.next() {
        Some((first, end)) => Some((first, places.last().map_or(end, |(_, end)| end))),
        None => holds_capital(source, class).then_some((folded.len(), folded.len())),
    }
}

/// How many words of a text are no names, nor stand between names.
pub(super) fn small_words(text: &str) -> usize {
    let is_cased = text.contains(|c: char| c.is_uppercase() || is_small_letter(c));
    if !is_cased {
        return fold::words(text);
    }
    text.split_whitespace().filter(|word| !is_proper(word) && !is_connector(word)).count()
}

/// Words that a run of names may have.
const MAX_NAMES: usize = 9;
/// Bytes of a list of names.
const MAX_LIST: usize = 300;

/// Particles of sentences in Chinese and Japanese: they stand in no name.
const PARTICLES: [char; 14] =
    ['的', '是', '了', '不', '在', '们', '們', 'は', 'が', 'を', 'に', 'で', 'と', 'も'];

/// Whether a text is made of names: hardly a word in lower case, no sentence, no question.
pub(super) fn is_names(text: &str) -> bool {
    if is_question(text) {
        return false;
    }
    let is_sentence = text.trim_end().ends_with(['.', '。', '।', '۔']);
    let text = text
        .trim_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '«' | '»' | '“' | '”' | '„'));
    let words: Vec<&str> = text
        .split(|c: char| {
            c.is_whitespace() || matches!(c, '/' | '|' | ',' | ';' | '&' | '、' | '，')
        })
        .filter(|word| word.contains(char::is_alphanumeric))
        .collect();
    let dense = text.chars().filter(|c| is_unspaced(*c)).count();
    let is_clause = dense > 0 && text.contains(PARTICLES);
    if words.len() > MAX_NAMES && dense == 0 && text.contains([',', ';']) {
        // A long list: names between any two commas.
        return text.len() <= MAX_LIST && text.split([',', ';']).all(is_names);
    }
    if words.is_empty() || words.len() > MAX_NAMES || dense > 16 || is_clause || ends_inside(text) {
        return false;
    }
    // Short ones are prepositions elsewhere: `en`, `a`.
    let begins_with_and = words[0].len() > 2
        && words[0].starts_with(is_small_letter)
        && is(&folded::fold(words[0]), Class::Conjunction);
    if begins_with_and {
        return false;
    }
    if text.contains('/') && text.split('/').all(is_owner) {
        return true;
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

/// Whether a text ends as a question.
pub(super) fn is_question(text: &str) -> bool {
    text.trim_end().ends_with(['?', '？', '؟'])
}

/// Whether one of several texts with slashes between them names who owns a picture: `detikcom`, `picture alliance`.
fn is_owner(text: &str) -> bool {
    let text = text.trim();
    !text.is_empty()
        && (!text.contains(' ') || is(&folded::fold(text), Class::Agency) || is_names(text))
}

/// Whether a text ends like a sentence in a script that has no capitals, where a name looks like any other word.
pub(super) fn is_uncased_sentence(text: &str) -> bool {
    let ends = ['.', '!', '?', ':', '؟', '۔', '।', '。', '！', '？'];
    text.trim_end().ends_with(ends) && !text.chars().any(|c| c.is_uppercase() || is_small_letter(c))
}

/// Whether a text may be the name of a site: names, or a few words of which the first has a capital.
pub(super) fn is_site(text: &str) -> bool {
    let address = text.find("http").unwrap_or(text.len());
    let text = text[..address].trim_matches(|c: char| !c.is_alphanumeric());
    let text = text.strip_suffix(" at").unwrap_or(text);
    let is_day = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
        .iter()
        .any(|day| text.eq_ignore_ascii_case(day));
    let is_title = || {
        let small = text.split_whitespace().filter(|word| !is_proper(word) && !is_connector(word));
        text.starts_with(char::is_uppercase)
            && fold::words(text) <= 5
            && small.count() <= 1
            && !text.contains([',', ';', ':', '.'])
    };
    !is_day
        && !text.split(|c: char| !c.is_alphanumeric()).any(is_year)
        && (is_names(text) || is_title())
}

/// Whether a text may say where something was published, before the verb: names, or two words. What was published long
/// ago is news again, with its year.
pub(super) fn is_place(text: &str) -> bool {
    let is_cased = text.chars().any(|c| c.is_uppercase() || is_small_letter(c));
    !text.contains(char::is_numeric) && (!is_cased || fold::words(text) <= 2 || is_names(text))
}

/// Words of one keyword.
const MAX_KEYWORD: usize = 5;

/// Whether a text is a list of keywords.
pub(super) fn is_list(text: &str) -> bool {
    let text = text.trim_end();
    let mut words = text.split([',', ';', '|', '/', '#', '،', '，', '、']);
    (!text.ends_with(is_stop) || words.clone().count() > 3)
        && words.all(|word| fold::words(word) <= MAX_KEYWORD)
}

/// What may stand between two numbers of a date; a word of four letters and more (`November`) counts two, a shorter one
/// (`pm`, `GMT`) one. And words of the whole.
const MAX_IN_DATE: (usize, usize) = (4, 8);

/// Whether a text is a date or goes on as one behind a number: numbers, little between them.
pub(super) fn is_date(before: &str, text: &str) -> bool {
    let mut words = 0;
    let mut is_behind_year = before.rsplit(' ').next().is_some_and(is_year);
    let mut run = if is_behind_year { 2 } else { 0 };
    let mut numbers = usize::from(before.ends_with(char::is_numeric));
    let is_sparse = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !is_connector(word))
        .all(|word| {
            if word.contains(char::is_numeric) {
                numbers += 1;
                // A year ends a date, but for the time.
                is_behind_year = is_year(word);
                run = if is_behind_year { 2 } else { 0 };
            } else {
                words += 1;
                run += match word.chars().count() {
                    0..4 => 1,
                    6.. if is_behind_year => 3,
                    _ => 2,
                };
            }
            run <= MAX_IN_DATE.0
        });
    // `Stand 1912: 40 houses` counts something.
    let is_whole = numbers >= 2 || before.contains(':') && is_day_alone(before, text);
    is_whole
        && is_sparse
        && words <= MAX_IN_DATE.1
        && !text.contains(['，', '。'])
        && !text.contains(": ")
}

/// Whether the one number behind a label is a day with its month, an hour or a year: `Updated: 4 May`, not
/// `Updated: 12 dead`.
fn is_day_alone(before: &str, text: &str) -> bool {
    let label = before.trim_end_matches(|c: char| c.is_numeric() || c == ' ');
    let mut words = [&before[label.len()..], text]
        .into_iter()
        .flat_map(|part| part.split(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty());
    words.all(|word| {
        let is_cased = word.starts_with(|c: char| c.is_uppercase() || is_small_letter(c));
        match word.chars().count() {
            _ if word.starts_with(char::is_numeric) && !is_year(word) => {
                word.chars().take_while(|c| c.is_numeric()).count() <= 2
            }
            0..4 => true,
            _ => !is_cased || names_month(word),
        }
    })
}

/// Whether a word begins with the name of a month, in the languages of the table that dates are read by.
fn names_month(word: &str) -> bool {
    let lines = include_str!("../../parse/data/months.txt").lines();
    let names =
        lines.filter(|line| !line.starts_with('#')).flat_map(|line| line.split(' ').skip(1));
    let word = word.to_lowercase();
    names.filter(|name| !name.is_empty()).any(|name| word.starts_with(name))
}

/// Whether a word is a year, of a calendar in use.
fn is_year(word: &str) -> bool {
    word.chars().count() == 4
        && word.chars().all(char::is_numeric)
        && (!word.is_ascii() || word.starts_with("19") || word.starts_with("20"))
}

/// Whether a text is one address: of a page, of a person.
pub(super) fn is_address(text: &str) -> bool {
    let text = text.trim_matches(|c: char| !c.is_alphanumeric() && c != '@');
    text.contains(['.', '@']) && !text.contains(char::is_whitespace)
}

/// Words of a short clause.
const MAX_CLAUSE: usize = 16;
/// Letters of one in a script without spaces.
const MAX_DENSE: usize = 8;

/// "That" in languages whose verb stands last.
const THAT: [&str; 4] = ["کہ", "कि", "যে", "که"];

/// Whether a text before a call says that somebody else calls: `the message said that for the prize ...`.
pub(super) fn reports(text: &str) -> bool {
    text.split_whitespace().any(|word| THAT.contains(&word))
}

/// Whether a text is a short clause and no more, in scripts without spaces without the particles of a sentence.
pub(super) fn is_short_clause(text: &str, is_notice: bool) -> bool {
    let is_dense_clause = || {
        text.chars().filter(|c| is_unspaced(*c)).count() > MAX_DENSE
            || text.contains(['的', '了', 'は', 'が', 'を'])
    };
    fold::words(text) <= MAX_CLAUSE && (is_notice || !is_dense_clause())
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
        || inside.contains(|c: char| c.is_uppercase() || c.is_numeric())
        || is(&folded::fold(word), Class::Agency)
}

/// Whether a sentence ends in the middle of a text.
fn ends_inside(text: &str) -> bool {
    let mut sentences = crate::normalize::furniture::sentences(text);
    // Initials and abbreviations end in a full stop too.
    sentences.next().is_some_and(|first| sentences.next().is_some() && fold::words(first) > 3)
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
    let is_plain = || !text.contains([',', ';', '،', '，', '、', '"', '”', '»']);
    if !is_behind_colon && fold::words(text) <= 3 && is_plain() && !text.ends_with(is_stop) {
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
            "Where?",
            "무엇을 읽습니까?",
            "המקור בביצה.",
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
