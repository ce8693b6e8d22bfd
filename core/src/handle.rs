//! Handles: the names by which people find each other, and when two of them are the same.
//!
//! Two handles are the same if they fold to the same text. There is no normalisation here (Unicode Standard Annex 15), whose
//! tables a phone would download: a handle is made of letters that normalisation leaves alone, so that it has one spelling
//! but for upper and lower case. That leaves out scripts whose words need combining marks; a display name may be in any.
//! Who holds a handle is the relay's business.

/// The fewest and the most characters of a handle.
pub const MIN_CHARS: usize = 2;
/// See [`MIN_CHARS`].
pub const MAX_CHARS: usize = 30;

/// The letters: Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic, Georgian, kana, Han and Hangul, without ligatures, digraphs,
/// modifiers and other shapes of the same letters.
const LETTERS: [(char, char); 36] = [
    ('0', '9'),
    ('A', 'Z'),
    ('a', 'z'),
    ('\u{c0}', '\u{d6}'),
    ('\u{d8}', '\u{f6}'),
    ('\u{f8}', '\u{131}'),
    ('\u{134}', '\u{13e}'),
    ('\u{141}', '\u{148}'),
    ('\u{14a}', '\u{1c3}'),
    ('\u{1cd}', '\u{1f0}'),
    ('\u{1f4}', '\u{2af}'),
    ('\u{386}', '\u{386}'),
    ('\u{388}', '\u{38a}'),
    ('\u{38c}', '\u{38c}'),
    ('\u{38e}', '\u{3a1}'),
    ('\u{3a3}', '\u{3ce}'),
    ('\u{400}', '\u{481}'),
    ('\u{48a}', '\u{52f}'),
    ('\u{531}', '\u{556}'),
    ('\u{561}', '\u{586}'),
    ('\u{5d0}', '\u{5ea}'),
    ('\u{620}', '\u{63f}'),
    ('\u{641}', '\u{64a}'),
    ('\u{671}', '\u{674}'),
    ('\u{679}', '\u{6d3}'),
    ('\u{10d0}', '\u{10fa}'),
    ('\u{1c90}', '\u{1cba}'),
    ('\u{1e00}', '\u{1e99}'),
    ('\u{1e9e}', '\u{1eff}'),
    ('\u{3005}', '\u{3005}'),
    ('\u{3041}', '\u{3096}'),
    ('\u{30a1}', '\u{30fa}'),
    ('\u{30fc}', '\u{30fc}'),
    ('\u{3400}', '\u{4dbf}'),
    ('\u{4e00}', '\u{9fff}'),
    ('\u{ac00}', '\u{d7a3}'),
];

/// What is compared of a handle: its letters in one case. `None` if it is no handle.
///
/// A handle has 2 to 30 letters and digits, and `_`, `.`, `-` between them.
pub fn fold(handle: &str) -> Option<String> {
    let chars = handle.chars().count();
    let is_letter = |c: char| LETTERS.iter().any(|(from, to)| (*from..=*to).contains(&c));
    let is_inner = |c: char| is_letter(c) || matches!(c, '_' | '.' | '-');
    let is_handle = (MIN_CHARS..=MAX_CHARS).contains(&chars)
        && handle.chars().all(is_inner)
        && handle.starts_with(is_letter)
        && handle.ends_with(is_letter);
    // By way of the upper case, which two lower-case letters may share: σ and ς, ß and ss, i and the Turkish ı.
    let lower = |c: char| if c == 'İ' { 'i'.to_lowercase() } else { c.to_lowercase() };
    let fold = || handle.chars().flat_map(lower).flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    is_handle.then(fold).filter(|folded: &String| folded.chars().all(is_inner))
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
        for (from, to) in LETTERS {
            let refused = (from..=to).filter(|c| !c.is_alphanumeric()).collect::<String>();
            assert_eq!(refused, "", "{from} to {to}");
        }
    }

    #[test]
    fn the_folded_form_of_any_letter_is_its_own() {
        for c in ('\0'..=char::MAX).filter(|c| !c.is_ascii_punctuation()) {
            if let Some(folded) = fold(&format!("a{c}a")) {
                assert_eq!(fold(&folded).as_deref(), Some(&*folded), "{c:?}");
            }
        }
    }
}
