//! A snapshot of the stored rows beside their version: a server with another version derives all rows again.

use std::fmt::Write;

use tourismo_core::docs::social::{Comment, SocialRow};
use tourismo_core::docs::{CarFields, LogItem};
use tourismo_core::id::DocId;
use tourismo_core::kind::RelayRows;
use tourismo_core::projection::{DocumentRow, samples};

use super::aggregates::{About, derive};
use super::{Derived, VERSION};
use crate::db::drives::OwnDrive;
use crate::db::profiles::ProfileRecord;
use crate::db::published::DriveRecord;
use crate::db::sql::{Columns, Value};

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
        "rows look different: raise projector::ROWS, and run this with {WRITE}=1\n{text}"
    );
    assert!(std::env::var_os(WRITE).is_some(), "there is a new version: run this with {WRITE}=1");
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/writer/projector/row_shapes.txt"), text).unwrap();
}

/// Returns a row of each kind as stored, with a value in every field.
fn shapes() -> String {
    let mut text = String::new();
    let has_rows = |row: &DocumentRow| row.kind().policy().relay_rows != RelayRows::None;
    for (name, doc, row) in samples::rows().into_iter().filter(|(_, _, row)| has_rows(row)) {
        writeln!(text, "\n{name}").unwrap();
        let trace = matches!(row, DocumentRow::Published(_)).then(|| vec![9]);
        match derive(about(doc), Some(row), trace) {
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
            Derived::Social(row) => {
                let SocialRow { follows, accepted, blocked, unblocked, reactions, comments, rsvps, hidden } = row;
                writeln!(text, "  {follows:?} {accepted:?} {blocked:?} {unblocked:?}").unwrap();
                let reactions = reactions.into_iter().map(|(drive, reaction)| (drive, Value::from(reaction)));
                let rsvps = rsvps.into_iter().map(|(meet, answer, at)| (meet, Value::from(answer), at));
                writeln!(text, "  {:?} {:?}", reactions.collect::<Vec<_>>(), rsvps.collect::<Vec<_>>()).unwrap();
                writeln!(text, "  hidden {hidden:?}").unwrap();
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
    let (received_at, claimed_at, shown_at, updated_at) =
        (samples::AT + 1, samples::AT + 2, samples::AT + 3, samples::AT + 4);
    About { owner: samples::OWNER, doc, revision: 5, received_at, claimed_at, shown_at, updated_at }
}
