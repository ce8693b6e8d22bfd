//! The tables `meet_part`, `meet` and `meet_organiser`: the content of each meet document, and the effective meets.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::Visibility;
use tourismo_core::docs::meet::{self, EffectiveMeet, MeetRow};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;

use super::feed::Author;
use super::feed_items::{self, FeedItem};
use super::sql::{self, Bulk, Columns, Connection, Insert, SqlRow, columns, one_column};
use super::{account_in, column, doc_in, follows, position};
use crate::domain::grid::Bounds;

/// The content of one document of a meet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MeetPart {
    pub(crate) row: MeetRow,
    /// When the relay received its first change.
    pub(crate) received_at: Timestamp,
}

/// An effective meet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MeetRecord {
    pub(crate) account: AccountId,
    /// The id by which others find it.
    pub(crate) doc: DocId,
    pub(crate) sequence: u64,
    pub(crate) changed_at: Timestamp,
    pub(crate) sort_at: Timestamp,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) place: String,
    /// Longitude, latitude, degrees.
    pub(crate) position: Option<[f64; 2]>,
    pub(crate) starts_at: Timestamp,
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) time_zone: String,
    pub(crate) capacity: Option<u32>,
    pub(crate) visibility: Visibility,
    pub(crate) is_cancelled: bool,
}

/// Prefix of a meet's columns beside other columns.
const PREFIX: &str = "meet_";

columns!(MeetRecord {
    account,
    doc,
    sequence,
    changed_at,
    sort_at,
    title,
    text,
    place,
    position,
    starts_at,
    ends_at,
    time_zone,
    capacity,
    visibility,
    is_cancelled
});

one_column!(MeetRow, Bytes, |row| minicbor::to_vec(row).expect("writing to memory cannot fail"), |bytes: Vec<u8>| {
    minicbor::decode(&bytes).ok()
});
columns!(MeetPart { row: "part", received_at });

static REPLACE_PART: LazyLock<Insert> = LazyLock::new(|| {
    Insert::or_replace("meet_part", &[vec!["account", "doc"], MeetPart::list(), vec!["found_by"]].concat(), 2)
});
static INSERT: LazyLock<Insert> =
    LazyLock::new(|| Insert::into("meet", &[MeetRecord::list(), vec!["cell", "wide_cell"]].concat()));

impl MeetRecord {
    /// Returns the columns that [`read`](MeetRecord::read) reads, of a table or alias `meet`.
    pub(crate) fn columns() -> String {
        MeetRecord::of_as("meet", PREFIX)
    }

    /// Reads a meet from a row that has other columns of the same names.
    pub(crate) fn read(row: &SqlRow) -> Result<MeetRecord, sqlx::Error> {
        Columns::read(row, PREFIX, "")
    }

