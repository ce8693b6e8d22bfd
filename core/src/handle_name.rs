//! Handles: the unique names of accounts, and the equality of handles.
//!
//! Two handles are equal if they fold to the same text. There is no normalisation (Unicode Standard Annex 15), whose
//! tables would add to the download: handles consist of letters that normalisation does not change, so a handle has one
//! spelling except for upper and lower case. A handle mixes no scripts, and the relay compares skeletons (Unicode
//! Technical Standard 39), so that handles in different scripts do not look alike. This excludes scripts whose words
//! need combining marks; display names may use any script. The relay decides which account holds a handle.

use crate::letter_case;

/// Minimum number of characters of a handle.
pub const MIN_CHARS: usize = 2;
/// Maximum number of characters of a handle.
pub const MAX_CHARS: usize = 30;

/// Scripts, one bit for each; digits belong to every script.
const COMMON: u16 = 0;
const LATIN: u16 = 1;
const GREEK: u16 = 1 << 1;
const CYRILLIC: u16 = 1 << 2;
const ARMENIAN: u16 = 1 << 3;
const HEBREW: u16 = 1 << 4;
const ARABIC: u16 = 1 << 5;
const GEORGIAN: u16 = 1 << 6;
const KANA: u16 = 1 << 7;
const HAN: u16 = 1 << 8;
const HANGUL: u16 = 1 << 9;

/// The scripts that people write together (Unicode Technical Standard 39, "highly restrictive"): Japanese and Korean,
/// with Latin. Every other handle has one script: `vera` with a Cyrillic letter is not a handle.
const TOGETHER: [u16; 2] = [LATIN | HAN | KANA, LATIN | HAN | HANGUL];

/// The letters with their scripts: Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic, Georgian, kana, Han and Hangul, without ligatures, digraphs,
/// modifiers and other shapes of the same letters.
const LETTERS: [(char, char, u16); 36] = [
    ('0', '9', COMMON),
    ('A', 'Z', LATIN),
    ('a', 'z', LATIN),
    ('\u{c0}', '\u{d6}', LATIN),
    ('\u{d8}', '\u{f6}', LATIN),
    ('\u{f8}', '\u{131}', LATIN),
    ('\u{134}', '\u{13e}', LATIN),
    ('\u{141}', '\u{148}', LATIN),
    ('\u{14a}', '\u{1c3}', LATIN),
    ('\u{1cd}', '\u{1f0}', LATIN),
    ('\u{1f4}', '\u{2af}', LATIN),
    ('\u{386}', '\u{386}', GREEK),
    ('\u{388}', '\u{38a}', GREEK),
    ('\u{38c}', '\u{38c}', GREEK),
    ('\u{38e}', '\u{3a1}', GREEK),
    ('\u{3a3}', '\u{3ce}', GREEK),
    ('\u{400}', '\u{481}', CYRILLIC),
    ('\u{48a}', '\u{52f}', CYRILLIC),
    ('\u{531}', '\u{556}', ARMENIAN),
    ('\u{561}', '\u{586}', ARMENIAN),
    ('\u{5d0}', '\u{5ea}', HEBREW),
    ('\u{620}', '\u{63f}', ARABIC),
    ('\u{641}', '\u{64a}', ARABIC),
    ('\u{671}', '\u{674}', ARABIC),
    ('\u{679}', '\u{6d3}', ARABIC),
    ('\u{10d0}', '\u{10fa}', GEORGIAN),
    ('\u{1c90}', '\u{1cba}', GEORGIAN),
    ('\u{1e00}', '\u{1e99}', LATIN),
    ('\u{1e9e}', '\u{1eff}', LATIN),
    ('\u{3005}', '\u{3005}', HAN),
    ('\u{3041}', '\u{3096}', KANA),
    ('\u{30a1}', '\u{30fa}', KANA),
    ('\u{30fc}', '\u{30fc}', KANA),
    ('\u{3400}', '\u{4dbf}', HAN),
    ('\u{4e00}', '\u{9fff}', HAN),
    ('\u{ac00}', '\u{d7a3}', HANGUL),
];

