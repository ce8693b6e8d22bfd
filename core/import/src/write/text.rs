//! Text in XML.

use quick_xml::escape::escape;

/// Returns a text for an element or an attribute of XML 1.0, without the characters that it cannot have: most control
/// characters, and two that are none (Char in the specification).
pub(super) fn xml_text(text: &str) -> String {
    let is_allowed = |character: &char| match character {
        '\t' | '\n' | '\r' => true,
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => false,
        _ => true,
    };
    escape(text.chars().filter(is_allowed).collect::<String>()).into_owned()
}
