//! Derives the rows that others may read, in the transaction that stores the change they come from.
//!
//! The only place of the relay where Automerge loads a document. What was pushed passed core's scan, but Automerge may
//! still panic over it: then the panic stays here, and the document goes into quarantine. Its changes are kept and synced
//! all the same, and it is never loaded again; so is one that is larger than anything that is shown: every push to a
//! document loads all of it, and writers of others wait meanwhile. What was read of it last stays shown, so that nobody is
//! let in by it; only words that narrow that are heard, each off its change alone. `[P13]`

mod fold;
mod rows;

use std::collections::BTreeSet;

use tourismo_core::docs::narrowing::{Narrowing, narrow_meet, narrow_social, narrowings};
use tourismo_core::docs::social::{self, SocialRow};
use tourismo_core::docs::{CarFields, LogItem};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::log::{DocLog, examine};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;

pub(super) use self::fold::Loaded;
use self::fold::{Bounds, Folded, History, Material, Since, dissolved, fold_all};
use self::rows::{About, rows};
use crate::db::change_log::{self, ChunksOf};
use crate::db::documents::{self, Quarantine};
use crate::db::drives::{self, OwnDrive};
use crate::db::feed::{self, FeedRow};
use crate::db::meets::{self, MeetPart};
use crate::db::profiles::{self, ProfileRecord, ProfileRow};
use crate::db::published::{self, DriveRecord};
use crate::db::sql::Connection;
use crate::db::{cars, comments, feed_items, follows, reactions, rsvps, snapshots, unbound};
use crate::live::{Event, FeedEvent};

/// Which version of the rows this derives. A server that finds another one derives all of them again.
pub(crate) const VERSION: u32 = 6;

/// The version of rows that are being derived again: not all of them are there.
pub(crate) const NO_VERSION: u32 = 0;

/// How much is folded in one go, so that what waits for its rows stays small: chunks, bytes; and documents.
const AT_ONCE_BYTES: usize = 1 << 20;
const AT_ONCE: usize = 64;

/// How many documents of one transaction stay loaded after their rows were derived.
const KEPT_LOADED: usize = 128;

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
    /// Others would find it by its id, which is not bound to its account: it might be another account's. `[B3]`
    NotShown,
    /// No row: it says too little, or nobody may see it.
    Nothing,
    /// What is there stays: it cannot be read.
    Quarantined(Quarantine),
}

impl Derived {
    /// How many rows it has.
    pub(crate) fn rows(&self) -> u64 {
        match self {
            Derived::Published(drive, _) => 1 + u64::from(drive.is_in_home_feeds()) + u64::from(drive.trace.is_some()),
            Derived::Profile(_) | Derived::Drive(_) | Derived::Meet(_) | Derived::NotShown => 1,
            Derived::Car(_, log) => 1 + log.len() as u64,
            Derived::Social(row) => {
                let people = row.follows.len() + row.accepted.len() + row.blocked.len() + row.unblocked.len();
                (people + row.reactions.len() + row.comments.len() + row.rsvps.len()) as u64
            }
            Derived::Nothing | Derived::Quarantined(_) => 0,
        }
    }
}

/// What it took to derive rows, as it was measured, in changes that could have been stored meanwhile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    pub(super) changes: u64,
}

/// A document whose rows are to be derived.
pub(crate) struct Due {
    pub(crate) id: DocId,
    pub(crate) owner: AccountId,
    pub(crate) kind: DocKind,
    /// The log position of its newest change.
    pub(crate) revision: u64,
    /// The log position of the first change that its rows do not have; none if all of it is derived anew.
    pub(crate) first: Option<u64>,
    /// The document as it was last folded, and the changes since, if that is remembered; otherwise it is read.
    pub(crate) before: Option<(Loaded, Vec<Vec<u8>>)>,
}

impl Due {
    /// A document of which nothing is remembered.
    pub(crate) fn unknown(id: DocId, doc: &DocLog, revision: u64) -> Due {
        Due { id, owner: doc.owner, kind: doc.kind, revision, first: None, before: None }
    }
}

/// A document whose rows were derived.
pub(crate) struct Projected {
    pub(crate) id: DocId,
    pub(crate) owner: AccountId,
    /// Whether it is in quarantine.
    pub(crate) is_quarantined: bool,
    /// The document as it was folded, of the first of many.
    pub(crate) loaded: Option<Loaded>,
    pub(crate) work: Work,
}

