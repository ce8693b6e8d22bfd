//! The table `rsvp`: answers to meets.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::social::{self, Answer};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use super::feed::Author;
use super::follows::{difference, is_comment_visible, is_shown};
use super::sql::{self, Bulk, Connection, Numbered, SqlRow, numbers};
use super::{account_in, damaged, doc_in, position, time_in};

/// An account that answered.
#[derive(Clone, Debug)]
pub(crate) struct AttendeeRow {
    pub(crate) account: AccountId,
    pub(crate) answer: Answer,
    pub(crate) author: Author,
    /// Whether the viewer follows the account.
    pub(crate) is_followed: bool,
    /// How many accounts both follow, among the last [`LOOKED_AT_IN_COMMON`] that the account followed.
    pub(crate) followed_in_common: u64,
}

numbers!(Answer { Going = 0, Maybe = 1, No = 2 });

/// The numbers of answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AnswerCounts {
    pub(crate) going: u64,
    pub(crate) maybe: u64,
    pub(crate) no: u64,
}

/// Returns the stored answers of a document, ascending by meet.
pub(crate) async fn stored(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Vec<(DocId, Answer, Timestamp)>, sqlx::Error> {
    sql::query("SELECT meet, answer, at FROM rsvp WHERE account = $1 AND doc = $2 ORDER BY meet")
        .bind(account)
        .bind(doc)
        .rows(reader, |row| Ok((doc_in(row, "meet")?, row.field("answer")?, time_in(row, "at")?)))
        .await
}

/// Returns the stored answers of a document to some meets, ascending.
pub(crate) async fn stored_about(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
    meets: &[DocId],
) -> Result<Vec<(DocId, Answer, Timestamp)>, sqlx::Error> {
    let sql = "SELECT meet, answer, at FROM rsvp WHERE account = $1 AND doc = $2 AND meet IN ";
    let read = |row: &SqlRow| Ok((doc_in(row, "meet")?, row.field("answer")?, time_in(row, "at")?));
    let mut stored = sql::rows_of_each(reader, sql, &[*account.as_bytes(), *doc.as_bytes()], meets, read).await?;
    stored.sort();
    Ok(stored)
}

/// Replaces the stored rows of a document by the derived set (diff); returns the meets whose answers changed.
pub(crate) async fn replace(
    writer: &mut Connection,
    account: AccountId,
    doc: DocId,
    stored: &[(DocId, Answer, Timestamp)],
    derived: &[(DocId, Answer, Timestamp)],
) -> Result<Vec<DocId>, sqlx::Error> {
    let set = |said: &[(DocId, Answer, Timestamp)]| {
        said.iter().map(|(meet, answer, at)| (*meet, (*answer, *at))).collect::<BTreeMap<_, _>>()
    };
    let (gone, said) = difference(&set(stored), &set(derived));
    let meets = gone.iter().copied().chain(said.iter().map(|(meet, _)| *meet)).collect();
    let sql = "DELETE FROM rsvp WHERE account = $1 AND doc = $2 AND meet IN ";
    sql::delete_each(writer, sql, &[*account.as_bytes(), *doc.as_bytes()], &gone).await?;
    let mut bulk = Bulk::new(
        "INSERT INTO rsvp (account, doc, meet, answer, at) VALUES ",
        "ON CONFLICT (account, doc, meet) DO UPDATE SET answer = excluded.answer, at = excluded.at",
    );
    for (meet, (answer, at)) in said {
        bulk.row([account.into(), doc.into(), meet.into(), answer.into(), at.into()]);
    }
    bulk.execute(writer).await?;
    Ok(meets)
}

/// Maximum of a count.
const MAX_COUNTED: u32 = 10_000;

/// The number of an account's last follows that are examined to count accounts followed in common.
pub(crate) const LOOKED_AT_IN_COMMON: u32 = 200;

/// Returns the numbers of answers, each at most [`MAX_COUNTED`], without those of accounts that the meet's owner or the
/// viewer blocks.
pub(crate) async fn counted(
    reader: &mut Connection,
    meet: DocId,
    owner: AccountId,
    viewer: Option<AccountId>,
) -> Result<AnswerCounts, sqlx::Error> {
    let heard = is_comment_visible("rsvp.account", 2, 3);
    let those_who = |answer: Answer| {
        format!(
            "(SELECT COUNT(*) FROM (SELECT 1 FROM rsvp WHERE meet = $1 AND answer = {} AND {heard} \
             LIMIT {MAX_COUNTED}) heard)",
            answer.number()
        )
    };
    let [going, maybe, no] = [Answer::Going, Answer::Maybe, Answer::No].map(those_who);
    let sql = format!("SELECT {going}, {maybe}, {no}");
    let (going, maybe, no): (i64, i64, i64) =
        sql::query(AssertSqlSafe(sql)).bind(meet).bind(owner).bind(viewer).fetch_one(reader).await?;
    Ok(AnswerCounts { going: position("going", going)?, maybe: position("maybe", maybe)?, no: position("no", no)? })
}

/// Returns an account's answer to a meet.
pub(crate) async fn of(
    reader: &mut Connection,
    account: AccountId,
    meet: DocId,
) -> Result<Option<Answer>, sqlx::Error> {
    let sql = "SELECT answer FROM rsvp WHERE account = $1 AND doc = $2 AND meet = $3";
    let doc = social::about(&account, &meet);
    let number: Option<i64> = sql::query_scalar(sql).bind(account).bind(doc).bind(meet).fetch_optional(reader).await?;
    number.map(|number| Answer::from_number(number).ok_or_else(|| damaged("answer"))).transpose()
}

/// A position in the list of attendees: whether the viewer follows the account (0, or 1 for not), its answer, its id.
pub(crate) type AttendeeKey = (i64, i64, AccountId);

impl AttendeeRow {
    pub(crate) fn key(&self) -> AttendeeKey {
        (i64::from(!self.is_followed), self.answer.number(), self.account)
    }
}

/// Returns up to `limit` accounts that attend or may attend, after a position: followed ones first, then by answer.
/// Accounts that the meet's owner or the viewer blocks are left out. Unless the viewer sees all, accounts that approve
/// their followers and have not accepted the viewer are left out, except the owner of the meet, who is known anyway.
pub(crate) async fn attendees(
    reader: &mut Connection,
    meet: DocId,
    owner: AccountId,
    viewer: Option<AccountId>,
    sees_all: bool,
    after: AttendeeKey,
    limit: u32,
) -> Result<Vec<AttendeeRow>, sqlx::Error> {
    let sql = format!(
        r#"
        SELECT page.account, page.answer, page.is_stranger, {},
            (
                SELECT COUNT(*) FROM (
                    SELECT theirs.followee FROM follow theirs WHERE theirs.account = page.account
                    ORDER BY theirs.since DESC, theirs.followee DESC LIMIT {LOOKED_AT_IN_COMMON}
                ) heard
                WHERE heard.followee IN (SELECT mine.followee FROM follow mine WHERE mine.account = $3)
            ) AS in_common
        FROM (
            SELECT * FROM (
                SELECT rsvp.account, rsvp.answer, CASE
                    WHEN rsvp.account IN (SELECT mine.followee FROM follow mine WHERE mine.account = $3)
                    THEN CAST(0 AS BIGINT) ELSE CAST(1 AS BIGINT)
                END AS is_stranger
                FROM rsvp WHERE rsvp.meet = $1 AND rsvp.answer < 2 AND {} AND ($8 = 1 OR rsvp.account = $2 OR {})
            ) answered
            WHERE (is_stranger, answer, account) > ($4, $5, $6)
            ORDER BY is_stranger, answer, account LIMIT $7
        ) page
        LEFT JOIN profile ON profile.account = page.account
        ORDER BY page.is_stranger, page.answer, page.account
        "#,
        Author::COLUMNS,
        is_comment_visible("rsvp.account", 2, 3),
        is_shown("rsvp.account", 3)
    );
    let read = |row: &SqlRow| {
        Ok(AttendeeRow {
            account: account_in(row, "account")?,
            answer: row.field("answer")?,
            author: Author::read(row)?,
            is_followed: row.get::<i64>("is_stranger")? == 0,
            followed_in_common: position("in_common", row.get("in_common")?)?,
        })
    };
    sql::query(AssertSqlSafe(sql))
        .bind(meet)
        .bind(owner)
        .bind(viewer)
        .bind(after.0)
        .bind(after.1)
        .bind(after.2)
        .bind(i64::from(limit))
        .bind(i64::from(sees_all))
        .rows(reader, read)
        .await
}

/// Returns the number of rows.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM rsvp").fetch_one(reader).await?)
}

/// Removes all rows, so that they can be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM rsvp").execute(writer).await.map(drop)
}
