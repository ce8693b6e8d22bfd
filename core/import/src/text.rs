//! Decodes the bytes of an XML file into text: UTF-8, UTF-16 with and without a byte order mark, and the encodings of the
//! WHATWG Encoding Standard that a file may declare (ISO 8859, Windows code pages and others).

use std::borrow::Cow;

/// The XML declaration is searched in this number of bytes.
const DECLARATION_BYTES: usize = 256;

/// The text of a file.
pub(super) struct Text<'a> {
    /// The text without a byte order mark. Malformed bytes became U+FFFD.
    pub(super) text: Cow<'a, str>,
    /// Whether bytes were malformed in this encoding.
    pub(super) is_malformed: bool,
}

/// Decodes a file. A byte order mark takes precedence over the declaration; without either it is UTF-8.
///
/// # Errors
/// The declared encoding if it is unknown.
pub(super) fn decode(bytes: &[u8]) -> Result<Text<'_>, String> {
    let name = match bytes {
        [0xef, 0xbb, 0xbf, ..] => Cow::Borrowed("UTF-8"),
        [0xff, 0xfe, ..] | [b'<', 0, _, 0, ..] => Cow::Borrowed("UTF-16LE"),
        [0xfe, 0xff, ..] | [0, b'<', 0, _, ..] => Cow::Borrowed("UTF-16BE"),
        _ => declared(bytes)?,
    };
    let (text, is_malformed) = encoding::decode(&name, bytes).ok_or_else(|| name.into_owned())?;
    Ok(Text { text, is_malformed })
}

/// Returns the name of the encoding in the XML declaration. It is not UTF-16 if the declaration is readable byte by byte.
fn declared(bytes: &[u8]) -> Result<Cow<'static, str>, String> {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(DECLARATION_BYTES)]);
    let Some(label) = label(&start) else { return Ok(Cow::Borrowed("UTF-8")) };
    let name = encoding::name_of(label).ok_or_else(|| label.to_owned())?;
    Ok(if name.starts_with("UTF-16") { Cow::Borrowed("UTF-8") } else { Cow::Owned(name) })
}

/// Returns the label in `<?xml … encoding="…"?>`.
fn label(start: &str) -> Option<&str> {
    let (declaration, _) = start.strip_prefix("<?xml")?.split_once("?>")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split_once(quote).map(|(label, _)| label)
}

/// The encodings of the WHATWG Encoding Standard.
#[cfg(not(target_arch = "wasm32"))]
mod encoding {
    use std::borrow::Cow;

    use encoding_rs::Encoding;

    /// Returns the name of the encoding with a label, in upper case.
    pub(super) fn name_of(label: &str) -> Option<String> {
        Some(Encoding::for_label(label.as_bytes())?.name().to_uppercase())
    }

    /// Decodes text and removes a byte order mark. Returns whether bytes were malformed.
    pub(super) fn decode<'a>(name: &str, bytes: &'a [u8]) -> Option<(Cow<'a, str>, bool)> {
        Some(Encoding::for_label(name.as_bytes())?.decode_with_bom_removal(bytes))
    }
}

/// The same encodings, decoded by the browser: the tables of a crate would be half of the module.
#[cfg(target_arch = "wasm32")]
mod encoding {
    use std::borrow::Cow;

    use web_sys::TextDecoder;

    pub(super) fn name_of(label: &str) -> Option<String> {
        Some(TextDecoder::new_with_label(label).ok()?.encoding().to_uppercase())
    }

    pub(super) fn decode<'a>(name: &str, bytes: &'a [u8]) -> Option<(Cow<'a, str>, bool)> {
        if name == "UTF-8" {
            let text = String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes));
            let is_malformed = matches!(text, Cow::Owned(_));
            return Some((text, is_malformed));
        }
        let text = TextDecoder::new_with_label(name).ok()?.decode_with_u8_array(bytes).ok()?;
        let is_malformed = text.contains('\u{fffd}');
        Some((Cow::Owned(text), is_malformed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        decode(bytes).map(|text| text.text.into_owned()).unwrap_or_else(|label| format!("unknown: {label}"))
    }

    #[test]
    fn text_is_decoded_as_its_mark_its_first_bytes_or_its_declaration_say() {
        let utf16 = |mark: &[u8], of: fn(u16) -> [u8; 2]| -> Vec<u8> {
            mark.iter().copied().chain("<a>é€</a>".encode_utf16().flat_map(of)).collect()
        };
        for bytes in [
            "<a>é€</a>".as_bytes().to_vec(),
            "\u{feff}<a>é€</a>".as_bytes().to_vec(),
            utf16(&[0xff, 0xfe], u16::to_le_bytes),
            utf16(&[0xfe, 0xff], u16::to_be_bytes),
            utf16(&[], u16::to_le_bytes),
            utf16(&[], u16::to_be_bytes),
        ] {
            assert_eq!(text(&bytes), "<a>é€</a>", "{bytes:?}");
        }
        assert_eq!(
            text(b"<?xml version='1.0' encoding='ISO-8859-1'?>\xe9"),
            "<?xml version='1.0' encoding='ISO-8859-1'?>é"
        );
        assert!(text(b"<?xml version=\"1.0\" encoding = \"windows-1252\" ?>\x80").ends_with('€'));
        assert!(text("<?xml version='1.0' encoding='UTF-16'?>é".as_bytes()).ends_with('é'), "it is read as UTF-8");
        assert_eq!(text(b"<?xml version='1.0' encoding='klingon'?>"), "unknown: klingon");
    }

    #[test]
    fn malformed_bytes_are_replaced_and_noted() {
        let decoded = decode(b"<a>\xe9</a>").unwrap();
        assert_eq!((&*decoded.text, decoded.is_malformed), ("<a>\u{fffd}</a>", true));
        assert!(!decode("<a>é</a>".as_bytes()).unwrap().is_malformed);
    }
}
