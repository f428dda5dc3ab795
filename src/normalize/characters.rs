//! Which characters may stand in a clean text, one decision for each.
//!
//! Spaces of every width become the ordinary one; controls, soft hyphens, zero-width characters, bidi controls,
//! icon-font characters go, except where the script before them needs them.

use super::entities::windows_1252;

/// What becomes of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Keep(char),
    Space,
    LineBreak,
    Drop,
}

/// Decides on a character that is not printable ASCII, given the last one that was kept.
pub(super) fn fate(character: char, before: Option<char>) -> Fate {
    match character {
        ' ' | '\t' => Fate::Space,
        '\n' | '\u{b}' | '\u{c}' | '\r' => Fate::LineBreak,
        '\0'..='\u{1f}' | '\u{7f}' => Fate::Drop,
        '\u{85}' | '\u{2028}' | '\u{2029}' => Fate::LineBreak,
        '\u{80}'..='\u{9f}' => of_c1(character),
        '\u{a0}'
        | '\u{1680}'
        | '\u{2000}'..='\u{200a}'
        | '\u{202f}'
        | '\u{205f}'
        | '\u{3000}'
        | '\u{2800}' => Fate::Space,
        _ => of_mark(character, before),
    }
}

/// A lone C1 control is a byte of Windows-1252 that somebody took for Latin-1.
fn of_c1(character: char) -> Fate {
    match windows_1252(character as u8) {
        '\u{80}'..='\u{9f}' => Fate::Drop,
        meant => Fate::Keep(meant),
    }
}

/// Invisible characters and those without a meaning outside one font.
fn of_mark(character: char, before: Option<char>) -> Fate {
    let needed = match character {
        '\u{200b}' => before.is_some_and(breaks_by_zero_width_space),
        '\u{200c}' => before.is_some_and(joins_letters),
        '\u{200d}' => before.is_some_and(|c| joins_letters(c) || is_pictograph(c)),
        '\u{200e}' | '\u{200f}' | '\u{61c}' => before.is_some_and(is_right_to_left),
        '\u{180b}'..='\u{180f}' => before.is_some_and(|c| ('\u{1820}'..='\u{18af}').contains(&c)),
        '\u{fe00}'..='\u{fe0f}' => before.is_some_and(|c| !c.is_ascii_alphabetic() && c != ' '),
        '\u{e0020}'..='\u{e007f}' => {
            before.is_some_and(|c| c == '\u{1f3f4}' || ('\u{e0020}'..='\u{e007f}').contains(&c))
        }
        '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}'
        | '\u{ffa0}' => false,
        '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff0}'..='\u{fffc}' => false,
        '\u{e000}'..='\u{f8ff}' | '\u{e0000}'..='\u{10ffff}' => false,
        '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}' | '\u{1d173}'..='\u{1d17a}' => false,
        _ => true,
    };
    if needed { Fate::Keep(character) } else { Fate::Drop }
}

/// Scripts in which a zero-width space marks where a line may break: Lao, Myanmar, Khmer.
fn breaks_by_zero_width_space(character: char) -> bool {
    matches!(character, '\u{e80}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}')
}

/// Scripts in which (non-)joiners change what is written: Arabic, Syriac, those of India, Mongolian.
fn joins_letters(character: char) -> bool {
    matches!(character, '\u{600}'..='\u{7bf}' | '\u{8a0}'..='\u{ddf}' | '\u{1800}'..='\u{18af}' | '\u{fb50}'..='\u{fdcf}' | '\u{fe70}'..='\u{fefc}')
}

fn is_pictograph(character: char) -> bool {
    matches!(character, '\u{2190}'..='\u{2bff}' | '\u{fe0f}' | '\u{1f000}'..='\u{1faff}')
}

/// Letters written from right to left, and their points.
pub(super) fn is_right_to_left(character: char) -> bool {
    matches!(character, '\u{591}'..='\u{61b}' | '\u{620}'..='\u{65f}' | '\u{66e}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdcf}' | '\u{fe70}'..='\u{fefc}')
}

/// Whether a script is written without spaces between words.
pub(super) fn is_unspaced(character: char) -> bool {
    matches!(character,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{2fff}'
        | '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{312f}' | '\u{31a0}'..='\u{31ff}' | '\u{3400}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}' | '\u{ff66}'..='\u{ff9d}' | '\u{20000}'..='\u{3ffff}')
}

/// Bytes that [`fate`] must be asked about, or that begin such a character; every other byte is copied as it is.
pub(super) const SPECIAL: [bool; 256] = special_bytes();

const fn special_bytes() -> [bool; 256] {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte <= 0x20 {
        special[byte] = true;
        byte += 1;
    }
    // 0xc2: C1, U+00A0, U+00AD; 0xcd: U+034F; 0xd8: U+061C; 0xe1: U+115F, U+1680, U+17B4, U+180B;
    // 0xe2: U+2000 to U+206F, U+2800; 0xe3: U+3000, U+3164; 0xee, 0xef: private use, U+FE0F, U+FEFF, U+FFFC;
    // 0xf0: U+1D173; 0xf3, 0xf4: tags, private use, nothing.
    let leads = [0x7f, 0xc2, 0xcd, 0xd8, 0xe1, 0xe2, 0xe3, 0xee, 0xef, 0xf0, 0xf3, 0xf4];
    let mut index = 0;
    while index < leads.len() {
        special[leads[index]] = true;
        index += 1;
    }
    special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joiners_stay_where_the_script_needs_them() {
        for (character, before, kept) in [
            ('\u{200c}', 'ی', true),
            ('\u{200c}', 'a', false),
            ('\u{200d}', 'क', true),
            ('\u{200d}', '\u{1f468}', true),
            ('\u{200b}', 'ก', false),
            ('\u{200b}', 'ក', true),
            ('\u{200f}', 'ש', true),
            ('\u{200e}', 'x', false),
            ('\u{ad}', 'x', false),
            ('\u{f0e1}', 'x', false),
            ('\u{feff}', 'x', false),
        ] {
            assert_eq!(
                fate(character, Some(before)) == Fate::Keep(character),
                kept,
                "{character:?} after {before}"
            );
        }
        assert_eq!(fate('\u{92}', None), Fate::Keep('’'));
    }

    #[test]
    fn every_character_that_does_not_stay_as_it_is_begins_with_a_special_byte() {
        for character in ('\u{21}'..=char::MAX).filter(|c| fate(*c, Some('x')) != Fate::Keep(*c)) {
            let lead = character.encode_utf8(&mut [0; 4]).as_bytes()[0];
            assert!(SPECIAL[usize::from(lead)], "{character:?}");
        }
    }
}