/// Folds documents and replaces their rows. One in quarantine is not to be folded: more changes make no document smaller or
/// easier to read. Says in `events` what looks different afterwards.
pub(crate) async fn project(
    writer: &mut Connection,
    due: Vec<Due>,
    events: &mut Vec<Event>,
) -> Result<Vec<Projected>, sqlx::Error> {
    let (mut due, mut projected) = (due.into_iter().peekable(), Vec::new());
    while due.peek().is_some() {
        let (mut these, mut bytes) = (Vec::new(), 0);
        while bytes < AT_ONCE_BYTES
            && these.len() < AT_ONCE
            && let Some(one) = due.next()
        {
            let (about, material) = gather(writer, one).await?;
            bytes += material.as_ref().map_or(0, |material| material.chunks.iter().map(Vec::len).sum());
            these.push((about, material));
        }
        let mut derived = derive_all(writer, these).await?;
        for outcome in &mut derived {
            if let (Some((why, _)), None) = (outcome.quarantine, outcome.subject.first) {
                let (through, rows) = last_good(writer, &outcome.subject, u64::MAX).await?;
                (outcome.quarantine, outcome.rows) = (Some((why, through)), rows);
            }
        }
        write_all(writer, derived, events, &mut projected).await?;
    }
    Ok(projected)
}

/// Whether rows are derived from documents of this kind.
pub(crate) fn has_rows(kind: DocKind) -> bool {
    match kind {
        DocKind::Profile | DocKind::Car | DocKind::Drive | DocKind::Published | DocKind::Social | DocKind::Meet => true,
        DocKind::Settings | DocKind::Track => false,
    }
}

/// What is to be derived from a document, whatever rows there are.
pub(crate) async fn derive(
    reader: &mut Connection,
    doc: &DocLog,
    id: DocId,
    revision: u64,
) -> Result<Derived, sqlx::Error> {
    if let Some(through) = documents::good_through(reader, doc.owner, id).await? {
        let subject = Subject { id, owner: doc.owner, kind: doc.kind, revision, first: None };
        return last_good(reader, &subject, through).await.map(|(_, rows)| rows);
    }
    let gathered = gather(reader, Due::unknown(id, doc, revision)).await?;
    let derived = derive_all(reader, vec![gathered]).await?.pop();
    Ok(derived.expect("one came of one").rows)
}

/// A document that is about to be folded.
struct Subject {
    id: DocId,
    owner: AccountId,
    kind: DocKind,
    revision: u64,
    first: Option<u64>,
}

/// What came of folding one.
struct Outcome {
    subject: Subject,
    loaded: Option<Loaded>,
    /// The rows that it has, where that is known.
    before: Option<Derived>,
    rows: Derived,
    /// Why it goes into quarantine, and up to which position its rows are derived.
    quarantine: Option<(Quarantine, u64)>,
    work: Work,
}

/// Brings together what a document consists of, if it is not too much.
async fn gather(reader: &mut Connection, due: Due) -> Result<(Subject, Result<Material, Quarantine>), sqlx::Error> {
    let Due { id, owner, kind, revision, first, before } = due;
    let subject = Subject { id, owner, kind, revision, first };
    if let Some((loaded, chunks)) = before {
        let changes = chunks.len() as u64;
        return Ok((subject, Ok(Material { kind, loaded, chunks, changes })));
    }
    let Bounds { bytes, changes, .. } = Bounds::of(kind);
    let material = match change_log::chunks(reader, owner, id, bytes, changes).await? {
        ChunksOf::Whole { received_at, is_from_snapshot, changes, chunks } => {
            let since = if is_from_snapshot { Since::Snapshot(received_at) } else { Since::Changes(received_at) };
            Ok(Material { kind, loaded: Loaded::empty(since), chunks, changes })
        }
        ChunksOf::TooMuch => Err(Quarantine::TooLarge),
    };
    Ok((subject, material))
}

