//! Derives the rows that others may read, in the transaction that stores the change they come from.
//!
//! The only place of the relay where Automerge loads a document. What was pushed passed core's scan, but Automerge may
//! still panic over it: then the panic stays here, and the document goes into quarantine. Its changes are kept and synced
//! all the same; it is shown to nobody, and never loaded again. So is one that is larger than anything that is shown:
//! every push to a document loads all of it, and writers of others wait meanwhile.

use std::collections::BTreeSet;

use tourismo_core::docs::claim::claim;
use tourismo_core::docs::drive::DriveFields;
use tourismo_core::docs::social::{self, SocialRow};
use tourismo_core::docs::{CarFields, LogItem, ProfileFields, Visibility, open, snapshot};
use tourismo_core::id::{AccountId, ChangeHash, DocId};
use tourismo_core::log::DocLog;
use tourismo_core::projection::{self, PublishedRow, Row};
use tourismo_core::roads::Survey;
use tourismo_core::time::Timestamp;
use tourismo_core::track::block::decode_all;
use tourismo_core::track::parts::parts;
use tourismo_core::wire::DocKind;

use crate::db::change_log::{self, ChunksOf};
use crate::db::documents::{self, Quarantine};
use crate::db::drives::{self, OwnDrive};
use crate::db::figures::Figures;
use crate::db::meets::{self, MeetPart};
use crate::db::profiles::{self, ProfileRecord};
use crate::db::published::{self, DriveRecord};
use crate::db::sql::Connection;
use crate::db::{cars, comments, follows, reactions, rsvps};
use crate::live::Event;
use crate::roads::Trace;

/// Which version of the rows this derives. A server that finds another one derives all of them again.
pub(crate) const VERSION: u32 = 2;

/// The most points of a thumbnail. A drive of 200 km takes some 150.
const MAX_LINE_POINTS: usize = 1_000;

/// The most characters of a title or of what a car is called.
const MAX_CHARS: usize = 200;

/// What is derived from a document.
#[derive(PartialEq)]
pub(crate) enum Derived {
    /// A published drive, and the blocks of its track.
    Published(Box<DriveRecord>, Vec<Vec<u8>>),
    /// Its account's profile.
    Profile(ProfileRecord),
    /// A drive, for its owner.
    Drive(Box<OwnDrive>),
    /// A car and its logbook, ascending by id.
    Car(CarFields, Vec<LogItem>),
    /// What its account says of people or of things.
    Social(SocialRow),
    /// What it says of a meet.
    Meet(Box<MeetPart>),
    /// No row: it says too little, or nobody may see it.
    Nothing,
    /// No row: it cannot be read.
    Quarantined(Quarantine),
}

impl Derived {
    /// How many rows it has.
    pub(crate) fn rows(&self) -> u64 {
        match self {
            Derived::Published(drive, _) => 1 + u64::from(drive.is_in_home_feeds()) + u64::from(drive.trace.is_some()),
            Derived::Profile(_) | Derived::Drive(_) | Derived::Meet(_) => 1,
            Derived::Car(_, log) => 1 + log.len() as u64,
            Derived::Social(row) => {
                let people = row.follows.len() + row.accepted.len() + row.blocked.len();
                (people + row.reactions.len() + row.comments.len() + row.rsvps.len()) as u64
            }
            Derived::Nothing | Derived::Quarantined(_) => 0,
        }
    }
}

/// What it took to derive rows, in changes that could have been stored meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(super) changes: u64,
}

/// Folds a document and replaces its rows, unless it is in quarantine: more changes make no document smaller or easier to
/// read. `revision` is the log position of its newest change. Says in `events` what looks different afterwards.
pub(crate) async fn project(
    writer: &mut Connection,
    doc: &DocLog,
    id: DocId,
    revision: u64,
    events: &mut Vec<Event>,
) -> Result<Work, sqlx::Error> {
    if !has_rows(doc.kind) || documents::quarantine_of(writer, doc.owner, id).await?.is_some() {
        return Ok(Work::default());
    }
    let (derived, work) = derive(writer, doc, id, revision).await?;
    if let Derived::Quarantined(why) = derived {
        // What was shown is shown no more: its newest change may be the one that withdraws it.
        tracing::warn!(account = %doc.owner, doc = %id, why = why.name(), "a document is in quarantine");
        documents::quarantine(writer, doc.owner, id, why).await?;
    }
    write(writer, doc, id, derived, events).await?;
    Ok(work)
}

/// Whether rows are derived from documents of this kind.
pub(crate) fn has_rows(kind: DocKind) -> bool {
    match kind {
        DocKind::Profile | DocKind::Car | DocKind::Drive | DocKind::Published | DocKind::Social | DocKind::Meet => true,
        DocKind::Settings | DocKind::Track => false,
    }
}

