//! The tables `meet` and `meet_organiser`: the effective meets, as others read them. [`super::meet_parts`] derives them.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::Visibility;
use tourismo_core::docs::meet::ExactPlace;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use super::feed::Author;
use super::sql::{self, Columns, Connection, SqlRow, columns, numbers};
use super::{account_in, column, doc_in, position};

/// An effective meet, as everybody sees it who sees the meet. `[W3]`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct MeetRecord {
    pub(crate) account: AccountId,
    /// The id by which others find it.
    pub(crate) doc: DocId,
    pub(crate) sequence: u64,
    /// When it was changed: the hour, and a second for each change after the first, so that every change makes it newer
    /// without revealing the time of day.
    pub(crate) updated_at: Timestamp,
    /// The hour in which the relay received it.
    pub(crate) sort_at: Timestamp,
    pub(crate) title: String,
    pub(crate) text: String,
    /// The name of the place; empty unless everyone sees the exact place.
    pub(crate) place: String,
    /// Longitude, latitude, degrees: the middle of the area unless everyone sees the exact place.
    pub(crate) position: Option<[f64; 2]>,
    pub(crate) exact_place: ExactPlace,
    pub(crate) starts_at: Timestamp,
    pub(crate) ends_at: Option<Timestamp>,
    pub(crate) time_zone: String,
    pub(crate) capacity: Option<u32>,
    pub(crate) visibility: Visibility,
    pub(crate) is_cancelled: bool,
}

/// The fields of an effective meet that not everybody sees. The caller must check who reads them. `[W2]`
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HiddenFields {
    /// When the newest field was set: for organisers.
    pub(crate) changed_at: Timestamp,
    /// The name of the exact place; empty if everyone sees it.
    pub(crate) place: String,
    /// Degrees; absent if everyone sees the exact place.
    pub(crate) lon: Option<f64>,
    pub(crate) lat: Option<f64>,
}

/// Prefix of a meet's columns beside other columns.
const PREFIX: &str = "meet_";

columns!(MeetRecord {
    account,
    doc,
    sequence,
    updated_at,
    sort_at,
    title,
    text,
    place,
    position,
    exact_place,
    starts_at,
    ends_at,
    time_zone,
    capacity,
    visibility,
    is_cancelled
});
columns!(HiddenFields { changed_at, place: "hidden_place", lon: "hidden_lon", lat: "hidden_lat" });
numbers!(ExactPlace { Everyone = 0, Day = 1, Attendees = 2, Organisers = 3 });

impl MeetRecord {
    /// Returns the columns that [`read`](MeetRecord::read) reads, of a table or alias `meet`.
    pub(crate) fn columns() -> String {
        MeetRecord::of_as("meet", PREFIX)
    }

    /// Reads a meet from a row that has other columns of the same names.
    pub(crate) fn read(row: &SqlRow) -> Result<MeetRecord, sqlx::Error> {
        Columns::read(row, PREFIX, "")
    }
}

impl HiddenFields {
    /// Returns the exact position: longitude and latitude, degrees.
    pub(crate) fn position(&self) -> Option<[f64; 2]> {
        Some([self.lon?, self.lat?])
    }
}

/// Returns the fields of a meet that not everybody sees: the caller must check that the viewer may.
pub(crate) async fn hidden_fields(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<HiddenFields>, sqlx::Error> {
    let sql = format!("SELECT {} FROM meet WHERE account = $1 AND doc = $2", HiddenFields::of("meet"));
    let row = sql::query(AssertSqlSafe(sql)).bind(account).bind(doc).row(reader).await?;
    row.map(|row| HiddenFields::from_row(&row)).transpose()
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
