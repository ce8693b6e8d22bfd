//! The published copy of a drive: a separate document with the redacted track.
//!
//! Automerge keeps history, so private data must never be written here: see [`crate::privacy`]. Statistics are not
//! stored either: readers compute them from the track.
//!
//! A copy notes by which rules it was redacted (`rules`, absent in copies of before). One of other rules, or one that was
//! withdrawn because it shows what is to be hidden (`rules` 0), is private and stays so until it is made again.

use automerge::{Automerge, AutomergeError, ObjId, ROOT, ReadDoc, ScalarValue, Value};
use serde::{Deserialize, Serialize};

use crate::docs::automerge_doc::{self, Competing, Edit, EditError, NewChange};
use crate::id::ChangeHash;
use crate::privacy;
use crate::time::{Timestamp, UtcOffset};

/// The visibility of a published copy or a meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
#[cbor(index_only)]
pub enum Visibility {
    /// Visible to its owner only.
    #[default]
    #[n(0)]
    Private,
    /// Visible to everyone who knows the id; in no list.
    #[n(1)]
    Link,
    /// Visible to everyone; in the public feed.
    #[n(2)]
    Public,
    /// Visible to the owner's followers.
    #[n(3)]
    Followers,
}

impl Visibility {
    /// Returns the name that documents use.
    pub fn name(self) -> &'static str {
        match self {
            Visibility::Private => "private",
            Visibility::Link => "link",
            Visibility::Public => "public",
            Visibility::Followers => "followers",
        }
    }

    /// Returns the effective value of concurrent values: the narrowest, until a device sets it again. With too many
    /// concurrent values the document is private.
    pub fn among(said: &Competing) -> Visibility {
        if said.is_cut {
            return Visibility::Private;
        }
        let said = said.values.iter().map(|value| Visibility::from_name(value.as_str().unwrap_or_default()));
        said.reduce(Visibility::narrower).unwrap_or_default()
    }

    /// Returns the narrower of two visibilities.
    pub fn narrower(self, other: Visibility) -> Visibility {
        let narrowness = |visibility: Visibility| match visibility {
            Visibility::Private => 0,
            // Followers are known; a link can be forwarded.
            Visibility::Followers => 1,
            Visibility::Link => 2,
            Visibility::Public => 3,
        };
        if narrowness(other) < narrowness(self) { other } else { self }
    }

    /// Returns the visibility with this name. Unknown names of newer versions are private: they may be narrower than
    /// all known ones.
    pub fn from_name(name: &str) -> Visibility {
        match name {
            "link" => Visibility::Link,
            "public" => Visibility::Public,
            "followers" => Visibility::Followers,
            _ => Visibility::Private,
        }
    }
}

/// The fields of a published copy.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedFields {
    /// May be empty.
    pub title: String,
    /// The name of the car, if its owner shows it.
    pub car: String,
    /// The start of the hour in which the shown part began.
    pub started_at: Timestamp,
    /// The UTC offset at the start of the drive, if known.
    pub utc_offset: Option<UtcOffset>,
    /// Who may see it.
    pub visibility: Visibility,
    /// The shown part of the track, as packed blocks in order.
    pub blocks: Vec<Vec<u8>>,
}

/// Creates the change with the redacted drive.
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
        put_blocks(edit, &fields.blocks)
    })
}

/// Replaces everything that the copy shows, after it was withdrawn. Blocks of different redactions are never mixed: they are
/// in a new map, of which one counts as a whole.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn make_again(doc: &mut Automerge, fields: &PublishedFields) -> Result<Option<NewChange>, EditError> {
    let (title_before, car_before) = (automerge_doc::string(doc, "title"), automerge_doc::string(doc, "car"));
    automerge_doc::edit(doc, |edit| {
        edit.int_or_nothing("startedAt", Some(fields.started_at.as_millis()))?;
        put_blocks(edit, &fields.blocks)?;
        edit.int_or_nothing("utcOffsetMin", fields.utc_offset.map(UtcOffset::as_minutes))?;
        edit.string_if_changed("title", &title_before, &fields.title)?;
        edit.string_if_changed("car", &car_before, &fields.car)?;
        edit.string("visibility", fields.visibility.name())
    })
}

fn put_blocks(edit: &mut Edit<'_, '_>, all: &[Vec<u8>]) -> Result<(), AutomergeError> {
    let blocks = edit.new_map("b")?;
    for (index, block) in all.iter().enumerate() {
        edit.bytes_in(&blocks, &format!("{index:04}"), block.clone())?;
    }
    edit.int_or_nothing("rules", Some(privacy::RULES))
}

/// Returns whether the copy was redacted by the rules of this version and not withdrawn since. Of concurrent statements all
/// must say so.
pub fn is_current(doc: &Automerge) -> bool {
    let said = automerge_doc::competing(doc, "rules");
    !said.is_cut && !said.values.is_empty() && said.values.iter().all(|rules| rules.as_i64() == Some(privacy::RULES))
}

/// Withdraws a copy that shows what is to be hidden, until [`make_again`].
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn withdraw_for_redaction(doc: &mut Automerge) -> Result<Option<NewChange>, EditError> {
    let said = automerge_doc::competing(doc, "visibility");
    let is_private = said.values == [ScalarValue::Str(Visibility::Private.name().into())];
    let is_marked = automerge_doc::competing(doc, "rules").values == [ScalarValue::Int(WITHDRAWN)];
    automerge_doc::edit(doc, |edit| {
        if !is_marked {
            edit.int_or_nothing("rules", Some(WITHDRAWN))?;
        }
        if is_private { Ok(()) } else { edit.string("visibility", Visibility::Private.name()) }
    })
}

/// The rules of a copy that was withdrawn to be made again.
const WITHDRAWN: i64 = 0;

/// Changes title, car and visibility of a published copy. One that is not current stays private, see [`is_current`].
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
    let visibility = if is_current(doc) { visibility } else { Visibility::Private };
    let said = automerge_doc::competing(doc, "visibility");
    let is_settled = !said.is_cut && said.values.len() == 1 && Visibility::among(&said) == visibility;
    automerge_doc::edit(doc, |edit| {
        edit.string_if_changed("title", &title_before, title)?;
        edit.string_if_changed("car", &car_before, car)?;
        if is_settled { Ok(()) } else { edit.string("visibility", visibility.name()) }
    })
}

/// Withdraws the copy: it becomes private.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn withdraw(doc: &mut Automerge) -> Result<Option<NewChange>, EditError> {
    let (title, car) = (automerge_doc::string(doc, "title"), automerge_doc::string(doc, "car"));
    change(doc, &title, &car, Visibility::Private)
}

/// Returns title and visibility, as far as set.
pub fn title_and_visibility(doc: &Automerge) -> (String, Visibility) {
    (automerge_doc::string(doc, "title"), Visibility::among(&automerge_doc::competing(doc, "visibility")))
}

/// Returns the change that set the effective visibility.
pub fn shown_since(doc: &Automerge) -> Option<ChangeHash> {
    let counts = Visibility::among(&automerge_doc::competing(doc, "visibility"));
    let all = doc.get_all(ROOT, "visibility").ok()?.into_iter();
    let said =
        |(value, _): &(Value<'_>, ObjId)| value.as_str().is_some_and(|name| Visibility::from_name(name) == counts);
    automerge_doc::change_of(doc, &all.filter(said).map(|(_, id)| id).next()?)
}

/// Reads the fields, if all required ones are present.
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