async fn derive_all(
    reader: &mut Connection,
    gathered: Vec<(Subject, Result<Material, Quarantine>)>,
) -> Result<Vec<Outcome>, sqlx::Error> {
    let (mut subjects, mut befores, mut materials) = (Vec::new(), Vec::new(), Vec::new());
    for (subject, material) in gathered {
        let material = material.map(|mut material| {
            befores.push(material.loaded.rows.take());
            materials.push(material);
        });
        subjects.push((subject, material));
    }
    let (mut folded, mut befores) = (fold_all(materials).await?.into_iter(), befores.into_iter());
    let mut outcomes = Vec::with_capacity(subjects.len());
    for (subject, material) in subjects {
        let before = if material.is_ok() { befores.next().flatten() } else { None };
        let (folded, work) = match material {
            Ok(()) => folded.next().expect("each was folded"),
            Err(why) => (Err(why), Work::default()),
        };
        outcomes.push(match folded {
            Ok(folded) => {
                let (loaded, rows) = rows_of(reader, &subject, folded).await?;
                Outcome { subject, loaded: Some(loaded), before, rows, quarantine: None, work }
            }
            Err(why) => {
                let through = subject.first.map_or(0, |first| first.saturating_sub(1));
                let (rows, quarantine) = (Derived::Quarantined(why), Some((why, through)));
                Outcome { subject, loaded: None, before, rows, quarantine, work }
            }
        });
    }
    Ok(outcomes)
}

/// The rows of a document that was folded.
async fn rows_of(reader: &mut Connection, subject: &Subject, folded: Folded) -> Result<(Loaded, Derived), sqlx::Error> {
    let Subject { id, owner, revision, .. } = *subject;
    let Folded { loaded, row, claim, history, trace } = folded;
    let claimed_at = match claim {
        Some(change) => change_log::received_at(reader, owner, id, change).await?,
        None => Timestamp(0),
    };
    let received_at = loaded.received_at();
    let (shown_at, updated_at) = times(reader, owner, id, &history, received_at).await?;
    let about = About { owner, doc: id, revision, received_at, claimed_at, shown_at, updated_at };
    let rows = rows(about, row, trace);
    if is_found_by_id(&rows) && !unbound::may_show(reader, owner, id).await? {
        return Ok((loaded, Derived::NotShown));
    }
    Ok((loaded, rows))
}

/// What is shown of a document in quarantine: what its first changes up to a position say, as many of them as can be read,
/// made narrower by those that come after. Says with it the position of the last one that was read.
async fn last_good(reader: &mut Connection, subject: &Subject, through: u64) -> Result<(u64, Derived), sqlx::Error> {
    let Subject { id, owner, kind, .. } = *subject;
    let Bounds { bytes, changes: max_changes, .. } = Bounds::of(kind);
    let snapshot = snapshots::find(reader, owner, id).await?;
    let covered = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
    // A snapshot holds every change as it came, also those that are too many.
    let mut changes = match &snapshot {
        Some(snapshot) => {
            let positions = change_log::positions(reader, owner, id, covered).await?;
            dissolved(snapshot.chunk.clone(), positions).await?
        }
        None => Vec::new(),
    };
    let loose = change_log::first_chunks(reader, owner, id, (covered, through), bytes, max_changes).await?;
    let since = match (&snapshot, loose.first()) {
        (Some(snapshot), _) => Since::Snapshot(snapshot.first_at),
        (None, first) => Since::Changes(first.map_or(Timestamp(0), |(_, received_at, _)| *received_at)),
    };
    changes.extend(loose.into_iter().map(|(seq, _, chunk)| (seq, chunk)));
    let most = changes.iter().take_while(|(seq, _)| *seq <= through).count().min(max_changes as usize);
    let (mut good, mut too_many, mut count, mut best) = (0, most + 1, most, None);
    while good < count && count < too_many {
        let chunks: Vec<Vec<u8>> = changes[..count].iter().map(|(_, chunk)| chunk.clone()).collect();
        let material = Material { kind, loaded: Loaded::empty(since), chunks, changes: count as u64 };
        match fold_all(vec![material]).await?.pop() {
            Some((Ok(folded), _)) => (good, best) = (count, Some(folded)),
            Some((Err(_), _)) | None => too_many = count,
        }
        count = good.midpoint(too_many);
    }
    let read_through = good.checked_sub(1).map_or(0, |last| changes[last].0);
    let rows = match best {
        Some(folded) => {
            let subject = Subject { id, owner, kind, revision: read_through, first: None };
            rows_of(reader, &subject, folded).await?.1
        }
        None if kind == DocKind::Social => Derived::Social(SocialRow::default()),
        None => Derived::Nothing,
    };
    let mut later: Vec<Vec<u8>> =
        changes.into_iter().filter(|(seq, _)| *seq > read_through && *seq <= covered).map(|(_, chunk)| chunk).collect();
    let after = read_through.max(covered);
    later.extend(change_log::short_chunks_after(reader, owner, id, after, MAX_NARROWING_BYTES, max_changes).await?);
    let narrowings = narrowings_of(kind, later.iter().map(Vec::as_slice));
    Ok((read_through, narrowed(owner, id, rows, &narrowings)))
}

