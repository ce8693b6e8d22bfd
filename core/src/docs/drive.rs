//! A drive without its track.

use automerge::{Automerge, ScalarValue};
use serde::Serialize;

use crate::docs::automerge_doc::{self, Competing, EditError, NewChange};
use crate::docs::{LinkRenewal, Visibility};
use crate::id::DocId;
use crate::stats::DriveStats;
use crate::time::{Timestamp, UtcOffset};

/// The content of a drive document.
#[derive(Clone, Debug, PartialEq, minicbor::Encode, minicbor::Decode)]
pub struct DriveFields {
    /// May be empty.
    #[n(0)]
    pub title: String,
    /// May be empty.
    #[n(1)]
    pub notes: String,
    /// The car it was driven with.
    #[n(2)]
    pub car: Option<DocId>,
    /// The start.
    #[n(3)]
    pub started_at: Timestamp,
    /// The end; absent while the drive is not finished.
    #[n(4)]
    pub ended_at: Option<Timestamp>,
    /// The statistics; one value, so that concurrent statistics of two devices are never mixed.
    #[n(5)]
    pub stats: Option<DriveStats>,
    /// The document of its track.
    #[n(6)]
    pub track: Option<DocId>,
    /// The visibility of its published copy.
    #[n(7)]
    pub visibility: Visibility,
    /// The document of its published copy.
    #[n(8)]
    pub published: Option<DocId>,
    /// Whether the drive is deleted, which removes it from all lists.
    #[n(9)]
    pub deleted: bool,
    /// Unresolved concurrent values.
    #[n(10)]
    pub conflicts: Vec<DriveConflict>,
    /// Whether devices finished the drive concurrently with different statistics.
    #[n(11)]
    pub is_contested: bool,
    /// The UTC offset at the start; absent if unknown.
    #[n(13)]
    pub utc_offset: Option<UtcOffset>,
    /// The number of renewals of the link to its published copy.
    #[n(14)]
    #[cbor(default)]
    pub renewals: u32,
    /// The digest of the fixes that it was imported from; absent for a recorded drive.
    #[n(15)]
    pub source: Option<SourceDigest>,
    /// Which of its ends are no private places.
    #[n(16)]
    #[cbor(default)]
    pub open_ends: OpenEnds,
}

/// The ends of a drive that its owner called no private places, in versions without a list of places. A place that is found
/// there is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
pub struct OpenEnds {
    /// Where it began.
    #[n(0)]
    pub start: bool,
    /// Where it ended.
    #[n(1)]
    pub end: bool,
}

/// The SHA-256 of the fixes of an imported drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(transparent)]
pub struct SourceDigest(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

/// A field with concurrent values of several devices. Each value is listed once, the effective one first. Setting the
/// field again, also to the same value, resolves the conflict.
#[derive(Clone, Debug, PartialEq, Serialize, minicbor::Encode, minicbor::Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "field", rename_all = "camelCase")]
pub enum DriveConflict {
    /// The car it was driven with.
    #[n(0)]
    Car {
        /// The cars; `null` for none.
        #[n(0)]
        values: Vec<Option<DocId>>,
    },
    /// The visibility of its published copy: the narrowest counts.
    #[n(1)]
    Visibility {
        /// The visibilities.
        #[n(0)]
        values: Vec<Visibility>,
    },
}

/// Changes of a drive. Absent fields stay unchanged.
#[derive(Clone, Debug, Default)]
pub struct DriveEdit<'a> {
    /// A new title.
    pub title: Option<&'a str>,
    /// New notes.
    pub notes: Option<&'a str>,
    /// Another car, or none.
    pub car: Option<Option<DocId>>,
    /// The end and the statistics.
    pub finished: Option<(Timestamp, DriveStats)>,
    /// Another track document in place of the present one.
    pub track: Option<DocId>,
    /// Its published copy and the visibility of that copy.
    pub published: Option<(DocId, Visibility)>,
    /// The number of renewals of the link to its published copy.
    pub renewals: Option<u32>,
    /// The digest of the fixes that it was imported from.
    pub source: Option<SourceDigest>,
    /// Removes the drive from all lists.
    pub deleted: bool,
}

/// Makes the first change of a drive.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn create(
    doc: &mut Automerge,
    started_at: Timestamp,
    track: DocId,
    car: Option<DocId>,
    utc_offset: Option<UtcOffset>,
) -> Result<Option<NewChange>, EditError> {
    automerge_doc::edit(doc, |edit| {
        edit.make_text("title")?;
        edit.make_text("notes")?;
        edit.int_or_nothing("startedAt", Some(started_at.as_millis()))?;
        edit.int_or_nothing("utcOffsetMin", utc_offset.map(UtcOffset::as_minutes))?;
        edit.bytes_or_nothing("track", Some(track.as_bytes()))?;
        edit.bytes_or_nothing("car", car.as_ref().map(|car| car.as_bytes().as_slice()))
    })
}

