//! What an edit changed: nothing that matters, the headline, or the substance. Pure.

/// Words this near in spelling are one word and its correction.
const MAX_TYPO_EDITS: usize = 2;
/// Shorter words are never taken for misspelt: `man` and `men`, `is` and `was` differ in sense.
const MIN_TYPO_LETTERS: usize = 4;
/// So many misspelt words in a row may be corrected in one edit and it is still cosmetic.
const MAX_TYPOS: usize = 3;

/// What a publisher's edit amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Spelling, case, punctuation, spacing.
    Cosmetic,
    /// Another headline over the same text.
    Headline,
    /// Another text.
    Substantive,
}

impl Change {
    /// The word in `revisions.change`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Cosmetic => "cosmetic",
            Self::Headline => "headline",
            Self::Substantive => "substantive",
        }
    }

    /// Whether downstream programs are told.
    pub(super) fn is_told(self) -> bool {
        self != Self::Cosmetic
    }
}

/// Compares two versions of a title and body; `None` if they are the same.
pub(super) fn classify(before: (&str, &str), after: (&str, &str)) -> Option<Change> {
    if before == after {
        return None;
    }
    if !is_same_wording(before.1, after.1) {
        return Some(Change::Substantive);
    }
    Some(if is_same_wording(before.0, after.0) { Change::Cosmetic } else { Change::Headline })
}

/// Whether two texts say the same: equal words, or a few that are corrections of spelling.
fn is_same_wording(before: &str, after: &str) -> bool {
    if before == after {
        return true;
    }
    let (before, after) = (words(before), words(after));
    let at_start = before.iter().zip(&after).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before[at_start..], &after[at_start..]);
    let at_end = before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count();
    let (before, after) = (&before[..before.len() - at_end], &after[..after.len() - at_end]);
    before.len() == after.len()
        && before.len() <= MAX_TYPOS
        && before.iter().zip(after).all(|(a, b)| is_typo(a, b))
}

/// Runs of letters and digits, in lower case.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

fn is_typo(a: &str, b: &str) -> bool {
    let is_word = |word: &str| {
        word.chars().count() >= MIN_TYPO_LETTERS && !word.chars().any(char::is_numeric)
    };
    is_word(a) && is_word(b) && strsim::osa_distance(a, b) <= MAX_TYPO_EDITS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edit_is_named_by_what_a_reader_would_notice() {
        let body = "The ferry to Holm was cancelled on Monday after a storm. Nobody was hurt.";
        let title = "Ferry cancelled";
        let cases: &[(&str, &str, Option<Change>)] = &[
            (title, body, None),
            ("Ferry  cancelled!", body, Some(Change::Cosmetic)),
            (
                title,
                "The ferry to Holm was canceled on Monday after a storm. Nobody was hurt.",
                Some(Change::Cosmetic),
            ),
            ("Ferry to Holm runs again", body, Some(Change::Headline)),
            (
                title,
                "The ferry to Holm was cancelled on Monday after a storm. Two were hurt.",
                Some(Change::Substantive),
            ),
            (
                title,
                "The ferry to Holm was not cancelled on Monday after a storm. Nobody was hurt.",
                Some(Change::Substantive),
            ),
            (
                title,
                "The ferry to Holm was cancelled on Monday after a storm. Nobody was hurt. It runs again.",
                Some(Change::Substantive),
            ),
            ("Ferry runs again", "The ferry runs.", Some(Change::Substantive)),
        ];
        for (new_title, new_body, expected) in cases {
            assert_eq!(
                classify((title, body), (new_title, new_body)),
                *expected,
                "{new_title} / {new_body}"
            );
        }
    }

    #[test]
    fn a_number_or_a_short_word_is_never_a_slip() {
        for (before, after) in
            [("12 dead", "13 dead"), ("2024 budget", "2025 budget"), ("a man died", "a men died")]
        {
            assert_eq!(classify((before, ""), (after, "")), Some(Change::Headline), "{before}");
        }
    }
}
