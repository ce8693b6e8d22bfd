//! The table `meet_part`, the content of each meet document, and how the tables `meet` and `meet_organiser` derive from it:
//! what counts of the documents of several accounts, and what of it everybody sees.

use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::meet::{self, Area, EffectiveMeet, ExactPlace, MeetRow};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;

use super::feed_items::{self, FeedItem};
use super::meets::{self, HiddenFields, MeetRecord};
use super::sql::{self, Bulk, Columns, Connection, Insert, columns, one_column};
use super::{doc_in, follows};
use crate::domain::grid::Bounds;

/// The content of one document of a meet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MeetPart {
    pub(crate) row: MeetRow,
    /// When the relay received its first change.
    pub(crate) received_at: Timestamp,
}

/// An effective meet with everything that derives from its documents.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SettledMeet {
    pub(crate) meet: MeetRecord,
    pub(crate) hidden: HiddenFields,
    /// The co-organisers, ascending.
    pub(crate) organisers: Vec<AccountId>,
}

/// What settling a meet changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SettledChange {
    Nothing,
    /// Fields that not everybody sees.
    Hidden,
    /// Fields that everybody sees who sees the meet.
    Shown,
}

one_column!(MeetRow, Bytes, |row| minicbor::to_vec(row).expect("writing to memory cannot fail"), |bytes: Vec<u8>| {
    minicbor::decode(&bytes).ok()
});
columns!(MeetPart { row: "part", received_at });

static REPLACE_PART: LazyLock<Insert> = LazyLock::new(|| {
    Insert::or_replace("meet_part", &[vec!["account", "doc"], MeetPart::list(), vec!["found_by"]].concat(), 2)
});
static INSERT: LazyLock<Insert> = LazyLock::new(|| {
    Insert::into("meet", &[MeetRecord::list(), HiddenFields::list(), vec!["cell", "wide_cell"]].concat())
});

impl SettledMeet {
    fn new(account: AccountId, doc: DocId, part: &MeetPart, effective: EffectiveMeet) -> SettledMeet {
        let EffectiveMeet { fields, sequence, changed_at, shown_changes, shown_changed_at } = effective;
        let sort_at = part.received_at.floor_to_hour();
        let later_ms = 1_000 * i64::from(shown_changes.saturating_sub(1));
        let (place, position, hidden) = match fields.exact_place {
            ExactPlace::Everyone => {
                (fields.place, fields.position, HiddenFields { changed_at, place: String::new(), lon: None, lat: None })
            }
            ExactPlace::Day | ExactPlace::Attendees | ExactPlace::Organisers => {
                let [lon, lat] = [0, 1].map(|index| fields.position.map(|position| position[index]));
                let area = fields.position.map(|position| Area::around(position).middle());
                (String::new(), area, HiddenFields { changed_at, place: fields.place, lon, lat })
            }
        };
        let meet = MeetRecord {
            account,
            doc,
            sequence: sequence.into(),
            updated_at: shown_changed_at.floor_to_hour().max(sort_at) + later_ms,
            sort_at,
            title: fields.title,
            text: fields.text,
            place,
            position,
            exact_place: fields.exact_place,
            starts_at: fields.starts_at,
            ends_at: fields.ends_at,
            time_zone: fields.time_zone,
            capacity: fields.capacity,
            visibility: fields.visibility,
            is_cancelled: fields.cancelled,
        };
        let organisers = part.row.organisers.iter().filter(|(_, may)| *may).map(|(account, _)| *account).collect();
        SettledMeet { meet, hidden, organisers }
    }

    /// Returns the number of its rows.
    pub(crate) fn rows(&self) -> u64 {
        1 + u64::from(self.meet.feed_item().is_some()) + self.organisers.len() as u64
    }
}

impl MeetRecord {
    /// Returns the numbers of the narrow and the wide square that contain it.
    fn cells(&self) -> (Option<i64>, Option<i64>) {
        let home = |[lon, lat]: [f64; 2]| Bounds { west: lon, south: lat, east: lon, north: lat }.home();
        self.position.map(home).unzip()
    }

    fn feed_item(&self) -> Option<FeedItem> {
        let MeetRecord { account, doc, sort_at, visibility, .. } = *self;
        FeedItem::new(account, doc, sort_at, visibility, DocKind::Meet)
    }
}