async fn write(
    writer: &mut Connection,
    doc: &DocLog,
    id: DocId,
    derived: Derived,
    events: &mut Vec<Event>,
) -> Result<(), sqlx::Error> {
    let owner = doc.owner;
    match derived {
        Derived::Published(drive, blocks) => {
            published::replace(writer, &drive, &blocks).await?;
            events.push(Event::Shown { owner, doc: id });
        }
        Derived::Profile(profile) => {
            profiles::replace(writer, &profile).await?;
            // Whether followers must be accepted decides what they see.
            events.push(Event::People { account: owner });
        }
        Derived::Drive(drive) => drives::replace(writer, &drive).await?,
        Derived::Car(fields, log) => cars::replace(writer, owner, id, &fields, &log).await?,
        Derived::Social(row) => write_social(writer, owner, id, &row, events).await?,
        Derived::Meet(part) => write_meet(writer, owner, id, Some(*part), events).await?,
        Derived::Nothing | Derived::Quarantined(_) => remove(writer, doc.kind, owner, id, events).await?,
    }
    Ok(())
}

async fn remove(
    writer: &mut Connection,
    kind: DocKind,
    owner: AccountId,
    id: DocId,
    events: &mut Vec<Event>,
) -> Result<(), sqlx::Error> {
    match kind {
        DocKind::Profile => profiles::remove(writer, owner).await,
        DocKind::Published => {
            events.push(Event::Shown { owner, doc: id });
            published::remove(writer, owner, id).await
        }
        DocKind::Drive => drives::remove(writer, owner, id).await,
        DocKind::Car => cars::remove(writer, owner, id).await,
        DocKind::Social => write_social(writer, owner, id, &SocialRow::default(), events).await,
        DocKind::Meet => write_meet(writer, owner, id, None, events).await,
        DocKind::Settings | DocKind::Track => Ok(()),
    }
}

async fn write_social(
    writer: &mut Connection,
    owner: AccountId,
    id: DocId,
    said: &SocialRow,
    events: &mut Vec<Event>,
) -> Result<(), sqlx::Error> {
    let before = stored_social(writer, owner, id).await?;
    if id == social::people(&owner) {
        follows::replace(writer, owner, &before, said).await?;
        // Whoever was let in, or shut out, may see something else, too.
        let listed = |row: &SocialRow| [row.accepted.clone(), row.blocked.clone()].concat();
        let touched: BTreeSet<AccountId> = listed(&before).into_iter().chain(listed(said)).chain([owner]).collect();
        events.extend(touched.into_iter().map(|account| Event::People { account }));
        return Ok(());
    }
    reactions::replace(writer, owner, id, &before.reactions, &said.reactions).await?;
    comments::replace(writer, owner, id, &before.comments, &said.comments).await?;
    let meets = rsvps::replace(writer, owner, id, &before.rsvps, &said.rsvps).await?;
    events.extend(meets.into_iter().map(|doc| Event::Meet { doc }));
    Ok(())
}

/// Replaces what a document says of a meet, and makes anew what counts of the meets that it speaks of.
async fn write_meet(
    writer: &mut Connection,
    owner: AccountId,
    id: DocId,
    part: Option<MeetPart>,
    events: &mut Vec<Event>,
) -> Result<(), sqlx::Error> {
    let before = meets::part(writer, owner, id).await?;
    match &part {
        Some(part) => meets::replace_part(writer, owner, id, part).await?,
        None => meets::remove_part(writer, owner, id).await?,
    }
    let subjects = [before, part].into_iter().flatten().map(|part| part.row.amends.unwrap_or(id));
    for meet in subjects.collect::<BTreeSet<_>>() {
        let Some(log) = documents::find(writer, meet).await?.filter(|log| log.kind == DocKind::Meet) else { continue };
        meets::settle(writer, log.owner, meet).await?;
        events.extend([Event::Shown { owner: log.owner, doc: meet }, Event::Meet { doc: meet }]);
    }
    Ok(())
}

