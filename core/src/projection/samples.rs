//! A row of each kind with a value in every field. Tests compare how rows are stored, and fail if that changes without a new
//! version.

use super::{DocumentRow, PublishedRow, Squares};
use crate::docs::drive::{DriveConflict, DriveFields, OpenEnds, SourceDigest};
use crate::docs::logbook::{Cost, LogEntry, LogKind};
use crate::docs::meet::{MeetFields, MeetRow};
use crate::docs::settings::Units;
use crate::docs::social::{self, Answer, Comment, HiddenComment, Reaction, SocialRow};
use crate::docs::{CarFields, LogItem, NamedDevice, ProfileFields, SettingsFields, Visibility};
use crate::geodesy::Position;
use crate::id::{AccountId, DocId};
use crate::privacy::places::{Place, PlaceKind, PlaceSecret, ZoneSize};
use crate::roads::{RoadParts, RoadScore, RoadStretch, RoadView};
use crate::stats::DriveStats;
use crate::time::{Timestamp, UtcOffset};

/// The owner of the documents.
pub const OWNER: AccountId = AccountId::from_bytes([1; 16]);
/// Another account.
pub const OTHER: AccountId = AccountId::from_bytes([2; 16]);
/// The id of documents whose id may be any.
pub const DOC: DocId = DocId::from_bytes([3; 16]);
/// A moment.
pub const AT: Timestamp = Timestamp(1_790_000_000_000);

const STATS: DriveStats = DriveStats {
    distance_m: 1.5,
    gap_distance_m: 2.5,
    duration_ms: 3,
    moving_ms: 4,
    mean_speed_mps: 5.5,
    max_speed_mps: 6.5,
    ascent_m: 7.5,
    descent_m: 8.5,
    fixes: 9,
    refused: 10,
    gaps: 11,
};

/// Returns the name, the id and the row of a document of each kind, and of the two kinds of social documents.
pub fn rows() -> Vec<(&'static str, DocId, DocumentRow)> {
    let devices = vec![NamedDevice { key: "0102".to_owned(), name: "phone".to_owned() }];
    let settings = SettingsFields { units: Units::Imperial, default_visibility: Visibility::Followers };
    vec![
        ("settings", DOC, DocumentRow::Settings(settings, devices, vec![place()])),
        ("profile", DOC, DocumentRow::Profile(profile())),
        ("car", DOC, DocumentRow::Car(car(), vec![LogItem { id: DOC, entry: log_entry() }])),
        ("drive", DOC, DocumentRow::Drive(drive())),
        ("track", DOC, track()),
        ("published", DOC, DocumentRow::Published(Box::new(published()))),
        ("people", social::people(&OWNER), DocumentRow::Social(people())),
        ("things", social::about(&OWNER, &DOC), DocumentRow::Social(things())),
        ("meet", DOC, DocumentRow::Meet(Box::new(meet()))),
    ]
}

fn profile() -> ProfileFields {
    ProfileFields {
        handle: "anna".to_owned(),
        display_name: "Anna".to_owned(),
        bio: "Drives".to_owned(),
        by_approval: true,
    }
}

fn car() -> CarFields {
    CarFields {
        make: "Mazda".to_owned(),
        model: "MX-5".to_owned(),
        year: Some(1999),
        nickname: "Miata".to_owned(),
        colour: "soul red".to_owned(),
        is_public: true,
    }
}

fn log_entry() -> LogEntry {
    LogEntry {
        kind: LogKind::Fuel,
        at: AT,
        odometer_m: Some(1.5),
        litres: Some(2.5),
        cost: Some(Cost { minor: 3, currency: "EUR".to_owned() }),
        note: "full".to_owned(),
    }
}

fn drive() -> DriveFields {
    DriveFields {
        title: "Pass".to_owned(),
        notes: "Wet".to_owned(),
        car: Some(DOC),
        started_at: AT,
        ended_at: Some(AT + 6),
        stats: Some(STATS),
        track: Some(DOC),
        visibility: Visibility::Followers,
        published: Some(DOC),
        // A deleted drive has no rows on a relay.
        deleted: false,
        conflicts: vec![
            DriveConflict::Car { values: vec![Some(DOC), None] },
            DriveConflict::Visibility { values: vec![Visibility::Private, Visibility::Public] },
        ],
        is_contested: true,
        open_ends: OpenEnds { start: true, end: false },
        utc_offset: UtcOffset::from_minutes(120),
        renewals: 12,
        source: Some(SourceDigest([5; 32])),
    }
}

fn place() -> Place {
    Place {
        id: DOC,
        position: Position { lat_deg: 46.0, lon_deg: 8.0 },
        secret: PlaceSecret([7; 16]),
        is_found: true,
        kind: PlaceKind::Home,
        size: ZoneSize::Large,
    }
}

fn track() -> DocumentRow {
    let parts = RoadParts { twist: 1, corners: 2, relief: Some(3), flow: 4, variety: 5 };
    let score = RoadScore { score: 6, parts, measured_m: 7 };
    let stretch = RoadStretch { from_at: AT, to_at: AT + 1, from: [8.0, 46.0], to: [8.5, 46.5], score };
    let view = RoadView { score: Some(score), stretches: vec![stretch] };
    let stop = Position { lat_deg: 46.0, lon_deg: 8.0 };
    DocumentRow::Track(Box::new(view), Some([8.0, 46.0, 9.0, 47.0]), vec![stop], Squares::of([stop]))
}

fn published() -> PublishedRow {
    PublishedRow {
        title: "Pass".to_owned(),
        car: "Miata".to_owned(),
        started_at: AT.floor_to_hour(),
        stats: STATS,
        visibility: Visibility::Public,
        bbox: [8.0, 46.0, 9.0, 47.0],
        line: vec![vec![[8.0, 46.0], [9.0, 47.0]]],
        blocks: vec![vec![1, 2].into()],
        utc_offset: UtcOffset::from_minutes(120),
    }
}

fn people() -> SocialRow {
    SocialRow {
        follows: vec![(OTHER, AT)],
        accepted: vec![OTHER],
        blocked: vec![OTHER],
        unblocked: vec![OTHER],
        ..SocialRow::default()
    }
}

fn things() -> SocialRow {
    SocialRow {
        reactions: vec![(DOC, Reaction::Road)],
        comments: vec![(DOC, Comment { drive: DOC, at: AT, text: "Nice".to_owned() })],
        rsvps: vec![(DOC, Answer::Maybe, AT)],
        hidden: vec![HiddenComment { drive: DOC, account: OTHER, comment: DOC }],
        ..SocialRow::default()
    }
}

fn meet() -> MeetRow {
    MeetRow {
        fields: MeetFields {
            title: "Coffee".to_owned(),
            text: "At nine".to_owned(),
            place: "Lake".to_owned(),
            position: Some([8.5, 46.5]),
            starts_at: AT,
            ends_at: Some(AT + 7),
            time_zone: "Europe/Vienna".to_owned(),
            capacity: Some(8),
            visibility: Visibility::Public,
            cancelled: true,
        },
        organisers: vec![(OTHER, true)],
        changes: 2,
        ..MeetRow::default()
    }
}
