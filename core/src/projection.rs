//! The fold from documents to rows: the same on the phone, for its own lists, and on the relay, for everybody's.
//!
//! Rows are derived. Dropping them all and folding again gives the same rows.

use automerge::Automerge;
use minicbor::{Decode, Encode};

use crate::display::Line;
use crate::docs::drive::DriveFields;
use crate::docs::meet::MeetRow;
use crate::docs::social::SocialRow;
use crate::docs::{self, CarFields, LogItem, NamedDevice, ProfileFields, SettingsFields, Visibility};
use crate::geodesy::{Bounds, Position};
use crate::roads::{RoadSteps, RoadView};
use crate::stats::{DriveStats, RunningStats};
use crate::time::{Timestamp, UtcOffset};
use crate::track::block::{self, decode_all, fix_count};
use crate::track::parts::parts;
use crate::wire::DocKind;

/// How far the line of a published drive may be from its track, metres: enough for a thumbnail.
const LINE_TOLERANCE_M: f64 = 20.0;

/// The most fixes of a published drive that is shown: 27 hours at one a second.
pub const MAX_PUBLISHED_FIXES: usize = 100_000;

/// What a document says, as far as lists need it.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub enum DocumentRow {
    /// How an account likes things, and what it calls its devices.
    #[n(0)]
    Settings(#[n(0)] SettingsFields, #[n(1)] Vec<NamedDevice>),
    /// What everyone may know of an account.
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
    /// What an account says about others and their things.
    #[n(5)]
    Social(#[n(0)] SocialRow),
    /// A meet, or what a co-organiser says of one.
    #[n(6)]
    Meet(#[n(0)] Box<MeetRow>),
    /// How good the road under a track is, and west, south, east, north of it, degrees. Kept on phones: a relay reads no
    /// tracks but those that were published.
    #[n(7)]
    Track(#[n(0)] Box<RoadView>, #[n(1)] Option<[f64; 4]>),
}

impl DocumentRow {
    /// The kind of the document that it shows.
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

/// Which version of the fold makes the rows: a row of another version may lack what its document says. Roads that score
/// otherwise are another version, and so is what an app shows of blocks that the one before could not read.
pub const VERSION: u8 = 4;

/// The published copy of a drive.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct PublishedRow {
    /// May be empty.
    #[n(0)]
    pub title: String,
    /// What the car is called; may be empty.
    #[n(1)]
    pub car: String,
    /// The start of the hour in which the shown part began.
    #[n(2)]
    pub started_at: Timestamp,
    /// What was driven in the shown part.
    #[n(3)]
    pub stats: DriveStats,
    /// Who may see it.
    #[n(4)]
    pub visibility: Visibility,
    /// West, south, east, north of the shown part, degrees, as RFC 7946 has it: west is greater than east over the date
    /// line.
    #[n(5)]
    pub bbox: [f64; 4],
    /// The shown part for a thumbnail: parts of `[longitude, latitude]`, at most 20 m from the track.
    #[n(6)]
    pub line: Vec<Vec<[f64; 2]>>,
    /// The shown part in full, as packed blocks.
    #[n(7)]
    pub blocks: Vec<minicbor::bytes::ByteVec>,
    /// What the clocks showed where the drive began; absent if nobody knew.
    #[n(8)]
    pub utc_offset: Option<UtcOffset>,
}

/// Whether the phone keeps rows of documents of this kind for its own lists.
pub fn is_kept_on_phone(kind: DocKind) -> bool {
    match kind {
        DocKind::Settings
        | DocKind::Profile
        | DocKind::Car
        | DocKind::Drive
        | DocKind::Track
        | DocKind::Social
        | DocKind::Meet => true,
        DocKind::Published => false,
    }
}

/// Folds a document into its row. There is none for a published copy that says too little to show, or too much
/// ([`MAX_PUBLISHED_FIXES`]).
///
/// Reads fixed paths only; whatever else a document holds is left alone.
pub fn fold(kind: DocKind, doc: &Automerge) -> Option<DocumentRow> {
    match kind {
        DocKind::Settings => Some(DocumentRow::Settings(docs::settings::read(doc), docs::settings::devices(doc))),
        DocKind::Profile => Some(DocumentRow::Profile(docs::profile::read(doc))),
        DocKind::Car => Some(DocumentRow::Car(docs::car::read(doc), docs::logbook::read(doc))),
        DocKind::Drive => Some(DocumentRow::Drive(docs::drive::read(doc))),
        DocKind::Published => published(doc).map(|row| DocumentRow::Published(Box::new(row))),
        DocKind::Social => Some(DocumentRow::Social(docs::social::read(doc))),
        DocKind::Meet => Some(DocumentRow::Meet(Box::new(docs::meet::read(doc)))),
        DocKind::Track => Some(track(doc)),
    }
}

/// How many fixes a published copy says to hold. None is decoded for it.
pub fn published_fixes(doc: &Automerge) -> usize {
    docs::published::read(doc).map_or(0, |fields| fixes_in(&fields.blocks))
}

/// Whether a document says more than is shown, so that it has no row for that.
pub fn is_too_much(kind: DocKind, doc: &Automerge) -> bool {
    kind == DocKind::Published && published_fixes(doc) > MAX_PUBLISHED_FIXES
}

/// Whether a document is a published copy with blocks of a later version than is known here: what could be read of it would
/// not be the drive, so it has no row. `[T2]`
pub fn is_of_later_version(kind: DocKind, doc: &Automerge) -> bool {
    kind == DocKind::Published
        && docs::published::read(doc).is_some_and(|fields| has_blocks_of_later_version(&fields.blocks))
}

fn has_blocks_of_later_version(blocks: &[Vec<u8>]) -> bool {
    blocks.iter().any(|block| block::is_of_later_version(block))
}

/// A few bytes can stand for thousands of fixes.
fn fixes_in(blocks: &[Vec<u8>]) -> usize {
    blocks.iter().map(|block| fix_count(block)).sum()
}

fn track(doc: &Automerge) -> DocumentRow {
    let parts = parts(&docs::track::stretches(doc));
    let fixes = || parts.iter().flat_map(|part| &part.fixes);
    let bounds = Bounds::around(fixes().map(Position::from));
    DocumentRow::Track(Box::new(RoadSteps::of(fixes()).view()), bounds.map(|bounds| bounds.as_bbox()))
}

/// Everything that is shown of a published drive is computed here from its track, never taken on its owner's word.
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
