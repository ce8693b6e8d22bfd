//! Derives the rows that others may read, in the transaction that stores the change they come from.
//!
//! The only place of the relay where Automerge loads a document. What was pushed passed core's scan, but Automerge may
//! still panic over it: then the panic stays here, and the document goes into quarantine. Its changes are kept and synced
//! all the same; it is shown to nobody, and never loaded again. So is one that is larger than anything that is shown:
//! every push to a document loads all of it, and writers of others wait meanwhile.

use crate::db::sql::Connection;
use tourismo_core::docs::{Visibility, open, snapshot};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::log::DocLog;
use tourismo_core::projection::{self, PublishedRow, Row};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;

use crate::db::change_log::{self, ChunksOf};
use crate::db::documents::{self, Quarantine};
use crate::db::profiles::{self, ProfileRecord};
use crate::db::published::{self, DriveRecord};

/// The most that is loaded for one row: ten times a published drive of ten hours.
const MAX_BYTES: u64 = 1 << 20;

/// The most changes that are loaded for one row. A published drive has one, and one for each edit of its title.
const MAX_CHANGES: u64 = 1_000;

/// The most operations that are loaded for one row. A published drive has one for each minute. A few dozen bytes can
/// stand for thousands, and each takes Automerge up to 5 µs.
const MAX_OPS: u64 = 10_000;

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
    /// No row: it says too little, or nobody may see it.
    Nothing,
    /// No row: it cannot be read.
    Quarantined(Quarantine),
}

impl Derived {
    /// Whether others can read it.
    pub(crate) fn is_row(&self) -> bool {
        match self {
            Derived::Drive(..) | Derived::Profile(_) => true,
            Derived::Nothing | Derived::Quarantined(_) => false,
        }
    }
}

/// What it took to derive a row, in changes that could have been stored meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(super) changes: u64,
}

/// Folds a document and replaces its row, unless it is in quarantine: more changes make no document smaller or easier to
/// read. `revision` is the log position of its newest change.
pub(crate) async fn project(
    writer: &mut Connection,
    doc: &DocLog,
    id: DocId,
    revision: u64,
) -> Result<Work, sqlx::Error> {
    if documents::quarantine_of(writer, doc.owner, id).await?.is_some() {
        return Ok(Work::default());
    }
    let (derived, work) = derive(writer, doc, id, revision).await?;
    match (derived, doc.kind) {
        (Derived::Drive(drive, blocks), _) => published::replace(writer, &drive, &blocks).await?,
        (Derived::Profile(profile), _) => profiles::replace(writer, &profile).await?,
        (Derived::Nothing, kind) => remove(writer, kind, doc.owner, id).await?,
        // What was shown is shown no more: its newest change may be the one that withdraws it.
        (Derived::Quarantined(why), kind) => {
            tracing::warn!(account = %doc.owner, doc = %id, why = why.name(), "a document is in quarantine");
            documents::quarantine(writer, doc.owner, id, why).await?;
            remove(writer, kind, doc.owner, id).await?;
        }
    }
    Ok(work)
}

async fn remove(writer: &mut Connection, kind: DocKind, account: AccountId, id: DocId) -> Result<(), sqlx::Error> {
    match kind {
        DocKind::Profile => profiles::remove(writer, account).await,
        DocKind::Settings
        | DocKind::Car
        | DocKind::Drive
        | DocKind::Track
        | DocKind::Published
        | DocKind::Social
        | DocKind::Meet => published::remove(writer, account, id).await,
    }
}

/// What was derived from a document, as its row says.
pub(crate) async fn stored(reader: &mut Connection, doc: &DocLog, id: DocId) -> Result<Derived, sqlx::Error> {
    if let Some(why) = documents::quarantine_of(reader, doc.owner, id).await? {
        return Ok(Derived::Quarantined(why));
    }
    let derived = match doc.kind {
        DocKind::Profile => profiles::find(reader, doc.owner).await?.map(Derived::Profile),
        DocKind::Published => match published::record(reader, doc.owner, id).await? {
            Some(drive) => Some(Derived::Drive(Box::new(drive), published::blocks(reader, doc.owner, id).await?)),
            None => None,
        },
        DocKind::Settings | DocKind::Car | DocKind::Drive | DocKind::Track | DocKind::Social | DocKind::Meet => None,
    };
    Ok(derived.unwrap_or(Derived::Nothing))
}

/// What is to be derived from a document, whatever rows there are, and what that took.
pub(crate) async fn derive(
    reader: &mut Connection,
    doc: &DocLog,
    id: DocId,
    revision: u64,
) -> Result<(Derived, Work), sqlx::Error> {
    let (received_at, chunks) = match change_log::chunks(reader, doc.owner, id, MAX_BYTES, MAX_CHANGES).await? {
        ChunksOf::Whole { received_at, chunks } => (received_at, chunks),
        ChunksOf::TooMuch => return Ok((Derived::Quarantined(Quarantine::TooLarge), Work::default())),
    };
    // A task of its own contains a panic, and keeps the work off the threads that serve sockets.
    let kind = doc.kind;
    let bytes: usize = chunks.iter().map(Vec::len).sum();
    let wasted = Work { changes: MAX_OPS / 20 };
    let (row, ops) = match tokio::task::spawn_blocking(move || fold(kind, &chunks)).await {
        Ok(Ok(folded)) => folded,
        Ok(Err(why)) => return Ok((Derived::Quarantined(why), wasted)),
        Err(error) if error.is_panic() => return Ok((Derived::Quarantined(Quarantine::Unreadable), wasted)),
        // The server is ending; what it was writing is not committed.
        Err(_) => return Err(sqlx::Error::WorkerCrashed),
    };
    let fixes = match &row {
        Some(Row::Published(row)) => u64::from(row.stats.fixes),
        Some(Row::Settings(..) | Row::Profile(_) | Row::Car(..) | Row::Drive(_) | Row::Social(_) | Row::Meet(_))
        | None => 0,
    };
    let work = Work { changes: ops / 20 + bytes as u64 / 8_192 + fixes / 150 };
    let derived = match row {
        Some(Row::Published(row)) => published(doc.owner, id, revision, received_at, *row),
        Some(Row::Profile(fields)) if fields.is_valid() => Derived::Profile(ProfileRecord {
            account: doc.owner,
            revision,
            handle: fields.handle,
            display_name: fields.display_name,
            bio: fields.bio,
        }),
        Some(Row::Profile(_) | Row::Settings(..) | Row::Car(..) | Row::Drive(_) | Row::Social(_) | Row::Meet(_))
        | None => Derived::Nothing,
    };
    Ok((derived, work))
}

/// The row of a document and how many operations it took; no row if the document says too little for one.
fn fold(kind: DocKind, chunks: &[Vec<u8>]) -> Result<(Option<Row>, u64), Quarantine> {
    let ops_of = |chunk: &Vec<u8>| snapshot::ops_of(chunk).ok_or(Quarantine::Unreadable);
    let ops = chunks.iter().map(ops_of).try_fold(0, |sum, ops| Ok(sum + ops?))?;
    if ops > MAX_OPS {
        return Err(Quarantine::TooLarge);
    }
    // Nothing is ever written as this actor.
    let doc = open::load(&[0; 16], chunks.iter().map(Vec::as_slice)).map_err(|_| Quarantine::Unreadable)?;
    Ok((projection::fold(kind, &doc), ops))
}

fn published(account: AccountId, doc: DocId, revision: u64, received_at: Timestamp, row: PublishedRow) -> Derived {
    match row.visibility {
        Visibility::Link | Visibility::Followers | Visibility::Public => {}
        Visibility::Private => return Derived::Nothing,
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