/// Returns the derived content of a document of a meet, if it has any.
pub(crate) async fn part(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<MeetPart>, sqlx::Error> {
    let sql = format!("SELECT {} FROM meet_part WHERE account = $1 AND doc = $2", MeetPart::of("meet_part"));
    let row = sql::query(AssertSqlSafe(sql)).bind(account).bind(doc).row(reader).await?;
    row.as_ref().map(MeetPart::from_row).transpose()
}

/// Returns the document of the meet with this public id; of two documents with the same link the first.
async fn part_found_by(
    reader: &mut Connection,
    account: AccountId,
    meet: DocId,
) -> Result<Option<MeetPart>, sqlx::Error> {
    let columns = MeetPart::of("meet_part");
    let sql = format!("SELECT {columns} FROM meet_part WHERE account = $1 AND found_by = $2 ORDER BY doc LIMIT 1");
    let row = sql::query(AssertSqlSafe(sql)).bind(account).bind(meet).row(reader).await?;
    row.as_ref().map(MeetPart::from_row).transpose()
}

/// Returns the document of the meet with this public id.
pub(crate) async fn document_found_by(
    reader: &mut Connection,
    account: AccountId,
    meet: DocId,
) -> Result<Option<DocId>, sqlx::Error> {
    let sql = "SELECT doc FROM meet_part WHERE account = $1 AND found_by = $2 ORDER BY doc LIMIT 1";
    let row = sql::query(sql).bind(account).bind(meet).row(reader).await?;
    row.map(|row| doc_in(&row, "doc")).transpose()
}

/// Inserts or replaces the content of a document of a meet.
pub(crate) async fn replace_part(
    writer: &mut Connection,
    account: AccountId,
    doc: DocId,
    part: &MeetPart,
) -> Result<(), sqlx::Error> {
    let mut bulk = REPLACE_PART.rows();
    let found_by = part.row.link_id(&account, &doc);
    bulk.row([account.into(), doc.into()].into_iter().chain(part.values()).chain([found_by.into()]));
    bulk.execute(writer).await.map(drop)
}

/// Removes the content of a document of a meet, if it has any.
pub(crate) async fn remove_part(writer: &mut Connection, account: AccountId, doc: DocId) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM meet_part WHERE account = $1 AND doc = $2";
    sql::query(sql).bind(account).bind(doc).execute(writer).await.map(drop)
}

/// Returns the effective meet with this public id, computed from its documents.
pub(crate) async fn effective(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<SettledMeet>, sqlx::Error> {
    let Some(own) = part_found_by(reader, account, doc).await? else { return Ok(None) };
    let mut amendments = Vec::new();
    let organisers: Vec<AccountId> = own.row.organisers.iter().map(|(organiser, _)| *organiser).collect();
    let blocked = follows::blocked_among(reader, account, &organisers).await?;
    for organiser in organisers.iter().filter(|organiser| !blocked.contains(*organiser)) {
        // An amendment by an account that the owner blocks does not count. An account has one document for its
        // amendment of a meet.
        let amendment = part(reader, *organiser, meet::amendment(organiser, &doc)).await?;
        amendments.extend(amendment.map(|part| (*organiser, part.row)));
    }
    let amendments: Vec<_> = amendments.iter().map(|(account, row)| (*account, row)).collect();
    let effective = meet::effective(doc, &own.row, &amendments);
    Ok(effective.map(|effective| SettledMeet::new(account, doc, &own, effective)))
}

/// Writes the effective meet; returns what changed.
pub(crate) async fn settle(
    writer: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<SettledChange, sqlx::Error> {
    let (stored, effective) = (stored(writer, account, doc).await?, effective(writer, account, doc).await?);
    if stored.is_some() && stored == effective {
        return Ok(SettledChange::Nothing);
    }
    feed_items::remove(writer, account, doc).await?;
    let mut removed = 0;
    for sql in [
        "DELETE FROM meet_organiser WHERE account = $1 AND doc = $2",
        "DELETE FROM meet WHERE account = $1 AND doc = $2",
    ] {
        removed += sql::query(sql).bind(account).bind(doc).execute(writer).await?;
    }
    let Some(SettledMeet { meet, hidden, organisers }) = effective else {
        return Ok(if removed > 0 { SettledChange::Shown } else { SettledChange::Nothing });
    };
    insert(writer, &meet, &hidden).await?;
    let mut bulk = Bulk::new("INSERT INTO meet_organiser (account, doc, organiser) VALUES ", "");
    organisers.iter().for_each(|organiser| bulk.row([account.into(), doc.into(), (*organiser).into()]));
    bulk.execute(writer).await?;
    if let Some(item) = meet.feed_item() {
        feed_items::insert(writer, &item).await?;
    }
    let looks_the_same = stored.is_some_and(|stored| stored.meet == meet && stored.organisers == organisers);
    Ok(if looks_the_same { SettledChange::Hidden } else { SettledChange::Shown })
}

async fn insert(writer: &mut Connection, meet: &MeetRecord, hidden: &HiddenFields) -> Result<(), sqlx::Error> {
    let (cell, wide_cell) = meet.cells();
    let mut bulk = INSERT.rows();
    bulk.row(meet.values().into_iter().chain(hidden.values()).chain([cell.into(), wide_cell.into()]));
    bulk.execute(writer).await.map(drop)
}

/// Returns the derived effective meet; `None` if it does not exist, or if it is not where followers and neighbours find
/// it.
pub(crate) async fn stored(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<SettledMeet>, sqlx::Error> {
    let sql = format!(
        "SELECT {}, {}, cell, wide_cell FROM meet WHERE account = $1 AND doc = $2",
        MeetRecord::columns(),
        HiddenFields::of("meet")
    );
    let Some(row) = sql::query(AssertSqlSafe(sql)).bind(account).bind(doc).row(reader).await? else { return Ok(None) };
    let (meet, hidden) = (MeetRecord::read(&row)?, HiddenFields::from_row(&row)?);
    let is_in_place = meet.cells() == (row.get("cell")?, row.get("wide_cell")?)
        && feed_items::find(reader, account, doc).await? == meet.feed_item();
    let organisers = meets::organisers(reader, account, doc).await?;
    Ok(is_in_place.then_some(SettledMeet { meet, hidden, organisers }))
}