/// What was derived from a document, as its rows say.
pub(crate) async fn stored(reader: &mut Connection, doc: &DocLog, id: DocId) -> Result<Derived, sqlx::Error> {
    if let Some(why) = documents::quarantine_of(reader, doc.owner, id).await? {
        return Ok(Derived::Quarantined(why));
    }
    let owner = doc.owner;
    let derived = match doc.kind {
        // An account may have more documents of this kind; the one that was written last is shown.
        DocKind::Profile => profiles::record(reader, owner).await?.filter(|row| row.doc == id).map(Derived::Profile),
        DocKind::Published => match published::record(reader, owner, id).await? {
            Some(drive) => Some(Derived::Published(Box::new(drive), published::blocks(reader, owner, id).await?)),
            None => None,
        },
        DocKind::Drive => drives::record(reader, owner, id).await?.map(|drive| Derived::Drive(Box::new(drive))),
        DocKind::Car => match cars::record(reader, owner, id).await? {
            Some(fields) => Some(Derived::Car(fields, cars::logbook(reader, owner, id).await?)),
            None => None,
        },
        DocKind::Social => Some(Derived::Social(stored_social(reader, owner, id).await?)),
        DocKind::Meet => meets::part(reader, owner, id).await?.map(|part| Derived::Meet(Box::new(part))),
        DocKind::Settings | DocKind::Track => None,
    };
    Ok(derived.unwrap_or(Derived::Nothing))
}

async fn stored_social(reader: &mut Connection, owner: AccountId, id: DocId) -> Result<SocialRow, sqlx::Error> {
    if id == social::people(&owner) {
        return follows::stored(reader, owner).await;
    }
    Ok(SocialRow {
        reactions: reactions::stored(reader, owner, id).await?,
        comments: comments::stored(reader, owner, id).await?,
        rsvps: rsvps::stored(reader, owner, id).await?,
        ..SocialRow::default()
    })
}

/// What is to be derived from a document, whatever rows there are, and what that took.
pub(crate) async fn derive(
    reader: &mut Connection,
    doc: &DocLog,
    id: DocId,
    revision: u64,
) -> Result<(Derived, Work), sqlx::Error> {
    let bounds = Bounds::of(doc.kind);
    let (received_at, chunks) = match change_log::chunks(reader, doc.owner, id, bounds.bytes, bounds.changes).await? {
        ChunksOf::Whole { received_at, chunks } => (received_at, chunks),
        ChunksOf::TooMuch => return Ok((Derived::Quarantined(Quarantine::TooLarge), Work::default())),
    };
    // A task of its own contains a panic, and keeps the work off the threads that serve sockets.
    let kind = doc.kind;
    let bytes: usize = chunks.iter().map(Vec::len).sum();
    let wasted = Work { changes: bounds.ops / 20 };
    let Folded { row, claim, trace, ops } = match tokio::task::spawn_blocking(move || fold(kind, &chunks, bounds)).await
    {
        Ok(Ok(folded)) => folded,
        Ok(Err(why)) => return Ok((Derived::Quarantined(why), wasted)),
        Err(error) if error.is_panic() => return Ok((Derived::Quarantined(Quarantine::Unreadable), wasted)),
        // The server is ending; what it was writing is not committed.
        Err(_) => return Err(sqlx::Error::WorkerCrashed),
    };
    let fixes = match &row {
        Some(Row::Published(row)) => u64::from(row.stats.fixes),
        Some(
            Row::Settings(..)
            | Row::Profile(_)
            | Row::Car(..)
            | Row::Drive(_)
            | Row::Track(..)
            | Row::Social(_)
            | Row::Meet(_),
        )
        | None => 0,
    };
    let work = Work { changes: ops / 20 + bytes as u64 / 8_192 + fixes / 150 };
    let owner = doc.owner;
    let derived = match row {
        Some(Row::Published(row)) => published(owner, id, revision, received_at, *row, trace),
        Some(Row::Profile(fields)) if fields.is_valid() => {
            let claimed_at = match claim {
                Some(change) => change_log::received_at(reader, owner, id, change).await?,
                None => Timestamp(0),
            };
            let ProfileFields { handle, display_name, bio, by_approval } = fields;
            let profile =
                ProfileRecord { account: owner, doc: id, revision, handle, display_name, bio, by_approval, claimed_at };
            Derived::Profile(profile)
        }
        Some(Row::Drive(fields)) if !fields.deleted => Derived::Drive(Box::new(own_drive(owner, id, fields))),
        Some(Row::Car(fields, mut log)) => {
            log.sort_by_key(|item| item.id);
            Derived::Car(fields, log)
        }
        Some(Row::Social(row)) => Derived::Social(own_words(owner, id, row)),
        Some(Row::Meet(row)) => Derived::Meet(Box::new(MeetPart { row: *row, received_at })),
        Some(Row::Profile(_) | Row::Drive(_) | Row::Track(..) | Row::Settings(..)) | None => Derived::Nothing,
    };
    Ok((derived, work))
}

/// What is loaded for rows at most.
#[derive(Clone, Copy)]
struct Bounds {
    bytes: u64,
    changes: u64,
    /// A few dozen bytes can stand for thousands, and each takes Automerge up to 5 µs.
    ops: u64,
}