/// Changes a drive.
///
/// # Errors
/// [`EditError`] if Automerge refuses.
pub fn change(doc: &mut Automerge, change: &DriveEdit<'_>) -> Result<Option<NewChange>, EditError> {
    let before = read(doc);
    let said = (automerge_doc::competing(doc, "car").values.len(), automerge_doc::competing(doc, "visibility"));
    let is_contested = said.1.is_cut || said.1.values.len() > 1;
    automerge_doc::edit(doc, |edit| {
        if let Some(title) = change.title {
            edit.update_text("title", title)?;
        }
        if let Some(notes) = change.notes {
            edit.update_text("notes", notes)?;
        }
        if let Some(car) = change.car.filter(|car| *car != before.car || said.0 > 1) {
            edit.bytes_or_null("car", car.as_ref().map(|car| car.as_bytes().as_slice()))?;
        }
        if let Some((ended_at, stats)) = &change.finished {
            edit.int_or_nothing("endedAt", Some(ended_at.as_millis()))?;
            edit.bytes_or_nothing("stats", Some(&minicbor::to_vec(stats).expect("writing to memory cannot fail")))?;
        }
        if let Some(track) = change.track.filter(|track| before.track != Some(*track)) {
            edit.bytes_or_nothing("track", Some(track.as_bytes()))?;
        }
        if let Some((published, visibility)) = change.published {
            if before.published != Some(published) {
                // Earlier versions read the id here.
                edit.bytes_or_nothing("published", Some(published.as_bytes()))?;
                if let Some(renewals) = change.renewals {
                    LinkRenewal { renewals, id: published }.write(edit)?;
                }
            }
            if before.visibility != visibility || is_contested {
                edit.string("visibility", visibility.name())?;
            }
        }
        if let Some(source) = change.source.filter(|source| before.source != Some(*source)) {
            edit.bytes_or_nothing("source", Some(&source.0))?;
        }
        if change.deleted && !before.deleted {
            edit.boolean("deleted", true)?;
        }
        Ok(())
    })
}

/// Reads the drive.
pub fn read(doc: &Automerge) -> DriveFields {
    let visibilities = automerge_doc::competing(doc, "visibility");
    let renewed = LinkRenewal::read(doc);
    DriveFields {
        title: automerge_doc::string(doc, "title"),
        notes: automerge_doc::string(doc, "notes"),
        car: doc_id(doc, "car"),
        started_at: automerge_doc::time(doc, "startedAt").unwrap_or_default(),
        // If two devices finished the drive, the later end counts.
        ended_at: automerge_doc::latest_time(doc, "endedAt"),
        stats: automerge_doc::bytes(doc, "stats")
            .and_then(|bytes| minicbor::decode(&bytes).ok())
            .filter(DriveStats::is_valid),
        track: doc_id(doc, "track"),
        visibility: Visibility::among(&visibilities),
        published: renewed.map(|renewed| renewed.id).or_else(|| doc_id(doc, "published")),
        deleted: automerge_doc::boolean(doc, "deleted"),
        conflicts: conflicts(doc, &visibilities),
        is_contested: automerge_doc::competing(doc, "stats").values.len() > 1,
        utc_offset: automerge_doc::utc_offset(doc, "utcOffsetMin"),
        renewals: renewed.map_or(0, |renewed| renewed.renewals),
        source: automerge_doc::bytes(doc, "source").and_then(|bytes| bytes.try_into().ok()).map(SourceDigest),
        open_ends: OpenEnds { start: is_open(doc, OPEN_START), end: is_open(doc, OPEN_END) },
    }
}

const OPEN_START: &str = "openStart";
const OPEN_END: &str = "openEnd";

/// Returns whether an end is marked as open, not a private place. All concurrent values must agree.
fn is_open(doc: &Automerge, key: &str) -> bool {
    let said = automerge_doc::competing(doc, key);
    !(said.is_cut || said.values.is_empty()) && said.values.iter().all(|value| value.as_bool() == Some(true))
}

fn conflicts(doc: &Automerge, visibilities: &Competing) -> Vec<DriveConflict> {
    let cars = automerge_doc::competing(doc, "car").values;
    let mut conflicts = Vec::new();
    if cars.len() > 1 {
        let car = |value: &ScalarValue| value.as_bytes().and_then(|bytes| bytes.try_into().ok()).map(DocId::from_bytes);
        conflicts.push(DriveConflict::Car { values: cars.iter().map(car).collect() });
    }
    if visibilities.values.len() > 1 {
        let mut values = vec![Visibility::among(visibilities)];
        for value in visibilities.values.iter().filter_map(ScalarValue::as_str).map(Visibility::from_name) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        conflicts.push(DriveConflict::Visibility { values });
    }
    conflicts
}

fn doc_id(doc: &Automerge, key: &str) -> Option<DocId> {
    automerge_doc::bytes(doc, key).and_then(|bytes| bytes.try_into().ok()).map(DocId::from_bytes)
}