/// The largest change to a document in quarantine that is looked at, bytes. A phone that says one thing takes some 150.
const MAX_NARROWING_BYTES: usize = 1 << 10;

/// What changes to a document in quarantine take back.
fn narrowings_of<'c>(kind: DocKind, chunks: impl IntoIterator<Item = &'c [u8]>) -> Vec<Narrowing> {
    let short = chunks.into_iter().filter(|chunk| chunk.len() <= MAX_NARROWING_BYTES);
    short.filter_map(|chunk| Some(narrowings(kind, &examine(chunk).ok()?, chunk))).flatten().collect()
}

/// Rows made narrower.
fn narrowed(owner: AccountId, id: DocId, mut rows: Derived, narrowings: &[Narrowing]) -> Derived {
    for narrowing in narrowings {
        // Whom one blocks is said in one document, and nobody blocks themselves.
        let is_elsewhere = |blocked: &AccountId| *blocked == owner || id != social::people(&owner);
        match (&mut rows, narrowing) {
            (Derived::Social(_), Narrowing::Block(blocked)) if is_elsewhere(blocked) => {}
            (Derived::Social(row), narrowing) => narrow_social(row, narrowing),
            (Derived::Profile(profile), Narrowing::AskAboutFollowers) => profile.by_approval = true,
            (Derived::Meet(part), narrowing) => narrow_meet(&mut part.row, narrowing),
            (Derived::Published(..) | Derived::NotShown, Narrowing::Withdraw) => rows = Derived::Nothing,
            (
                Derived::Published(..)
                | Derived::Profile(_)
                | Derived::Drive(_)
                | Derived::Car(..)
                | Derived::NotShown
                | Derived::Nothing
                | Derived::Quarantined(_),
                _,
            ) => {}
        }
    }
    rows
}

/// Makes what is shown of a document in quarantine narrower, if these changes say so. `[P13]`
pub(crate) async fn narrow(
    writer: &mut Connection,
    doc: &DocLog,
    id: DocId,
    chunks: &[&[u8]],
    events: &mut Vec<Event>,
) -> Result<(), sqlx::Error> {
    let narrowings = narrowings_of(doc.kind, chunks.iter().copied());
    if narrowings.is_empty() {
        return Ok(());
    }
    let before = stored(writer, doc, id).await?;
    let rows = narrowed(doc.owner, id, stored(writer, doc, id).await?, &narrowings);
    if rows == before {
        return Ok(());
    }
    let subject = Subject { id, owner: doc.owner, kind: doc.kind, revision: 0, first: None };
    let work = Work::default();
    let outcome = Outcome { subject, loaded: None, before: Some(before), rows, quarantine: None, work };
    write_all(writer, vec![outcome], events, &mut Vec::new()).await
}

/// When a published drive became visible as it is, to the hour, and when it was last changed: to the hour, too, and for each
/// change after the first a second later, so that every change makes it newer and none tells the time of day.
async fn times(
    reader: &mut Connection,
    owner: AccountId,
    id: DocId,
    history: &History,
    received_at: Timestamp,
) -> Result<(Timestamp, Timestamp), sqlx::Error> {
    let mut shown_at = received_at;
    if let Some(change) = history.shown {
        shown_at = shown_at.max(change_log::received_at(reader, owner, id, change).await?);
    }
    let mut changed_at = shown_at;
    for head in &history.heads {
        changed_at = changed_at.max(change_log::received_at(reader, owner, id, *head).await?);
    }
    let later_ms = 1_000 * i64::from(history.changes.saturating_sub(1));
    Ok((shown_at.floor_to_hour(), changed_at.floor_to_hour() + later_ms))
}

/// Whether what is derived from a document is found by the document's id alone.
fn is_found_by_id(rows: &Derived) -> bool {
    match rows {
        Derived::Published(..) => true,
        Derived::Meet(part) => part.row.amends.is_none(),
        Derived::Profile(_)
        | Derived::Drive(_)
        | Derived::Car(..)
        | Derived::Social(_)
        | Derived::NotShown
        | Derived::Nothing
        | Derived::Quarantined(_) => false,
    }
}

