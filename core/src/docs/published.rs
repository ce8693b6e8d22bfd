//! The published copy of a drive: what others may see, made anew from what is left after redaction.
//!
//! Automerge keeps history, so nothing private may ever be written here: see [`crate::privacy`]. Figures are not written
//! either: whoever shows the copy computes them from the track it holds.

use automerge::{Automerge, ObjId, ROOT, ReadDoc, Value};
use serde::{Deserialize, Serialize};

use crate::docs::automerge_doc::{self, Competing, EditError, NewChange};
use crate::id::ChangeHash;
use crate::time::{Timestamp, UtcOffset};

/// Who may see the published copy of a drive, or a meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[cbor(index_only)]
pub enum Visibility {
    /// Nobody else.
    #[default]
    #[n(0)]
    Private,
    /// Whoever knows its id; it is in no list.
    #[n(1)]
    Link,
    /// Everyone; it is in the public feed.
    #[n(2)]
    Public,
    /// The owner's followers.
    #[n(3)]
    Followers,
}

impl Visibility {
    /// The name that documents use.
    pub fn name(self) -> &'static str {
        match self {
            Visibility::Private => "private",
            Visibility::Link => "link",
            Visibility::Public => "public",
            Visibility::Followers => "followers",
        }
    }

    /// What counts of what several devices said at the same time: the narrowest, until one of them says it anew. Where too
    /// much was said to look at, nobody else may see it.
    pub fn among(said: &Competing) -> Visibility {
        if said.is_cut {
            return Visibility::Private;
        }
        let said = said.values.iter().map(|value| Visibility::from_name(value.as_str().unwrap_or_default()));
        said.reduce(Visibility::narrower).unwrap_or_default()
    }

    /// The narrower of two.
    pub fn narrower(self, other: Visibility) -> Visibility {
        let narrowness = |visibility: Visibility| match visibility {
            Visibility::Private => 0,
            // Of the followers everyone is known; a link may get anywhere.
            Visibility::Followers => 1,
            Visibility::Link => 2,
            Visibility::Public => 3,
        };
        if narrowness(other) < narrowness(self) { other } else { self }
    }

    /// The visibility of this name. A name from a newer version is private: it may be narrower than anything known here.
    pub fn from_name(name: &str) -> Visibility {
        match name {
            "link" => Visibility::Link,
            "public" => Visibility::Public,
            "followers" => Visibility::Followers,
            _ => Visibility::Private,
        }
    }
}

/// What a published copy says.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedFields {
    /// May be empty.
    pub title: String,
    /// What the car is called, if its owner says so.
    pub car: String,
    /// The start of the hour in which the shown part began.
    pub started_at: Timestamp,
    /// What the clocks showed where the drive began; absent if nobody knew.
    pub utc_offset: Option<UtcOffset>,
    /// Who may see it.
    pub visibility: Visibility,
    /// The shown part of the track, as packed blocks in order.
    pub blocks: Vec<Vec<u8>>,
}

/// Makes the one change that holds the redacted drive.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn create(doc: &mut Automerge, fields: &PublishedFields) -> Result<Option<NewChange>, EditError> {
    automerge_doc::edit(doc, |edit| {
        edit.string_if_changed("title", "", &fields.title)?;
        edit.string_if_changed("car", "", &fields.car)?;
        edit.string_if_changed("visibility", "", fields.visibility.name())?;
        edit.int_or_nothing("startedAt", Some(fields.started_at.as_millis()))?;
        edit.int_or_nothing("utcOffsetMin", fields.utc_offset.map(UtcOffset::as_minutes))?;
        let blocks = edit.map("b")?;
        for (index, block) in fields.blocks.iter().enumerate() {
            edit.bytes_in(&blocks, &format!("{index:04}"), block.clone())?;
        }
        Ok(())
    })
}

/// Changes what may change after publishing: title, car and who may see it.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn change(
    doc: &mut Automerge,
    title: &str,
    car: &str,
    visibility: Visibility,
) -> Result<Option<NewChange>, EditError> {
    let (title_before, car_before) = (automerge_doc::string(doc, "title"), automerge_doc::string(doc, "car"));
    let said = automerge_doc::competing(doc, "visibility");
    let is_settled = !said.is_cut && said.values.len() == 1 && Visibility::among(&said) == visibility;
    automerge_doc::edit(doc, |edit| {
        edit.string_if_changed("title", &title_before, title)?;
        edit.string_if_changed("car", &car_before, car)?;
        if is_settled { Ok(()) } else { edit.string("visibility", visibility.name()) }
    })
}

/// Takes the copy back: nobody else may see it any more.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn withdraw(doc: &mut Automerge) -> Result<Option<NewChange>, EditError> {
    let (title, car) = (automerge_doc::string(doc, "title"), automerge_doc::string(doc, "car"));
    change(doc, &title, &car, Visibility::Private)
}

/// The title of the copy and who may see it, as far as it says.
pub fn title_and_visibility(doc: &Automerge) -> (String, Visibility) {
    (automerge_doc::string(doc, "title"), Visibility::among(&automerge_doc::competing(doc, "visibility")))
}

/// The change that said who may see the document, as it counts: since when it is shown so.
pub fn shown_since(doc: &Automerge) -> Option<ChangeHash> {
    let counts = Visibility::among(&automerge_doc::competing(doc, "visibility"));
    let all = doc.get_all(ROOT, "visibility").ok()?.into_iter();
    let said =
        |(value, _): &(Value<'_>, ObjId)| value.as_str().is_some_and(|name| Visibility::from_name(name) == counts);
    automerge_doc::change_of(doc, &all.filter(said).map(|(_, id)| id).next()?)
}

/// What the document says, if it says enough to show.
pub fn read(doc: &Automerge) -> Option<PublishedFields> {
    let blocks = automerge_doc::map_in(doc, &ROOT, "b")?;
    let (title, visibility) = title_and_visibility(doc);
    Some(PublishedFields {
        title,
        car: automerge_doc::string(doc, "car"),
        started_at: automerge_doc::time(doc, "startedAt")?,
        utc_offset: automerge_doc::utc_offset(doc, "utcOffsetMin"),
        visibility,
        blocks: automerge_doc::all_bytes_in(doc, &blocks).into_iter().map(|(_, block)| block).collect(),
    })
}