    fn new(account: AccountId, doc: DocId, part: &MeetPart, meet: EffectiveMeet) -> MeetRecord {
        let EffectiveMeet { fields, sequence, changed_at } = meet;
        MeetRecord {
            account,
            doc,
            sequence: sequence.into(),
            changed_at,
            sort_at: part.received_at,
            title: fields.title,
            text: fields.text,
            place: fields.place,
            position: fields.position,
            starts_at: fields.starts_at,
            ends_at: fields.ends_at,
            time_zone: fields.time_zone,
            capacity: fields.capacity,
            visibility: fields.visibility,
            is_cancelled: fields.cancelled,
        }
    }

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

/// Returns the effective meet with this public id, computed from its documents, with its co-organisers.
pub(crate) async fn effective(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<(MeetRecord, Vec<AccountId>)>, sqlx::Error> {
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
    let Some(effective) = meet::effective(doc, &own.row, &amendments) else { return Ok(None) };
    let organisers = own.row.organisers.iter().filter(|(_, may)| *may).map(|(account, _)| *account).collect();
    Ok(Some((MeetRecord::new(account, doc, &own, effective), organisers)))
}

/// Writes the effective meet; returns whether it changed.
pub(crate) async fn settle(writer: &mut Connection, account: AccountId, doc: DocId) -> Result<bool, sqlx::Error> {
    let (stored, effective) = (stored(writer, account, doc).await?, effective(writer, account, doc).await?);
    if stored.is_some() && stored == effective {
        return Ok(false);
    }
    feed_items::remove(writer, account, doc).await?;
    let mut removed = 0;
    for sql in [
        "DELETE FROM meet_organiser WHERE account = $1 AND doc = $2",
        "DELETE FROM meet WHERE account = $1 AND doc = $2",
    ] {
        removed += sql::query(sql).bind(account).bind(doc).execute(writer).await?;
    }
    let Some((meet, organisers)) = effective else { return Ok(removed > 0) };
    insert(writer, &meet).await?;
    let mut bulk = Bulk::new("INSERT INTO meet_organiser (account, doc, organiser) VALUES ", "");
    organisers.into_iter().for_each(|organiser| bulk.row([account.into(), doc.into(), organiser.into()]));
    bulk.execute(writer).await?;
    if let Some(item) = meet.feed_item() {
        feed_items::insert(writer, &item).await?;
    }
    Ok(true)
}

async fn insert(writer: &mut Connection, meet: &MeetRecord) -> Result<(), sqlx::Error> {
    let (cell, wide_cell) = meet.cells();
    let mut bulk = INSERT.rows();
    bulk.row(meet.values().into_iter().chain([cell.into(), wide_cell.into()]));
    bulk.execute(writer).await.map(drop)
}

/// Returns the meets of an owner that these accounts may change: up to `limit` for each few accounts.
pub(crate) async fn organised_by(
    reader: &mut Connection,
    owner: AccountId,
    organisers: &[AccountId],
    limit: usize,
) -> Result<Vec<DocId>, sqlx::Error> {
    let (mut rest, mut meets) = (organisers, BTreeSet::new());
    while let Some(count) = sql::group(rest.len()).filter(|_| meets.len() < limit) {
        let (these, others) = rest.split_at(count);
        rest = others;
        let organisers = sql::parameters(2, count);
        let sql = format!(
            "SELECT DISTINCT doc FROM meet_organiser WHERE account = $1 AND organiser IN ({organisers}) ORDER BY doc LIMIT $2"
        );
        let query = sql::query(AssertSqlSafe(sql)).bind(owner).bind(column(limit as u64));
        let query = these.iter().fold(query, |query, organiser| query.bind(*organiser));
        meets.extend(query.rows(reader, |row| doc_in(row, "doc")).await?);
    }
    Ok(meets.into_iter().collect())
}

/// Returns up to `limit` meets of an owner after one that have present or former co-organisers, ascending.
pub(crate) async fn organised_after(
    reader: &mut Connection,
    owner: AccountId,
    after: DocId,
    limit: u32,
) -> Result<Vec<DocId>, sqlx::Error> {
    let sql = "SELECT DISTINCT doc FROM meet_organiser WHERE account = $1 AND doc > $2 ORDER BY doc LIMIT $3";
    sql::query(sql).bind(owner).bind(after).bind(i64::from(limit)).rows(reader, |row| doc_in(row, "doc")).await
}

/// Returns the derived effective meet; `None` if it does not exist, or if it is not where followers and neighbours find
/// it.
pub(crate) async fn stored(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<(MeetRecord, Vec<AccountId>)>, sqlx::Error> {
    let sql = format!("SELECT {}, cell, wide_cell FROM meet WHERE account = $1 AND doc = $2", MeetRecord::columns());
    let Some(row) = sql::query(AssertSqlSafe(sql)).bind(account).bind(doc).row(reader).await? else { return Ok(None) };
    let meet = MeetRecord::read(&row)?;
    let is_in_place = meet.cells() == (row.get("cell")?, row.get("wide_cell")?)
        && feed_items::find(reader, account, doc).await? == meet.feed_item();
    let organisers = organisers(reader, account, doc).await?;
    Ok(is_in_place.then_some((meet, organisers)))
}

/// Returns the co-organisers of a meet, ascending.
pub(crate) async fn organisers(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Vec<AccountId>, sqlx::Error> {
    sql::query("SELECT organiser FROM meet_organiser WHERE account = $1 AND doc = $2 ORDER BY organiser")
        .bind(account)
        .bind(doc)
        .rows(reader, |row| account_in(row, "organiser"))
        .await
}

/// Returns the owner of a meet. No two accounts have a meet with the same id. `[B3]`
pub(crate) async fn owner(reader: &mut Connection, doc: DocId) -> Result<Option<AccountId>, sqlx::Error> {
    let row = sql::query("SELECT account FROM meet WHERE doc = $1").bind(doc).row(reader).await?;
    row.map(|row| account_in(&row, "account")).transpose()
}

/// Returns a meet of any visibility by its id: the caller must authorize the read.
pub(crate) async fn find(reader: &mut Connection, doc: DocId) -> Result<Option<(MeetRecord, Author)>, sqlx::Error> {
    let sql = format!(
        "SELECT {}, {} FROM meet LEFT JOIN profile ON profile.account = meet.account WHERE meet.doc = $1",
        MeetRecord::columns(),
        Author::COLUMNS
    );
    sql::query(AssertSqlSafe(sql)).bind(doc).row(reader).await?.map(|row| with_author(&row)).transpose()
}

/// A position in a list of meets.
pub(crate) type MeetKey = (Timestamp, DocId);

/// Returns up to `limit` meets of an account after a position, the latest first: public ones, and those for followers
/// if `with_followers`.
pub(crate) async fn of_person(
    reader: &mut Connection,
    account: AccountId,
    with_followers: bool,
    after: MeetKey,
    limit: u32,
) -> Result<Vec<(MeetRecord, Author)>, sqlx::Error> {
    let sql = format!(
        r#"
        SELECT {}, {} FROM meet LEFT JOIN profile ON profile.account = meet.account
        WHERE meet.account = $1 AND meet.visibility >= 2 AND meet.visibility <= $5
            AND (meet.starts_at, meet.doc) < ($2, $3)
        ORDER BY meet.starts_at DESC, meet.doc DESC LIMIT $4
        "#,
        MeetRecord::columns(),
        Author::COLUMNS
    );
    sql::query(AssertSqlSafe(sql))
        .bind(account)
        .bind(after.0)
        .bind(after.1)
        .bind(i64::from(limit))
        .bind(if with_followers { 3 } else { 2_i64 })
        .rows(reader, with_author)
        .await
}

/// Returns up to `limit` meets after a position, the latest first, that an account made, may change, or answered with
/// anything but no. They have any visibility: the caller must authorize each.
pub(crate) async fn mine(
    reader: &mut Connection,
    account: AccountId,
    after: MeetKey,
    limit: u32,
) -> Result<Vec<(MeetRecord, Author)>, sqlx::Error> {
    let sql = format!(
        r#"
        SELECT {}, {} FROM meet LEFT JOIN profile ON profile.account = meet.account
        WHERE meet.doc IN (
            SELECT own.doc FROM meet own WHERE own.account = $1
            UNION SELECT meet_organiser.doc FROM meet_organiser WHERE meet_organiser.organiser = $1
            UNION SELECT rsvp.meet FROM rsvp WHERE rsvp.account = $1 AND rsvp.answer < 2
        ) AND (meet.starts_at, meet.doc) < ($2, $3)
        ORDER BY meet.starts_at DESC, meet.doc DESC LIMIT $4
        "#,
        MeetRecord::columns(),
        Author::COLUMNS
    );
    sql::query(AssertSqlSafe(sql))
        .bind(account)
        .bind(after.0)
        .bind(after.1)
        .bind(i64::from(limit))
        .rows(reader, with_author)
        .await
}

pub(super) fn with_author(row: &SqlRow) -> Result<(MeetRecord, Author), sqlx::Error> {
    Ok((MeetRecord::read(row)?, Author::read(row)?))
}

/// Returns the number of public meets.
pub(crate) async fn count_public(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM meet WHERE visibility = 2").fetch_one(reader).await?)
}

/// Returns the number of parts, and of meets with their co-organisers.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    let sql = r#"
        SELECT (SELECT COUNT(*) FROM meet_part) + (SELECT COUNT(*) FROM meet) + (SELECT COUNT(*) FROM meet_organiser)
    "#;
    position("count", sql::query_scalar(sql).fetch_one(reader).await?)
}

/// Removes all rows, so that they can be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    for sql in ["DELETE FROM meet_organiser", "DELETE FROM meet", "DELETE FROM meet_part"] {
        sql::query(sql).execute(writer).await?;
    }
    Ok(())
}

/// Returns the number of rows of an effective meet.
pub(crate) fn rows((meet, organisers): &(MeetRecord, Vec<AccountId>)) -> u64 {
    1 + u64::from(meet.feed_item().is_some()) + organisers.len() as u64
}