async fn write_all(
    writer: &mut Connection,
    outcomes: Vec<Outcome>,
    events: &mut Vec<Event>,
    projected: &mut Vec<Projected>,
) -> Result<(), sqlx::Error> {
    // Most of what is written is of these, one row each, which nothing else depends on.
    let (mut drives, mut cars) = (Vec::new(), Vec::new());
    for Outcome { subject, before, rows, quarantine, .. } in &outcomes {
        let Subject { id, owner, kind, .. } = *subject;
        if let Some((why, through)) = quarantine {
            tracing::warn!(account = %owner, doc = %id, why = why.name(), "a document is in quarantine");
            documents::quarantine(writer, owner, id, *why, *through).await?;
        }
        if matches!(kind, DocKind::Published | DocKind::Meet) && !matches!(rows, Derived::Quarantined(_)) {
            unbound::note(writer, owner, id, kind, *rows == Derived::NotShown).await?;
        }
        match (rows, before) {
            (Derived::Drive(_) | Derived::Car(..), Some(before)) if before == rows => {}
            (Derived::Drive(drive), _) => drives.push(&**drive),
            (Derived::Car(fields, log), before) => {
                let stored = match before {
                    Some(Derived::Car(_, log)) => log.clone(),
                    Some(_) => Vec::new(),
                    None => cars::logbook(writer, owner, id).await?,
                };
                cars::replace_log(writer, owner, id, &stored, log).await?;
                cars.push((owner, id, fields));
            }
            (Derived::Published(drive, blocks), before) => {
                let mut shown = None;
                if !matches!(before, Some(Derived::Nothing)) {
                    shown = shown_drive(writer, owner, id).await?;
                    published::remove(writer, owner, id).await?;
                }
                published::insert(writer, drive, blocks).await?;
                if shown_drive(writer, owner, id).await? != shown {
                    events.push(Event::Feed(FeedEvent::Item { owner, doc: id }));
                }
            }
            (Derived::Profile(profile), _) => {
                let before = shown_person(writer, owner).await?;
                profiles::replace(writer, profile).await?;
                // Its names stand beside what it shows, and whether followers must be accepted decides what they see.
                if shown_person(writer, owner).await? != before {
                    events.push(Event::Feed(FeedEvent::Everything { owner }));
                }
            }
            (Derived::Social(row), before) => write_social(writer, owner, id, before.as_ref(), row, events).await?,
            (Derived::Meet(part), _) => write_meet(writer, owner, id, Some(&**part), events).await?,
            // What was shown stays: without it people whom its account blocked, or asks about, would be let in.
            (Derived::Quarantined(_), _) => {}
            (Derived::Nothing | Derived::NotShown, before) => {
                remove(writer, kind, owner, id, before.as_ref(), events).await?;
            }
        }
    }
    drives::replace(writer, &drives).await?;
    cars::replace(writer, &cars).await?;
    for Outcome { subject, mut loaded, rows, quarantine, work, .. } in outcomes {
        if let Some(loaded) = &mut loaded {
            loaded.rows = is_remembered(&rows).then_some(rows);
        }
        let is_quarantined = quarantine.is_some();
        let loaded = loaded.filter(|_| projected.len() < KEPT_LOADED);
        projected.push(Projected { id: subject.id, owner: subject.owner, is_quarantined, loaded, work });
    }
    Ok(())
}

/// Whether what was derived of a document is all there is to know of its rows, and small.
fn is_remembered(rows: &Derived) -> bool {
    match rows {
        Derived::Drive(_) | Derived::Car(..) | Derived::Social(_) => true,
        // An account's profiles share a row; what counts of a meet is said by several; and a track is large.
        Derived::Profile(_) | Derived::Meet(_) | Derived::Published(..) => false,
        Derived::NotShown | Derived::Nothing | Derived::Quarantined(_) => false,
    }
}

async fn remove(
    writer: &mut Connection,
    kind: DocKind,
    owner: AccountId,
    id: DocId,
    before: Option<&Derived>,
    events: &mut Vec<Event>,
) -> Result<(), sqlx::Error> {
    let has_none = matches!(before, Some(Derived::Nothing));
    match kind {
        DocKind::Published => {
            if shown_drive(writer, owner, id).await?.is_some() {
                events.push(Event::Feed(FeedEvent::Item { owner, doc: id }));
            }
            published::remove(writer, owner, id).await
        }
        DocKind::Drive | DocKind::Car if has_none => Ok(()),
        DocKind::Drive => drives::remove(writer, owner, id).await,
        DocKind::Car => cars::remove(writer, owner, id).await,
        DocKind::Social => write_social(writer, owner, id, before, &SocialRow::default(), events).await,
        DocKind::Meet if has_none => Ok(()),
        DocKind::Meet => write_meet(writer, owner, id, None, events).await,
        // A profile is a row whatever it says; nothing was ever derived of one that has none.
        DocKind::Profile | DocKind::Settings | DocKind::Track => Ok(()),
    }
}

