//! The equality of texts in upper and lower case, the same for handles and in searches.

/// Appends a text to `folded` in one case. Two texts that differ in upper and lower case only are equal afterwards.
///
/// The conversion goes through upper case, which two lower-case letters may share: σ and ς, ß and ss, i and the Turkish
/// ı.
pub(crate) fn fold_into(folded: &mut String, text: &str) {
    for c in text.chars() {
        if c.is_ascii() {
            // Most letters of most texts, ten times as fast.
            folded.push(c.to_ascii_lowercase());
        } else {
            let lower = if c == 'İ' { 'i' } else { c }.to_lowercase();
            folded.extend(lower.flat_map(char::to_uppercase).flat_map(char::to_lowercase));
        }
    }
}

/// Returns a text in one case.
pub(crate) fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    fold_into(&mut folded, text);
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_letter_of_ascii_folds_as_by_the_general_rule() {
        for c in '\0'..='\u{7f}' {
            let expected: String = c.to_lowercase().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
            assert_eq!(fold(&c.to_string()), expected);
        }
    }

    #[test]
    fn texts_that_differ_in_case_only_are_equal() {
        for (one, other) in [("Straße", "STRASSE"), ("ΣΊΣΥΦΟΣ", "σίσυφος"), ("İrmak", "ırmak"), ("ZÜRICH", "zürich")]
        {
            assert_eq!(fold(one), fold(other));
        }
    }
}
