//! A snapshot of the stored rows beside their version: a server with another version derives all rows again.

use std::fmt::Write;

use tourismo_core::docs::drive::DriveFields;
use tourismo_core::docs::logbook::{Cost, LogEntry, LogKind};
use tourismo_core::docs::meet::{MeetFields, MeetRow};
use tourismo_core::docs::social::{self, Answer, Comment, Reaction, SocialRow};
use tourismo_core::docs::{CarFields, LogItem, ProfileFields, Visibility};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::projection::{DocumentRow, PublishedRow};
use tourismo_core::stats::DriveStats;
use tourismo_core::time::{Timestamp, UtcOffset};

use super::rows::{About, rows};
use super::{Derived, VERSION};
use crate::db::drives::OwnDrive;
use crate::db::profiles::ProfileRecord;
use crate::db::published::DriveRecord;
use crate::db::sql::{Columns, Value};

const OWNER: AccountId = AccountId::from_bytes([1; 16]);
const OTHER: AccountId = AccountId::from_bytes([2; 16]);
const DOC: DocId = DocId::from_bytes([3; 16]);
const AT: Timestamp = Timestamp(1_790_000_000_000);

/// If this variable is set, the snapshot is written again, which requires another version.
const WRITE: &str = "TOURISMO_WRITE_ROWS";

#[test]
fn rows_of_another_shape_have_another_version() {
    let stored = include_str!("row_shapes.txt");
    let text = format!("version {VERSION}\n{}", shapes());
    if stored == text {
        return;
    }
    let version = format!("version {VERSION}");
    assert_ne!(
        stored.lines().next(),
        Some(version.as_str()),
        "rows look different: raise projector::VERSION, and run this with {WRITE}=1\n{text}"
    );
    assert!(std::env::var_os(WRITE).is_some(), "there is a new version: run this with {WRITE}=1");
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/writer/projector/row_shapes.txt"), text).unwrap();
}

/// Returns a row of each kind as stored, with a value in every field.
fn shapes() -> String {
    let mut text = String::new();
    for (name, doc, row) in samples() {
        writeln!(text, "\n{name}").unwrap();
        let trace = matches!(row, DocumentRow::Published(_)).then(|| vec![9]);
        match rows(about(doc), Some(row), trace) {
            Derived::Published(drive, blocks) => {
                columns(&mut text, DriveRecord::list(), drive.values());
                writeln!(text, "  blocks {blocks:?} trace {:?}", drive.trace).unwrap();
            }
            Derived::Profile(profile) => columns(&mut text, ProfileRecord::list(), profile.values()),
            Derived::Drive(drive) => columns(&mut text, OwnDrive::list(), drive.values()),
            Derived::Car(fields, log) => {
                columns(&mut text, CarFields::list(), fields.values());
                log.iter().for_each(|entry| columns(&mut text, LogItem::list(), entry.values()));
            }
            Derived::Social(SocialRow { follows, accepted, blocked, unblocked, reactions, comments, rsvps }) => {
                writeln!(text, "  {follows:?} {accepted:?} {blocked:?} {unblocked:?}").unwrap();
                let reactions = reactions.into_iter().map(|(drive, reaction)| (drive, Value::from(reaction)));
                let rsvps = rsvps.into_iter().map(|(meet, answer, at)| (meet, Value::from(answer), at));
                writeln!(text, "  {:?} {:?}", reactions.collect::<Vec<_>>(), rsvps.collect::<Vec<_>>()).unwrap();
                comments.iter().for_each(|(_, comment)| columns(&mut text, Comment::list(), comment.values()));
            }
            Derived::Meet(part) => {
                let bytes = minicbor::to_vec(&part.row).unwrap();
                let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                writeln!(text, "  part {hex} received_at {:?}", part.received_at).unwrap();
            }
            Derived::NotShown | Derived::Nothing | Derived::Quarantined(_) => panic!("{name} has rows"),
        }
    }
    text
}

fn columns(text: &mut String, names: Vec<&'static str>, values: Vec<Value>) {
    for (name, value) in names.into_iter().zip(values) {
        writeln!(text, "  {name} {value:?}").unwrap();
    }
}

fn about(doc: DocId) -> About {
    let (received_at, claimed_at, shown_at, updated_at) = (AT + 1, AT + 2, AT + 3, AT + 4);
    About { owner: OWNER, doc, revision: 5, received_at, claimed_at, shown_at, updated_at }
}

fn samples() -> Vec<(&'static str, DocId, DocumentRow)> {
    let stats = DriveStats {
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
    let offset = UtcOffset::from_minutes(120);
    let profile = ProfileFields {
        handle: "anna".to_owned(),
        display_name: "Anna".to_owned(),
        bio: "Drives".to_owned(),
        by_approval: true,
    };
    let car = CarFields {
        make: "Mazda".to_owned(),
        model: "MX-5".to_owned(),
        year: Some(1999),
        nickname: "Miata".to_owned(),
        colour: "soul red".to_owned(),
        is_public: true,
    };
    let entry = LogEntry {
        kind: LogKind::Fuel,
        at: AT,
        odometer_m: Some(1.5),
        litres: Some(2.5),
        cost: Some(Cost { minor: 3, currency: "EUR".to_owned() }),
        note: "full".to_owned(),
    };
    let drive = DriveFields {
        title: "Pass".to_owned(),
        car: Some(DOC),
        started_at: AT,
        ended_at: Some(AT + 6),
        stats: Some(stats),
        visibility: Visibility::Followers,
        published: Some(DOC),
        utc_offset: offset,
        notes: String::new(),
        track: None,
        deleted: false,
        conflicts: Vec::new(),
        is_contested: false,
        private_ends: Default::default(),
        renewals: 0,
    };
    let published = PublishedRow {
        title: "Pass".to_owned(),
        car: "Miata".to_owned(),
        started_at: AT.floor_to_hour(),
        stats,
        visibility: Visibility::Public,
        bbox: [8.0, 46.0, 9.0, 47.0],
        line: vec![vec![[8.0, 46.0], [9.0, 47.0]]],
        blocks: vec![vec![1, 2].into()],
        utc_offset: offset,
    };
    let meet = MeetRow {
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
    };
    let people = SocialRow {
        follows: vec![(OTHER, AT)],
        accepted: vec![OTHER],
        blocked: vec![OTHER],
        unblocked: vec![OTHER],
        ..SocialRow::default()
    };
    let things = SocialRow {
        reactions: vec![(DOC, Reaction::Road)],
        comments: vec![(DOC, Comment { drive: DOC, at: AT, text: "Nice".to_owned() })],
        rsvps: vec![(DOC, Answer::Maybe, AT)],
        ..SocialRow::default()
    };
    vec![
        ("profile", DOC, DocumentRow::Profile(profile)),
        ("car", DOC, DocumentRow::Car(car, vec![LogItem { id: DOC, entry }])),
        ("drive", DOC, DocumentRow::Drive(drive)),
        ("published", DOC, DocumentRow::Published(Box::new(published))),
        ("people", social::people(&OWNER), DocumentRow::Social(people)),
        ("things", social::about(&OWNER, &DOC), DocumentRow::Social(things)),
        ("meet", DOC, DocumentRow::Meet(Box::new(meet))),
    ]
}
