//! The fold from documents to rows, the same on phones and on the relay.
//!
//! Rows are derived: deleting all rows and folding again gives the same rows.

#[cfg(any(test, feature = "samples"))]
pub mod samples;
mod squares;

use automerge::Automerge;
use minicbor::{Decode, Encode};

use crate::display::Line;
use crate::docs::drive::DriveFields;
use crate::docs::meet::MeetRow;
use crate::docs::social::SocialRow;
use crate::docs::{self, CarFields, LogItem, NamedDevice, ProfileFields, SettingsFields, Visibility};
use crate::geodesy::{Bounds, Position};
use crate::privacy::places::Place;
use crate::privacy::stops::stops;
use crate::roads::{RoadSteps, RoadView};
use crate::stats::{DriveStats, RunningStats};
use crate::time::{Timestamp, UtcOffset};
use crate::track::block::{self, decode_all, fix_count};
use crate::track::parts::{merged, parts};
use crate::wire::DocKind;

pub use squares::Squares;

/// Tolerance of the simplified line of a published drive, metres: enough for a thumbnail.
const LINE_TOLERANCE_M: f64 = 20.0;

/// Maximum number of fixes of a published drive that is shown: 27 hours at 1 Hz.
pub const MAX_PUBLISHED_FIXES: usize = 100_000;

