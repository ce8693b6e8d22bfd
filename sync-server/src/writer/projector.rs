//! Derives the rows that others may read, in the transaction that stores the change they come from.
//!
//! The only place of the relay where Automerge loads a document. What was pushed passed core's scan, but Automerge may
//! still panic over it: then the panic stays here, and the document has no row.

use sqlx::SqliteConnection;
use tourismo_core::docs::{Visibility, open};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::log::DocLog;
use tourismo_core::projection::{self, PublishedRow, Row};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;

use crate::db::change_log;
use crate::db::profiles::{self, ProfileRecord};
use crate::db::published::{self, DriveRecord};

/// The most bytes of chunks that are loaded for one row: some thirty times a published drive of ten hours.
const MAX_BYTES: i64 = 4 << 20;

/// The most fixes of a drive that is shown: 27 hours at one a second.
const MAX_FIXES: u32 = 100_000;

/// The most points of a thumbnail. A drive of 200 km takes some 150.
const MAX_LINE_POINTS: usize = 1_000;

/// The most characters of a title or of what a car is called.
const MAX_CHARS: usize = 200;

/// What is derived from a document.
#[derive(PartialEq)]
pub(crate) enum Derived {
    /// The row of a published drive, and the blocks of its track.
    Drive(Box<DriveRecord>, Vec<Vec<u8>>),
    /// The row of its account's profile.
    Profile(ProfileRecord),
    /// No row: it says too little, nobody may see it, or it cannot be read.
    Nothing,
}

/// Folds a document and replaces its row. `revision` is the log position of its newest change.
pub(crate) async fn project(
    writer: &mut SqliteConnection,
    doc: &DocLog,
    id: DocId,
    revision: u64,
) -> Result<(), sqlx::Error> {
    match (derive(writer, doc, id, revision).await?, doc.kind) {
        (Derived::Drive(drive, blocks), _) => published::replace(writer, &drive, &blocks).await,
        (Derived::Profile(profile), _) => profiles::replace(writer, &profile).await,
        (Derived::Nothing, DocKind::Profile) => profiles::remove(writer, doc.owner).await,
        (Derived::Nothing, _) => published::remove(writer, doc.owner, id).await,
    }
}

/// What was derived from a document, as its row says.
pub(crate) async fn stored(reader: &mut SqliteConnection, doc: &DocLog, id: DocId) -> Result<Derived, sqlx::Error> {
    let derived = match doc.kind {
        DocKind::Profile => profiles::find(reader, doc.owner).await?.map(Derived::Profile),
        DocKind::Published => match published::record(reader, doc.owner, id).await? {
            Some(drive) => Some(Derived::Drive(Box::new(drive), published::blocks(reader, doc.owner, id).await?)),
            None => None,
        },
        DocKind::Settings | DocKind::Car | DocKind::Drive | DocKind::Track => None,
    };
    Ok(derived.unwrap_or(Derived::Nothing))
}

/// What is to be derived from a document, whatever rows there are.
///
/// A document that cannot be read has no row: its newest change may be the one that withdraws it.
pub(crate) async fn derive(
    reader: &mut SqliteConnection,
    doc: &DocLog,
    id: DocId,
    revision: u64,
) -> Result<Derived, sqlx::Error> {
    let Some((received_at, chunks)) = change_log::chunks(reader, doc.owner, id, MAX_BYTES).await? else {
        tracing::warn!(doc = %id, "a document is too large to be shown");
        return Ok(Derived::Nothing);
    };
    // A task of its own contains a panic, and keeps the work off the threads that serve sockets.
    let kind = doc.kind;
    let Ok(Some(row)) = tokio::task::spawn_blocking(move || fold(kind, &chunks)).await else {
        tracing::warn!(doc = %id, "a document cannot be read");
        return Ok(Derived::Nothing);
    };
    Ok(match row {
        Some(Row::Published(row)) => published(doc.owner, id, revision, received_at, *row),
        Some(Row::Profile(fields)) if fields.is_valid() => Derived::Profile(ProfileRecord {
            account: doc.owner,
            revision,
            handle: fields.handle,
            display_name: fields.display_name,
            bio: fields.bio,
        }),
        Some(Row::Profile(_) | Row::Settings(_) | Row::Car(_) | Row::Drive(_)) | None => Derived::Nothing,
    })
}

/// The row of a document; `None` outside if its changes cannot be read, inside if it says too little for a row.
fn fold(kind: DocKind, chunks: &[Vec<u8>]) -> Option<Option<Row>> {
    // Nothing is ever written as this actor.
    let doc = open::load(&[0; 16], chunks.iter().map(Vec::as_slice)).ok()?;
    Some(projection::fold(kind, &doc))
}

fn published(account: AccountId, doc: DocId, revision: u64, received_at: Timestamp, row: PublishedRow) -> Derived {
    match row.visibility {
        Visibility::Link | Visibility::Public if row.stats.fixes <= MAX_FIXES => {}
        Visibility::Link | Visibility::Public | Visibility::Private => return Derived::Nothing,
    }
    let drive = DriveRecord {
        account,
        doc,
        revision,
        // A drive from the future would stay on top of the feed; and nobody needs to know when it was published.
        sort_at: row.started_at.min(received_at.floor_to_hour()),
        visibility: row.visibility,
        started_at: row.started_at,
        title: shortened(&row.title),
        car: Some(shortened(&row.car)).filter(|car| !car.is_empty()),
        stats: json(&row.stats),
        bbox: Some(json(&row.bbox)),
        line: json(&thinned(&row.line)),
    };
    Derived::Drive(Box::new(drive), row.blocks.into_iter().map(Vec::from).collect())
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_CHARS).collect()
}

/// The line with at most about [`MAX_LINE_POINTS`] points of five decimals (1 m), without parts that cannot be drawn.
fn thinned(line: &[Vec<[f64; 2]>]) -> Vec<Vec<[f64; 2]>> {
    let points: usize = line.iter().map(Vec::len).sum();
    let step = points.div_ceil(MAX_LINE_POINTS).max(1);
    let rounded = |point: &[f64; 2]| point.map(|degrees| (degrees * 1e5).round() / 1e5);
    let part = |part: &Vec<[f64; 2]>| part.iter().step_by(step).map(rounded).collect::<Vec<_>>();
    line.iter().map(part).filter(|part| part.len() > 1).collect()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("numbers in structs and arrays are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbnail_stays_small_however_wild_the_track() {
        let wild: Vec<Vec<[f64; 2]>> = vec![vec![[0.123_456_7, 1.0]; 50_000], vec![[2.0, 3.0]], vec![[4.0, 5.0]; 3]];
        let line = thinned(&wild);
        assert!(line.iter().map(Vec::len).sum::<usize>() <= MAX_LINE_POINTS);
        assert_eq!(line[0][0], [0.123_46, 1.0]);
        assert_eq!(thinned(&wild[1..]), vec![vec![[4.0, 5.0]; 3]]);
    }
}
