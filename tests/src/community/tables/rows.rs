//! The columns of each table, and the row of a person, a drive or a meet.

use serde_json::json;
use tourismo_core::docs::{Reaction, social};
use tourismo_core::id::DocId;
use tourismo_core::stats::DriveStats;

use crate::community::{Drive, Meet, Person};

pub(super) const HOUR_MS: i64 = 3_600_000;
/// The numbers of kinds of documents and visibilities in the tables.
const PUBLISHED: i64 = 5;
const FOLLOWERS: i64 = 3;
const EVERYONE: i64 = 2;

/// The value of a column.
#[derive(Clone, Debug)]
pub enum Cell {
    /// NULL.
    Null,
    /// BIGINT.
    Int(i64),
    /// DOUBLE PRECISION.
    Real(f64),
    /// TEXT.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

pub(super) fn id(person: &Person) -> Cell {
    Cell::Bytes(person.account.as_bytes().to_vec())
}

pub(super) fn doc(doc: &DocId) -> Cell {
    Cell::Bytes(doc.as_bytes().to_vec())
}

pub(super) fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

pub(super) const ACCOUNT: [&str; 6] = ["account", "head", "digest", "changes", "documents", "bytes"];

pub(super) fn account(person: &Person) -> Vec<Cell> {
    vec![id(person), Cell::Int(0), Cell::Bytes(vec![0; 32]), Cell::Int(0), Cell::Int(0), Cell::Int(0)]
}

pub(super) const DEVICE: [&str; 5] = ["account", "device", "actor_prefix", "granted_by", "added_at"];

pub(super) fn device(person: &Person) -> Vec<Cell> {
    let key = tourismo_core::id::DeviceKey(person.key.verifying_key().to_bytes());
    vec![id(person), Cell::Bytes(key.0.to_vec()), Cell::Bytes(key.actor_prefix().to_vec()), Cell::Null, Cell::Int(0)]
}

pub(super) const PROFILE: [&str; 11] = [
    "account",
    "doc",
    "revision",
    "handle",
    "display_name",
    "bio",
    "by_approval",
    "folded",
    "claimed_at",
    "holds",
    "skeleton",
];

pub(super) fn profile(person: &Person) -> Vec<Cell> {
    vec![
        id(person),
        doc(&DocId::only(&person.account, "profile")),
        Cell::Int(1),
        text(&*person.handle),
        text(&*person.display_name),
        text(""),
        Cell::Int(i64::from(person.by_approval)),
        text(person.handle.to_lowercase()),
        Cell::Int(0),
        Cell::Int(1),
        // No two of them look alike.
        text(person.handle.to_lowercase()),
    ]
}

pub(super) const CAR: [&str; 8] = ["account", "doc", "make", "model", "year", "nickname", "colour", "is_public"];

pub(super) fn car(person: &Person, which: usize) -> Vec<Cell> {
    let (car, make, model) = &person.cars[which];
    vec![id(person), doc(car), text(*make), text(*model), Cell::Int(1_991), text(""), text("red"), Cell::Int(1)]
}

pub(super) const FOLLOW: [&str; 3] = ["account", "followee", "since"];

pub(super) fn follow(by: &Person, of: &Person, since: i64) -> Vec<Cell> {
    vec![id(by), id(of), Cell::Int(since)]
}

pub(super) const DRIVE: [&str; 14] = [
    "account",
    "doc",
    "title",
    "car",
    "started_at",
    "ended_at",
    "month",
    "stats",
    "distance_m",
    "moving_ms",
    "duration_ms",
    "ascent_m",
    "visibility",
    "published",
];

pub(super) fn private(person: &Person, drive: &Drive) -> Vec<Cell> {
    let duration_ms = drive.minutes as i64 * 60_000;
    vec![
        id(person),
        doc(&drive.id),
        text(drive.title),
        doc(&person.cars[drive.car].0),
        Cell::Int(drive.started_at.as_millis()),
        Cell::Int(drive.started_at.as_millis() + duration_ms),
        Cell::Int(month(drive)),
        text(stats(drive)),
        Cell::Real(drive.distance_m),
        Cell::Int(duration_ms),
        Cell::Int(duration_ms),
        Cell::Real(drive.ascent_m),
        Cell::Int(visibility(drive)),
        doc(&drive.published),
    ]
}

pub(super) const PUBLISHED_DRIVE: [&str; 26] = [
    "account",
    "doc",
    "revision",
    "bucket",
    "sort_at",
    "visibility",
    "started_at",
    "month",
    "title",
    "car",
    "stats",
    "distance_m",
    "moving_ms",
    "duration_ms",
    "ascent_m",
    "west",
    "south",
    "east",
    "north",
    "cell",
    "wide_cell",
    "line",
    "place",
    "shown_at",
    "shown_place",
    "updated_at",
];

pub(super) fn published(person: &Person, drive: &Drive) -> Vec<Cell> {
    let duration_ms = drive.minutes as i64 * 60_000;
    let hour = drive.started_at.as_millis() / HOUR_MS * HOUR_MS;
    let [west, south] = drive.at;
    let middle = [west + 0.1, south + 0.025];
    let (_, make, model) = &person.cars[drive.car];
    let line: Vec<[f64; 2]> =
        (0..20).map(|step| [west + f64::from(step) / 100.0, south + f64::from(step % 5) / 100.0]).collect();
    let mut row = vec![
        id(person),
        doc(&drive.published),
        Cell::Int(1),
        Cell::Int(i64::from(drive.published.as_bytes()[15] % 16)),
        Cell::Int(hour),
        Cell::Int(visibility(drive)),
        Cell::Int(hour),
        Cell::Int(month(drive)),
        text(drive.title),
        text(format!("{make} {model}")),
        text(stats(drive)),
        Cell::Real(drive.distance_m),
        Cell::Int(duration_ms),
        Cell::Int(duration_ms),
        Cell::Real(drive.ascent_m),
        Cell::Real(west),
        Cell::Real(south),
        Cell::Real(west + 0.2),
        Cell::Real(south + 0.05),
        Cell::Int(square(middle, 1.0)),
        Cell::Int(square(middle, 15.0)),
    ];
    row.push(text(json!([line]).to_string()));
    // A position in the hour's order.
    let place =
        i64::from_be_bytes(*drive.published.as_bytes().last_chunk().expect("an id is longer")) & (i64::MAX >> 1);
    row.extend([place, hour, place, hour].map(Cell::Int));
    row
}

/// Returns the square of this side that contains a position, as the relay numbers them.
pub(super) fn square([lon, lat]: [f64; 2], degrees: f64) -> i64 {
    let columns = (360.0 / degrees) as i64;
    ((lat + 90.0) / degrees) as i64 * columns + ((lon + 180.0) / degrees) as i64
}

pub(super) const FEED_ITEM: [&str; 5] = ["account", "sort_at", "doc", "visibility", "kind"];

pub(super) fn feed_item(person: &Person, drive: &Drive) -> Vec<Cell> {
    let hour = drive.started_at.as_millis() / HOUR_MS * HOUR_MS;
    vec![id(person), Cell::Int(hour), doc(&drive.published), Cell::Int(visibility(drive)), Cell::Int(PUBLISHED)]
}

pub(super) const REACTION: [&str; 4] = ["account", "doc", "drive", "kind"];

pub(super) fn reaction(by: &Person, drive: &DocId, reaction: Reaction) -> Vec<Cell> {
    let kind = match reaction {
        Reaction::Like => 0,
        Reaction::Wow => 1,
        Reaction::Road => 2,
        Reaction::Car => 3,
    };
    vec![id(by), doc(&social::about(&by.account, drive)), doc(drive), Cell::Int(kind)]
}

pub(super) const COMMENT: [&str; 6] = ["account", "doc", "comment", "drive", "at", "text"];

pub(super) fn comment(by: &Person, drive: &DocId, at: i64, said: &str) -> Vec<Cell> {
    let comment = DocId::only(&by.account, &format!("comment {drive}"));
    vec![id(by), doc(&social::about(&by.account, drive)), doc(&comment), doc(drive), Cell::Int(at), text(said)]
}

pub(super) const MEET: [&str; 18] = [
    "account",
    "doc",
    "sequence",
    "changed_at",
    "sort_at",
    "title",
    "text",
    "place",
    "lon",
    "lat",
    "starts_at",
    "ends_at",
    "time_zone",
    "capacity",
    "visibility",
    "is_cancelled",
    "cell",
    "wide_cell",
];

pub(super) fn meet(organiser: &Person, meet: &Meet) -> Vec<Cell> {
    let starts_at = meet.starts_at.as_millis();
    vec![
        id(organiser),
        doc(&meet.id),
        Cell::Int(1),
        Cell::Int(0),
        Cell::Int(0),
        text(meet.title),
        text("Bring coffee."),
        text("At the lake"),
        Cell::Real(meet.at[0]),
        Cell::Real(meet.at[1]),
        Cell::Int(starts_at),
        Cell::Int(starts_at + 3 * HOUR_MS),
        text("Europe/Zurich"),
        Cell::Null,
        Cell::Int(EVERYONE),
        Cell::Int(0),
        Cell::Int(square(meet.at, 1.0)),
        Cell::Int(square(meet.at, 15.0)),
    ]
}

pub(super) fn visibility(drive: &Drive) -> i64 {
    if drive.for_followers { FOLLOWERS } else { EVERYONE }
}

pub(super) fn month(drive: &Drive) -> i64 {
    let date = time::OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(drive.started_at.as_millis());
    i64::from(date.year()) * 100 + i64::from(u8::from(date.month()))
}

pub(super) fn stats(drive: &Drive) -> String {
    let duration_ms = drive.minutes as i64 * 60_000;
    let mean_speed_mps = drive.distance_m / (duration_ms as f64 / 1e3);
    let stats = DriveStats {
        distance_m: drive.distance_m,
        gap_distance_m: 0.0,
        duration_ms,
        moving_ms: duration_ms,
        mean_speed_mps,
        max_speed_mps: 1.6 * mean_speed_mps,
        ascent_m: drive.ascent_m,
        descent_m: drive.ascent_m,
        fixes: drive.minutes as u32 * 60,
        refused: 0,
        gaps: 0,
    };
    serde_json::to_string(&stats).expect("numbers are JSON")
}