/// A document in the form that lists need.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum DocumentRow {
    /// Settings of an account, the names of its devices, and its private places.
    #[n(0)]
    Settings(
        #[n(0)] SettingsFields,
        #[n(1)] Vec<NamedDevice>,
        #[n(2)]
        #[cbor(default)]
        Vec<Place>,
    ),
    /// The public profile of an account.
    #[n(1)]
    Profile(#[n(0)] ProfileFields),
    /// A car and its logbook, the latest entry first.
    #[n(2)]
    Car(
        #[n(0)] CarFields,
        #[n(1)]
        #[cbor(default)]
        Vec<LogItem>,
    ),
    /// A drive.
    #[n(3)]
    Drive(#[n(0)] DriveFields),
    /// The published copy of a drive.
    #[n(4)]
    Published(#[n(0)] Box<PublishedRow>),
    /// An account's relations, reactions, comments and answers.
    #[n(5)]
    Social(#[n(0)] SocialRow),
    /// A meet, or a co-organiser's amendment of one.
    #[n(6)]
    Meet(#[n(0)] Box<MeetRow>),
    /// The road score of a track, its bounds (west, south, east, north, in degrees), its stops, and the squares in which it
    /// was measured. Kept on phones only; a relay reads published tracks only.
    #[n(7)]
    Track(
        #[n(0)] Box<RoadView>,
        #[n(1)] Option<[f64; 4]>,
        #[n(2)]
        #[cbor(default)]
        Vec<Position>,
        #[n(3)]
        #[cbor(default)]
        Squares,
    ),
}

impl DocumentRow {
    /// Returns the kind of the document.
    pub fn kind(&self) -> DocKind {
        match self {
            DocumentRow::Settings(..) => DocKind::Settings,
            DocumentRow::Profile(_) => DocKind::Profile,
            DocumentRow::Car(..) => DocKind::Car,
            DocumentRow::Drive(_) => DocKind::Drive,
            DocumentRow::Published(_) => DocKind::Published,
            DocumentRow::Social(_) => DocKind::Social,
            DocumentRow::Meet(_) => DocKind::Meet,
            DocumentRow::Track(..) => DocKind::Track,
        }
    }
}

/// The version of the fold. Rows of another version may lack data of their documents. A change of road scores is
/// another version, and so is support for further block versions.
pub const VERSION: u8 = 8;

/// The published copy of a drive.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct PublishedRow {
    /// May be empty.
    #[n(0)]
    pub title: String,
    /// The name of the car; may be empty.
    #[n(1)]
    pub car: String,
    /// The start of the hour in which the shown part began.
    #[n(2)]
    pub started_at: Timestamp,
    /// Statistics of the shown part.
    #[n(3)]
    pub stats: DriveStats,
    /// Who may see it.
    #[n(4)]
    pub visibility: Visibility,
    /// West, south, east, north of the shown part, degrees, as in RFC 7946: west is greater than east if the part
    /// crosses the date line.
    #[n(5)]
    pub bbox: [f64; 4],
    /// The simplified line of the shown part: parts of `[longitude, latitude]`, at most 20 m from the track.
    #[n(6)]
    pub line: Vec<Vec<[f64; 2]>>,
    /// The blocks of the shown part.
    #[n(7)]
    pub blocks: Vec<minicbor::bytes::ByteVec>,
    /// The UTC offset at the start of the drive, if known.
    #[n(8)]
    pub utc_offset: Option<UtcOffset>,
}

/// Folds a document into its row. A published copy has no row if fields are missing, or if it exceeds
/// [`MAX_PUBLISHED_FIXES`].
///
/// Reads known paths only; other content is ignored.
pub fn fold(kind: DocKind, doc: &Automerge) -> Option<DocumentRow> {
    match kind {
        DocKind::Settings => {
            let (fields, devices) = (docs::settings::read(doc), docs::settings::devices(doc));
            Some(DocumentRow::Settings(fields, devices, docs::settings::places(doc)))
        }
        DocKind::Profile => Some(DocumentRow::Profile(docs::profile::read(doc))),
        DocKind::Car => Some(DocumentRow::Car(docs::car::read(doc), docs::logbook::read(doc))),
        DocKind::Drive => Some(DocumentRow::Drive(docs::drive::read(doc))),
        DocKind::Published => published(doc).map(|row| DocumentRow::Published(Box::new(row))),
        DocKind::Social => Some(DocumentRow::Social(docs::social::read(doc))),
        DocKind::Meet => Some(DocumentRow::Meet(Box::new(docs::meet::read(doc)))),
        DocKind::Track => Some(track(doc)),
    }
}

/// Returns the number of fixes that a published copy declares, without decoding them.
pub fn published_fixes(doc: &Automerge) -> usize {
    docs::published::read(doc).map_or(0, |fields| fixes_in(&fields.blocks))
}

/// Returns whether a document exceeds the limits of rows.
pub fn is_too_much(kind: DocKind, doc: &Automerge) -> bool {
    kind == DocKind::Published && published_fixes(doc) > MAX_PUBLISHED_FIXES
}

/// Returns whether a document is a published copy with blocks of an unknown later version. The readable part would not
/// be the drive, so it has no row. `[T2]`
pub fn is_of_later_version(kind: DocKind, doc: &Automerge) -> bool {
    kind == DocKind::Published
        && docs::published::read(doc).is_some_and(|fields| has_blocks_of_later_version(&fields.blocks))
}

fn has_blocks_of_later_version(blocks: &[Vec<u8>]) -> bool {
    blocks.iter().any(|block| block::is_of_later_version(block))
}

/// A few bytes can encode thousands of fixes.
fn fixes_in(blocks: &[Vec<u8>]) -> usize {
    blocks.iter().map(|block| fix_count(block)).sum()
}

fn track(doc: &Automerge) -> DocumentRow {
    let fixes = merged(&docs::track::stretches(doc));
    let positions = || fixes.iter().map(Position::from);
    let bounds = Bounds::around(positions());
    let road = Box::new(RoadSteps::of(&fixes).view());
    DocumentRow::Track(road, bounds.map(|bounds| bounds.as_bbox()), stops(&fixes), Squares::of(positions()))
}

/// All shown values of a published drive are computed from its track; values declared by its owner are not used.
fn published(doc: &Automerge) -> Option<PublishedRow> {
    let fields = docs::published::read(doc)?;
    if fixes_in(&fields.blocks) > MAX_PUBLISHED_FIXES || has_blocks_of_later_version(&fields.blocks) {
        return None;
    }
    let stretches = decode_all(fields.blocks.iter().map(Vec::as_slice)).stretches;
    let parts = parts(&stretches);
    let fixes = || parts.iter().flat_map(|part| &part.fixes);
    Some(PublishedRow {
        title: fields.title,
        car: fields.car,
        started_at: fixes().next()?.fixed_at.floor_to_hour(),
        utc_offset: fields.utc_offset,
        stats: RunningStats::of(fixes()).summary(),
        visibility: fields.visibility,
        bbox: Bounds::around(fixes().map(Position::from))?.as_bbox(),
        line: Line::simplified(&parts, LINE_TOLERANCE_M).parts,
        blocks: fields.blocks.into_iter().map(Into::into).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this variable is set, the snapshot is written again, which requires another version.
    const WRITE: &str = "TOURISMO_WRITE_ROWS";

    #[test]
    fn rows_of_another_shape_have_another_version() {
        let hex = |row: &DocumentRow| -> String {
            let bytes = minicbor::to_vec(row).expect("writing to memory cannot fail");
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let mut text = format!("version {VERSION}\n");
        for (name, _, row) in samples::rows() {
            text += &format!("\n{name}\n  {}\n", hex(&row));
        }
        let stored = include_str!("projection/row_shapes.txt");
        if stored == text {
            return;
        }
        assert_ne!(
            stored.lines().next(),
            text.lines().next(),
            "phones store other rows: raise projection::VERSION, and run this with {WRITE}=1\n{text}"
        );
        assert!(std::env::var_os(WRITE).is_some(), "there is a new version: run this with {WRITE}=1");
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/projection/row_shapes.txt"), text).unwrap();
    }

    #[test]
    fn there_is_a_sample_of_each_kind() {
        let kinds: Vec<DocKind> = samples::rows().iter().map(|(_, _, row)| row.kind()).collect();
        assert!(DocKind::ALL.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
    }
}
