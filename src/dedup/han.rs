//! Traditional Chinese characters as simplified ones, one by one, for comparison only.
//!
//! Several traditional characters share a simplified one (發 and 髮 are 发), so the way there is one of characters and
//! needs no dictionary of words; the way back would. Japanese and Korean texts that hold such characters are folded
//! like any other: both sides of a comparison are.

use std::sync::LazyLock;

const FIRST: u32 = 0x4e00;
const LAST: u32 = 0x9fff;

/// The simplified form of each character of the block, 42 kB.
static SIMPLIFIED: LazyLock<Box<[u16]>> = LazyLock::new(|| {
    let mut table: Vec<u16> = (FIRST..=LAST).map(|c| c as u16).collect();
    for line in include_str!("data/han.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut characters = line.chars().map(u32::from);
        let simplified = characters.next().unwrap_or(FIRST);
        for traditional in characters {
            table[(traditional - FIRST) as usize] = simplified as u16;
        }
    }
    table.into()
});

/// Folds one character; what is no such character stays as it is.
pub(super) fn simplified(c: char) -> char {
    let place = u32::from(c).wrapping_sub(FIRST) as usize;
    SIMPLIFIED.get(place).and_then(|form| char::from_u32(u32::from(*form))).unwrap_or(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_stays_within_the_block() {
        let lines = include_str!("data/han.txt").lines().filter(|line| !line.starts_with('#'));
        for c in lines.flat_map(str::chars) {
            assert!((FIRST..=LAST).contains(&u32::from(c)), "{c}");
            assert_eq!(simplified(simplified(c)), simplified(c), "{c}");
        }
    }

    #[test]
    fn a_text_reads_alike_in_both_forms() {
        let fold = |text: &str| text.chars().map(simplified).collect::<String>();
        assert_eq!(fold("臺灣總統發表談話，頭髮"), fold("台湾总统发表谈话，头发"));
        assert_eq!(fold("東京ニュース abc é"), "东京ニュース abc é");
    }
}
