//! The place and day that open an agency's report: `PORT ELLERY, March 3 (Norwire) –`. It stays in the body; here it
//! shows where an article begins.

/// Characters within which a dateline ends.
const REACH: usize = 70;

/// Whether a text begins with a dateline.
pub(super) fn starts(text: &str) -> bool {
    let reach: String = text.chars().take(REACH).collect();
    starts_in_capitals(&reach) || starts_with_agency(&reach) || starts_east_asian(&reach)
}

/// `PORT ELLERY –`, `МОСКВА, 3 марта.`, `ATHENS (AP) -`: a place in capitals, and a dash or full stop soon.
fn starts_in_capitals(reach: &str) -> bool {
    let first: String = reach.chars().take_while(|c| c.is_alphabetic()).collect();
    let is_place = first.chars().count() >= 3 && first.chars().all(char::is_uppercase);
    is_place && (ends_in_dash(reach) || reach.contains(". ") || reach.contains(','))
}

/// `Athens (AP) -`, `Berlin (dpa) –`, `नई दिल्ली, 3 मार्च (भाषा) -`: an agency or a day, and a dash.
fn starts_with_agency(reach: &str) -> bool {
    let Some(dash) = dash(reach) else { return false };
    let before = reach[..dash].trim_end();
    let is_place = before.chars().next().is_some_and(|c| c.is_alphabetic() && !c.is_lowercase());
    let words = before.split_whitespace().count();
    is_place
        && words <= 8
        && (before.ends_with([')', '）'])
            || (before.contains([',', '،']) && before.chars().any(char::is_numeric)))
}

/// `【記者…／台北報導】`, `（中央社…電）`, `新华社北京3月3日电`, `(서울=연합뉴스)`.
fn starts_east_asian(reach: &str) -> bool {
    let bracketed = reach.starts_with(['【', '（', '［', '〔', '('])
        && reach.chars().any(|c| {
            matches!(c, '電' | '电' | '報' | '报' | '記' | '记' | '=' | '社' | '訊' | '讯')
        });
    let wired = reach.chars().take(24).any(|c| matches!(c, '电' | '電' | '讯' | '訊'))
        && reach.chars().take(24).any(|c| c.is_numeric() || c == '社' || c == '本');
    let is_han = reach.chars().next().is_some_and(|c| ('\u{3400}'..='\u{9fff}').contains(&c));
    bracketed || (is_han && wired)
}

fn ends_in_dash(reach: &str) -> bool {
    dash(reach).is_some()
}

/// Where the first dash with a space before it stands.
fn dash(reach: &str) -> Option<usize> {
    [" – ", " - ", " — ", " -- ", ") –", ") -", ") —", "–"]
        .iter()
        .filter_map(|dash| reach.find(dash).map(|at| at + usize::from(dash.starts_with(')'))))
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datelines_are_told_from_sentences() {
        for text in [
            "PORT ELLERY, March 3 (Norwire) – Trams will run past the stalls.",
            "ATHENS (AP) - The ferry strike goes on.",
            "Berlin (dpa) - Der Bundestag hat beschlossen.",
            "МОСКВА, 3 марта. Совет одобрил",
            "新华社北京3月3日电 市议会通过了方案",
            "【記者王大明／台北報導】市議會",
            "(서울=연합뉴스) 김철수 기자 = 시의회가",
        ] {
            assert!(starts(text), "{text}");
        }
        for text in
            ["The ferry strike goes on.", "Officials said on Tuesday that", "市議會昨天通過了方案"]
        {
            assert!(!starts(text), "{text}");
        }
    }
}