impl Bounds {
    fn of(kind: DocKind) -> Bounds {
        match kind {
            // One operation for each person, or for a sixteenth of all that was ever said of things; and one change for each.
            DocKind::Social => Bounds { bytes: 8 << 20, changes: 40_000, ops: 40_000 },
            // A car's logbook has one change for each entry, a meet one for each edit.
            DocKind::Car | DocKind::Meet => Bounds { bytes: 2 << 20, changes: 4_000, ops: 20_000 },
            // Ten times a published drive of ten hours, which has one change, one for each edit of its title, and one
            // operation for each minute; and much more than the others hold.
            DocKind::Settings | DocKind::Profile | DocKind::Drive | DocKind::Track | DocKind::Published => {
                Bounds { bytes: 1 << 20, changes: 1_000, ops: 10_000 }
            }
        }
    }
}

struct Folded {
    /// None if the document says too little for one.
    row: Option<Row>,
    /// The change since which a profile claims its handle.
    claim: Option<ChangeHash>,
    /// What everybody may know of the road of a published drive.
    trace: Option<Vec<u8>>,
    ops: u64,
}

fn fold(kind: DocKind, chunks: &[Vec<u8>], bounds: Bounds) -> Result<Folded, Quarantine> {
    let ops_of = |chunk: &Vec<u8>| snapshot::ops_of(chunk).ok_or(Quarantine::Unreadable);
    let ops = chunks.iter().map(ops_of).try_fold(0, |sum, ops| Ok(sum + ops?))?;
    if ops > bounds.ops {
        return Err(Quarantine::TooLarge);
    }
    // Nothing is ever written as this actor.
    let doc = open::load(&[0; 16], chunks.iter().map(Vec::as_slice)).map_err(|_| Quarantine::Unreadable)?;
    let claim = if kind == DocKind::Profile { claim(&doc) } else { None };
    let row = projection::fold(kind, &doc);
    let trace = match &row {
        Some(Row::Published(row)) if row.visibility == Visibility::Public => trace(row),
        Some(
            Row::Published(_)
            | Row::Settings(..)
            | Row::Profile(_)
            | Row::Car(..)
            | Row::Drive(_)
            | Row::Track(..)
            | Row::Social(_)
            | Row::Meet(_),
        )
        | None => None,
    };
    Ok(Folded { row, claim, trace, ops })
}

/// What a drive tells of its road; nothing if none of it was measured well enough.
fn trace(row: &PublishedRow) -> Option<Vec<u8>> {
    let parts = parts(&decode_all(row.blocks.iter().map(|block| block.as_slice())).stretches);
    let trace = Trace::of(&Survey::of(parts.iter().flat_map(|part| &part.fixes)));
    (!trace.is_empty()).then(|| trace.encode())
}

fn own_drive(account: AccountId, doc: DocId, fields: DriveFields) -> OwnDrive {
    OwnDrive {
        account,
        doc,
        title: shortened(&fields.title),
        car: fields.car,
        started_at: fields.started_at,
        ended_at: fields.ended_at,
        stats: fields.stats.as_ref().map(json),
        figures: Figures::of(fields.started_at, fields.stats.as_ref()),
        visibility: fields.visibility,
        published: fields.published,
    }
}

/// What counts of what a document says: everything has one document in which it is said.
fn own_words(account: AccountId, doc: DocId, row: SocialRow) -> SocialRow {
    if doc == social::people(&account) {
        let SocialRow { follows, accepted, blocked, .. } = row;
        // Nobody has to do with themselves.
        let others = |accounts: Vec<AccountId>| accounts.into_iter().filter(|other| *other != account).collect();
        let follows = follows.into_iter().filter(|(followee, _)| *followee != account).collect();
        return SocialRow { follows, accepted: others(accepted), blocked: others(blocked), ..SocialRow::default() };
    }
    let is_here = |thing: &DocId| social::about(&account, thing) == doc;
    SocialRow {
        reactions: row.reactions.into_iter().filter(|(drive, _)| is_here(drive)).collect(),
        comments: row.comments.into_iter().filter(|(_, comment)| is_here(&comment.drive)).collect(),
        rsvps: row.rsvps.into_iter().filter(|(meet, ..)| is_here(meet)).collect(),
        ..SocialRow::default()
    }
}

fn published(
    account: AccountId,
    doc: DocId,
    revision: u64,
    received_at: Timestamp,
    row: PublishedRow,
    trace: Option<Vec<u8>>,
) -> Derived {
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
        figures: Figures::of(row.started_at, Some(&row.stats)),
        bbox: row.bbox,
        line: json(&thinned(&row.line)),
        trace,
    };
    Derived::Published(Box::new(drive), row.blocks.into_iter().map(Vec::from).collect())
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