async fn write_social(
    writer: &mut Connection,
    owner: AccountId,
    id: DocId,
    before: Option<&Derived>,
    said: &SocialRow,
    events: &mut Vec<Event>,
) -> Result<(), sqlx::Error> {
    let stored = match before {
        Some(Derived::Social(row)) => row.clone(),
        Some(_) => SocialRow::default(),
        None => stored_social(writer, owner, id).await?,
    };
    if id == social::people(&owner) {
        let follows::Changed { follows, accepted, blocked } = follows::replace(writer, owner, &stored, said).await?;
        if follows || !blocked.is_empty() {
            events.push(Event::Feed(FeedEvent::Follows { account: owner }));
        }
        // One who does not follow sees no more and no less in their feed, whatever is said of them. Who is blocked is not told.
        for follower in follows::those_who_follow(writer, owner, &accepted).await? {
            events.push(Event::Feed(FeedEvent::Access { follower, owner }));
        }
        // What a co-organiser says counts only as long as the owner does not block them.
        for other in &blocked {
            for meet in meets::organised_by(writer, owner, *other).await? {
                meets::settle(writer, owner, meet).await?;
                events.extend([Event::Feed(FeedEvent::Item { owner, doc: meet }), Event::Meet { doc: meet }]);
            }
        }
        events.extend(blocked.into_iter().map(|viewer| Event::Block { owner, viewer }));
        return Ok(());
    }
    reactions::replace(writer, owner, id, &stored.reactions, &said.reactions).await?;
    comments::replace(writer, owner, id, &stored.comments, &said.comments).await?;
    let meets = rsvps::replace(writer, owner, id, &stored.rsvps, &said.rsvps).await?;
    events.extend(meets.into_iter().map(|doc| Event::Meet { doc }));
    Ok(())
}

/// Replaces what a document says of a meet, and makes anew what counts of the meets that it speaks of.
async fn write_meet(
    writer: &mut Connection,
    owner: AccountId,
    id: DocId,
    part: Option<&MeetPart>,
    events: &mut Vec<Event>,
) -> Result<(), sqlx::Error> {
    let before = meets::part(writer, owner, id).await?;
    match part {
        Some(part) => meets::replace_part(writer, owner, id, part).await?,
        None => meets::remove_part(writer, owner, id).await?,
    }
    let subjects = [before.as_ref(), part].into_iter().flatten().map(|part| part.row.amends);
    for amended in subjects.collect::<BTreeSet<_>>() {
        let (host, meet) = match amended {
            None => (owner, id),
            // Of a meet that is not there yet, an amendment is looked up when it comes.
            Some(meet) => match meets::owner(writer, meet).await? {
                Some(host) => (host, meet),
                None => continue,
            },
        };
        let is_in_feeds = feed_items::find(writer, host, meet).await?.is_some();
        // What somebody says who may not change it is kept, and changes nothing.
        if !meets::settle(writer, host, meet).await? {
            continue;
        }
        events.push(Event::Meet { doc: meet });
        if is_in_feeds || feed_items::find(writer, host, meet).await?.is_some() {
            events.push(Event::Feed(FeedEvent::Item { owner: host, doc: meet }));
        }
    }
    Ok(())
}

/// A person as their names stand beside what they show, and whether followers must be accepted.
async fn shown_person(writer: &mut Connection, owner: AccountId) -> Result<Option<ProfileRow>, sqlx::Error> {
    let profile = profiles::find(writer, owner).await?;
    Ok(profile.map(|profile| ProfileRow { bio: String::new(), ..profile }))
}

/// A published drive as followers find it in their feeds, if they do.
async fn shown_drive(writer: &mut Connection, owner: AccountId, id: DocId) -> Result<Option<FeedRow>, sqlx::Error> {
    match feed_items::find(writer, owner, id).await? {
        Some(_) => feed::find(writer, owner, id).await,
        None => Ok(None),
    }
}

/// What was derived from a document, as its rows say.
pub(crate) async fn stored(reader: &mut Connection, doc: &DocLog, id: DocId) -> Result<Derived, sqlx::Error> {
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
    match derived {
        Some(derived) => Ok(derived),
        None if unbound::is_noted(reader, owner, id).await? => Ok(Derived::NotShown),
        None => Ok(Derived::Nothing),
    }
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