/// Returns the handle in one case, for comparison; `None` if it is not a handle.
///
/// A handle has 2 to 30 letters and digits, and `_`, `.`, `-` between them. Its letters are of one script, or of scripts that
/// people write together.
///
/// # Examples
/// ```
/// use tourismo_core::handle_name::fold;
///
/// assert_eq!(fold("Anna.B"), fold("anna.b"));
/// assert_eq!(fold("anna.b").as_deref(), Some("anna.b"));
/// assert_eq!(fold("a"), None, "too short");
/// assert_eq!(fold("\u{430}nna"), None, "a Cyrillic letter among Latin ones");
/// ```
pub fn fold(handle: &str) -> Option<String> {
    let chars = handle.chars().count();
    let script = |c: char| {
        let letters = LETTERS.iter().find(|(from, to, _)| (*from..=*to).contains(&c));
        letters.map(|(_, _, script)| *script)
    };
    let is_letter = |c: char| script(c).is_some();
    let is_inner = |c: char| is_letter(c) || matches!(c, '_' | '.' | '-');
    let is_handle = (MIN_CHARS..=MAX_CHARS).contains(&chars)
        && handle.chars().all(is_inner)
        && handle.starts_with(is_letter)
        && handle.ends_with(is_letter)
        && is_written(handle.chars().filter_map(script).fold(COMMON, |all, script| all | script));
    is_handle.then(|| letter_case::fold(handle)).filter(|folded| folded.chars().all(is_inner))
}

/// Returns whether people write these scripts together.
fn is_written(scripts: u16) -> bool {
    scripts.count_ones() <= 1 || TOGETHER.iter().any(|together| scripts & !together == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_has_one_folded_form_in_every_spelling() {
        for (one, other) in [
            ("Dan", "dan"),
            ("DAN", "dan"),
            ("Straße", "STRASSE"),
            ("Ödön", "öDÖN"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("Irmak", "ırmak"),
            ("İrmak", "irmak"),
            ("Иван", "иВАН"),
            ("rosi_2.0-gt", "ROSI_2.0-GT"),
            ("山田", "山田"),
            ("ヤマダ山田taro", "ヤマダ山田TARO"),
            ("김철수金Kim", "김철수金kim"),
            ("вера_2", "ВЕРА_2"),
        ] {
            assert!(fold(one).is_some() && fold(one) == fold(other), "{one} {other}");
        }
    }

    #[test]
    fn what_is_no_handle_is_refused() {
        for refused in [
            "",
            "a",
            "..",
            ".dan",
            "dan.",
            "-dan",
            "d an",
            "dan!",
            "@dan",
            "d/n",
            "dan\n",
            "v\u{435}ra",
            "\u{456}van",
            "d\u{3b1}n",
            "\u{561}nna",
            "山田вера",
            "ヤマ김",
            "ｄａｎ",
            "𝐝𝐚𝐧",
            "ﬁn",
            "ⅷ",
            "dan²",
            "Ⓓan",
            "ĳs",
            "ǆan",
            "ŉan",
            "ά\u{1f71}",
            "\u{1100}\u{1161}",
            "da\u{0301}n",
            "da\u{200d}n",
            "dan\u{202e}",
            "ᴅan",
            "K\u{212a}m",
            "\u{1f600}\u{1f600}",
            "0123456789012345678901234567890",
        ] {
            assert_eq!(fold(refused), None, "{refused:?}");
        }
        assert!(fold("012345678901234567890123456789").is_some());
    }

    #[test]
    fn every_letter_can_be_part_of_a_handle() {
        for (from, to, _) in LETTERS {
            let refused = (from..=to).filter(|c| !c.is_alphanumeric()).collect::<String>();
            assert_eq!(refused, "", "{from} to {to}");
        }
    }

    #[test]
    fn the_folded_form_of_any_letter_is_its_own() {
        for c in ('\0'..=char::MAX).filter(|c| !c.is_ascii_punctuation()) {
            let spelling = [format!("a{c}a"), format!("{c}{c}")];
            if let Some(folded) = spelling.iter().find_map(|handle| fold(handle)) {
                assert_eq!(fold(&folded).as_deref(), Some(&*folded), "{c:?}");
            }
        }
    }
}
