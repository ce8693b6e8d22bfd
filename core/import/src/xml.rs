//! A walk through an XML file, element by element. It takes a stream of events, never a tree, and expands no entity of the
//! file's own: a document type is skipped.

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use crate::found::FileError;
use crate::text;

/// Maximum depth of elements. No format of drives has more.
const MAX_DEPTH: usize = 256;

/// A step of the walk. Names are without their prefix.
pub(crate) enum Step<'a> {
    /// An element begins.
    Open(&'a str, &'a BytesStart<'a>),
    /// An element ends: its name and the text in it, trimmed, without that of elements in it.
    Close(&'a str, &'a str),
}

/// The fault at which a walk ended before the end of the outermost element.
pub(crate) type Broken = Option<String>;

/// Walks through a file. Returns the fault at which the walk ended; everything before it was walked through.
///
/// # Errors
/// [`FileError`] if the encoding is unknown or no part is XML.
pub(crate) fn walk(bytes: &[u8], mut take: impl FnMut(Step<'_>)) -> Result<Broken, FileError> {
    let text = text::decode(bytes).map_err(|label| FileError::damaged(format!("the encoding {label:?} is unknown")))?;
    let mut xml = Reader::from_str(text.text.trim_start());
    xml.config_mut().allow_dangling_amp = true;
    let (mut open, mut content) = (Vec::<String>::new(), String::new());
    let mut is_begun = false;
    loop {
        let event = match xml.read_event() {
            Ok(event) => event,
            Err(error) if is_begun => return Ok(Some(error.to_string())),
            Err(error) => return Err(FileError::damaged(error)),
        };
        match event {
            Event::Start(tag) => {
                is_begun = true;
                if open.len() == MAX_DEPTH {
                    return Ok(Some("elements are nested too deep".to_owned()));
                }
                let name = tag.local_name().as_ref().to_owned();
                take(Step::Open(&name, &tag));
                open.push(name);
                content.clear();
            }
            Event::Empty(tag) => {
                is_begun = true;
                let name = tag.local_name().as_ref().to_owned();
                take(Step::Open(&name, &tag));
                take(Step::Close(&name, ""));
            }
            Event::Text(text) => content.push_str(&text.xml10_content()),
            Event::CData(text) => content.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                Ok(Some(character)) => content.push(character),
                Ok(None) | Err(_) => content.push_str(resolve_predefined_entity(&reference).unwrap_or_default()),
            },
            Event::End(_) => {
                if let Some(name) = open.pop() {
                    take(Step::Close(&name, content.trim()));
                }
                content.clear();
            }
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::DocType(_) => {}
            Event::Eof if !is_begun => return Err(FileError::damaged("there is no element")),
            Event::Eof => return Ok((!open.is_empty()).then(|| "the file is cut short".to_owned())),
        }
    }
}

/// Returns the value of an attribute.
pub(crate) fn attribute(tag: &BytesStart<'_>, name: &str) -> Option<String> {
    let attribute = tag.try_get_attribute(name).ok().flatten()?;
    Some(attribute.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned())
}
