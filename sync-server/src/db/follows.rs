//! The tables `follow`, `accept` and `block`: who has to do with whom, on each one's own word.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::AssertSqlSafe;
use tourismo_core::docs::social::{MAX_ENTRIES, SocialRow};
use tourismo_core::id::AccountId;
use tourismo_core::time::Timestamp;

use super::feed::Author;
use super::sql::{self, Bulk, Connection, SqlRow};
use super::{account_in, position, time_in};
use crate::domain::authorize::Relation;

/// A person in a list.
#[derive(Clone, Debug)]
pub(crate) struct PersonRow {
    pub(crate) account: AccountId,
    /// Since when the one follows the other.
    pub(crate) since: Timestamp,
    pub(crate) author: Author,
    /// Whether the viewer follows this person.
    pub(crate) is_followed: bool,
    /// Whether the viewer may know that they are in the list.
    pub(crate) is_shown: bool,
}

/// Whether the viewer (the parameter of this number) may know of an account, as column, in lists and among those who come
/// somewhere: it lets everybody follow, accepted the viewer, or is the viewer.
pub(crate) fn is_shown(column: &str, viewer: u8) -> String {
    // Values of one row each, which no engine looks up for all accounts at once.
    format!(
        "({column} = ${viewer} OR (SELECT shown.by_approval FROM profile shown WHERE shown.account = {column}) = 0 \
         OR (SELECT 1 FROM accept WHERE accept.account = {column} AND accept.accepted = ${viewer}) IS NOT NULL)"
    )
}

/// That `column` is nobody whom the account blocks that is the parameter of this number.
///
/// Who blocks that account is not asked: whoever is blocked sees what anyone sees, and cannot tell.
pub(crate) fn not_blocked_by(column: &str, parameter: u8) -> String {
    format!("{column} NOT IN (SELECT block.blocked FROM block WHERE block.account = ${parameter})")
}

/// That what the account `column` says about a thing is shown: its owner (the parameter `owner`) does not block them, or it is
/// the viewer's own word; and the viewer does not block them.
pub(crate) fn is_comment_visible(column: &str, owner: u8, viewer: u8) -> String {
    let by_owner = not_blocked_by(column, owner);
    format!("({by_owner} OR {column} = ${viewer}) AND {}", not_blocked_by(column, viewer))
}

/// How many people are counted before it is many. Nobody follows, or accepts, more than this (`social::MAX_ENTRIES`).
pub(crate) const MAX_COUNTED: usize = MAX_ENTRIES;

/// What an account has said of people, all of it; nothing else is set.
pub(crate) async fn stored(reader: &mut Connection, account: AccountId) -> Result<SocialRow, sqlx::Error> {
    let follows = sql::query("SELECT followee, since FROM follow WHERE account = $1 ORDER BY followee")
        .bind(account)
        .rows(reader, |row| Ok((account_in(row, "followee")?, time_in(row, "since")?)))
        .await?;
    let accepted = sql::query("SELECT accepted FROM accept WHERE account = $1 ORDER BY accepted")
        .bind(account)
        .rows(reader, |row| account_in(row, "accepted"))
        .await?;
    let blocked = sql::query("SELECT blocked FROM block WHERE account = $1 ORDER BY blocked")
        .bind(account)
        .rows(reader, |row| account_in(row, "blocked"))
        .await?;
    let unblocked = sql::query("SELECT other FROM former_block WHERE account = $1 ORDER BY other")
        .bind(account)
        .rows(reader, |row| account_in(row, "other"))
        .await?;
    Ok(SocialRow { follows, accepted, blocked, unblocked, ..SocialRow::default() })
}

/// What an account has said of some others; nothing else is set.
pub(crate) async fn stored_about(
    reader: &mut Connection,
    account: AccountId,
    others: &[AccountId],
) -> Result<SocialRow, sqlx::Error> {
    let of = [account];
    let sql = "SELECT followee, since FROM follow WHERE account = $1 AND followee IN ";
    let read = |row: &SqlRow| Ok((account_in(row, "followee")?, time_in(row, "since")?));
    let mut follows = sql::rows_of_each(reader, sql, &of, others, read).await?;
    let sql = "SELECT accepted FROM accept WHERE account = $1 AND accepted IN ";
    let mut accepted = sql::rows_of_each(reader, sql, &of, others, |row| account_in(row, "accepted")).await?;
    let mut blocked: Vec<_> = blocked_among(reader, account, others).await?.into_iter().collect();
    follows.sort();
    accepted.sort();
    blocked.sort();
    Ok(SocialRow { follows, accepted, blocked, ..SocialRow::default() })
}

/// Those of some accounts whom an account blocks.
pub(crate) async fn blocked_among(
    reader: &mut Connection,
    account: AccountId,
    others: &[AccountId],
) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    let sql = "SELECT blocked FROM block WHERE account = $1 AND blocked IN ";
    let blocked = sql::rows_of_each(reader, sql, &[account], others, |row| account_in(row, "blocked")).await?;
    Ok(blocked.into_iter().collect())
}

/// Whether an account blocks as many as are read of one document.
pub(crate) async fn blocks_as_many_as_can_be(reader: &mut Connection, account: AccountId) -> Result<bool, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM block WHERE account = $1 LIMIT $2) counted";
    let count = sql::query_scalar(sql).bind(account).bind(MAX_ENTRIES as i64).fetch_one(reader).await?;
    Ok(position("count", count)? >= MAX_ENTRIES as u64)
}

/// What an account says differently of people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChangedFollows {
    /// Whether it follows others than before.
    pub(crate) follows: bool,
    /// Whom it accepts, or accepts no more.
    pub(crate) accepted: Vec<AccountId>,
    /// Whom it blocks, or blocks no more.
    pub(crate) blocked: Vec<AccountId>,
}

/// Makes of what an account has said of people what it says; a word more is a row more. Returns what is different.
pub(crate) async fn replace(
    writer: &mut Connection,
    account: AccountId,
    stored: &SocialRow,
    derived: &SocialRow,
) -> Result<ChangedFollows, sqlx::Error> {
    let follows = |row: &SocialRow| row.follows.iter().copied().collect::<BTreeMap<_, _>>();
    let (gone, said) = difference(&follows(stored), &follows(derived));
    let mut changed = ChangedFollows { follows: !(gone.is_empty() && said.is_empty()), ..ChangedFollows::default() };
    sql::delete_each(writer, "DELETE FROM follow WHERE account = $1 AND followee IN ", &[account], &gone).await?;
    let mut bulk = Bulk::new(
        "INSERT INTO follow (account, followee, since) VALUES ",
        "ON CONFLICT (account, followee) DO UPDATE SET since = excluded.since",
    );
    said.into_iter().for_each(|(followee, since)| bulk.row([account.into(), followee.into(), since.into()]));
    bulk.execute(writer).await?;
    let set = |accounts: &[AccountId]| accounts.iter().map(|account| (*account, ())).collect::<BTreeMap<_, _>>();
    for (stored, derived, changed, delete, insert) in [
        (
            &stored.accepted,
            &derived.accepted,
            &mut changed.accepted,
            "DELETE FROM accept WHERE account = $1 AND accepted IN ",
            "INSERT INTO accept (account, accepted) VALUES ",
        ),
        (
            &stored.blocked,
            &derived.blocked,
            &mut changed.blocked,
            "DELETE FROM block WHERE account = $1 AND blocked IN ",
            "INSERT INTO block (account, blocked) VALUES ",
        ),
        (
            &stored.unblocked,
            &derived.unblocked,
            // Neither of the two sees anything else for it.
            &mut Vec::new(),
            "DELETE FROM former_block WHERE account = $1 AND other IN ",
            "INSERT INTO former_block (account, other) VALUES ",
        ),
    ] {
        let (gone, said) = difference(&set(stored), &set(derived));
        changed.extend(gone.iter().copied().chain(said.iter().map(|(other, ())| *other)));
        sql::delete_each(writer, delete, &[account], &gone).await?;
        let mut bulk = Bulk::new(insert, "");
        said.into_iter().for_each(|(other, ())| bulk.row([account.into(), other.into()]));
        bulk.execute(writer).await?;
    }
    Ok(changed)
}

/// Those of some accounts that follow an account.
pub(crate) async fn followers_among(
    reader: &mut Connection,
    followee: AccountId,
    accounts: &[AccountId],
) -> Result<Vec<AccountId>, sqlx::Error> {
    let sql = "SELECT account FROM follow WHERE followee = $1 AND account IN ";
    sql::rows_of_each(reader, sql, &[followee], accounts, |row| account_in(row, "account")).await
}

/// What must go, and what must be written, for one set of rows to become another.
pub(super) fn difference<K: Ord + Copy, V: PartialEq + Clone>(
    stored: &BTreeMap<K, V>,
    derived: &BTreeMap<K, V>,
) -> (Vec<K>, Vec<(K, V)>) {
    let gone = stored.keys().filter(|key| !derived.contains_key(key)).copied().collect();
    let said = derived.iter().filter(|(key, value)| stored.get(key) != Some(value));
    (gone, said.map(|(key, value)| (*key, value.clone())).collect())
}

/// How many rows there are.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    let sql = r#"
        SELECT (SELECT COUNT(*) FROM follow) + (SELECT COUNT(*) FROM accept) + (SELECT COUNT(*) FROM block)
            + (SELECT COUNT(*) FROM former_block)
    "#;
    position("count", sql::query_scalar(sql).fetch_one(reader).await?)
}

/// Removes all rows, to be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    for sql in ["DELETE FROM follow", "DELETE FROM accept", "DELETE FROM block", "DELETE FROM former_block"] {
        sql::query(sql).execute(writer).await?;
    }
    Ok(())
}

/// What a viewer has to do with an owner. A follow counts if it was accepted, or the followee's profile says that everybody
/// may follow; but not of somebody whom the followee blocks, or blocked once and has not accepted since.
pub(crate) async fn relation(
    reader: &mut Connection,
    viewer: AccountId,
    owner: AccountId,
) -> Result<Relation, sqlx::Error> {
    let sql = r#"
        SELECT
            CAST(CASE WHEN EXISTS (SELECT 1 FROM follow WHERE account = $1 AND followee = $2)
                THEN 1 ELSE 0 END AS BIGINT) AS follows,
            CAST(CASE WHEN EXISTS (SELECT 1 FROM profile WHERE account = $2 AND by_approval = 0)
                THEN 1 ELSE 0 END AS BIGINT) AS is_open,
            CAST(CASE WHEN EXISTS (SELECT 1 FROM accept WHERE account = $2 AND accepted = $1)
                THEN 1 ELSE 0 END AS BIGINT) AS accepts,
            CAST(CASE WHEN EXISTS (SELECT 1 FROM former_block WHERE account = $2 AND other = $1)
                THEN 1 ELSE 0 END AS BIGINT) AS was_blocked,
            CAST(CASE WHEN EXISTS (SELECT 1 FROM block WHERE account = $1 AND blocked = $2)
                THEN 1 ELSE 0 END AS BIGINT) AS blocks,
            CAST(CASE WHEN EXISTS (SELECT 1 FROM block WHERE account = $2 AND blocked = $1)
                THEN 1 ELSE 0 END AS BIGINT) AS is_blocked
    "#;
    let row: (i64, i64, i64, i64, i64, i64) = sql::query(sql).bind(viewer).bind(owner).fetch_one(reader).await?;
    let (follows, is_open, accepts, was_blocked, blocks, is_blocked) =
        (row.0 == 1, row.1 == 1, row.2 == 1, row.3 == 1, row.4 == 1, row.5 == 1);
    Ok(Relation {
        follows,
        is_accepted: follows && (is_open || accepts),
        is_follower: follows && (accepts || is_open && !was_blocked) && !is_blocked,
        blocks,
        is_blocked,
        is_organiser: false,
    })
}

/// Whether an account's followers count only once it accepted them. They do unless its profile says otherwise.
pub(crate) async fn requires_approval(reader: &mut Connection, account: AccountId) -> Result<bool, sqlx::Error> {
    let sql = "SELECT 1 FROM profile WHERE account = $1 AND by_approval = 0";
    Ok(sql::query(sql).bind(account).row(reader).await?.is_none())
}

/// Whom an account follows, without those whom it blocks.
pub(crate) async fn followees(reader: &mut Connection, account: AccountId) -> Result<Vec<AccountId>, sqlx::Error> {
    let sql = format!("SELECT followee FROM follow WHERE account = $1 AND {}", not_blocked_by("follow.followee", 1));
    sql::query(AssertSqlSafe(sql)).bind(account).rows(reader, |row| account_in(row, "followee")).await
}

/// Those whom an account blocks.
pub(crate) async fn blocked_by(
    reader: &mut Connection,
    account: AccountId,
) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    let sql = "SELECT blocked FROM block WHERE account = $1";
    let others = sql::query(sql).bind(account).rows(reader, |row| account_in(row, "blocked")).await?;
    Ok(others.into_iter().collect())
}

/// Whether an account blocked anybody once whom it does not block.
async fn has_former_blocks(reader: &mut Connection, account: AccountId) -> Result<bool, sqlx::Error> {
    let sql = "SELECT 1 FROM former_block WHERE account = $1 LIMIT 1";
    Ok(sql::query(sql).bind(account).row(reader).await?.is_some())
}

/// A place in a list of people.
pub(crate) type PersonKey = (Timestamp, AccountId);

/// Which list of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeopleList {
    /// Those whose follow counts.
    Followers,
    /// Those whom the person follows.
    Following,
    /// Those who wait to be accepted.
    Requests,
    /// Those whom the person and the viewer both follow.
    InCommon,
}

/// Up to `limit` people of a person's list after a place, the latest first; without those whom the person or the viewer blocks.
pub(crate) async fn list(
    reader: &mut Connection,
    list: PeopleList,
    person: AccountId,
    viewer: Option<AccountId>,
    after: PersonKey,
    limit: u32,
) -> Result<Vec<PersonRow>, sqlx::Error> {
    const ACCEPTED: &str = "(SELECT accept.accepted FROM accept WHERE accept.account = $1)";
    let (other, own, filter) = match list {
        PeopleList::Followers if requires_approval(reader, person).await? => {
            ("account", "followee", format!("follow.account IN {ACCEPTED}"))
        }
        PeopleList::Followers => ("account", "followee", "1 = 1".to_owned()),
        PeopleList::Following => ("followee", "account", "1 = 1".to_owned()),
        PeopleList::Requests if requires_approval(reader, person).await? => {
            ("account", "followee", format!("follow.account NOT IN {ACCEPTED}"))
        }
        // Whoever was blocked once is asked about, also by who lets everybody else follow.
        PeopleList::Requests if has_former_blocks(reader, person).await? => {
            let were_blocked = "(SELECT former_block.other FROM former_block WHERE former_block.account = $1)";
            let filter = format!("follow.account IN {were_blocked} AND follow.account NOT IN {ACCEPTED}");
            ("account", "followee", filter)
        }
        // To look for nobody would mean to look at everybody.
        PeopleList::Requests => return Ok(Vec::new()),
        PeopleList::InCommon => {
            let mine = "follow.followee IN (SELECT mine.followee FROM follow mine WHERE mine.account = $2)";
            ("followee", "account", mine.to_owned())
        }
    };
    let sql = format!(
        r#"
        SELECT
            follow.{other} AS person, follow.since, {},
            CAST(CASE WHEN EXISTS (SELECT 1 FROM follow mine WHERE mine.account = $2 AND mine.followee = follow.{other})
                THEN 1 ELSE 0 END AS BIGINT) AS is_followed,
            CAST(CASE WHEN $1 = $2 OR {} THEN 1 ELSE 0 END AS BIGINT) AS is_shown
        FROM follow LEFT JOIN profile ON profile.account = follow.{other}
        WHERE follow.{own} = $1 AND (follow.since, follow.{other}) < ($3, $4) AND {filter} AND {}
        ORDER BY follow.since DESC, follow.{other} DESC LIMIT $5
        "#,
        Author::COLUMNS,
        is_shown(&format!("follow.{other}"), 2),
        is_comment_visible(&format!("follow.{other}"), 1, 2),
    );
    sql::query(AssertSqlSafe(sql))
        .bind(person)
        .bind(viewer)
        .bind(after.0)
        .bind(after.1)
        .bind(i64::from(limit))
        .rows(reader, person_row)
        .await
}

fn person_row(row: &SqlRow) -> Result<PersonRow, sqlx::Error> {
    Ok(PersonRow {
        account: account_in(row, "person")?,
        since: time_in(row, "since")?,
        author: Author::read(row)?,
        is_followed: row.get::<i64>("is_followed")? == 1,
        is_shown: row.get::<i64>("is_shown")? == 1,
    })
}

/// How many followers count, and how many the person follows; each at most [`MAX_COUNTED`].
pub(crate) async fn counted(reader: &mut Connection, person: AccountId) -> Result<(u64, u64), sqlx::Error> {
    let those_who_count = if requires_approval(reader, person).await? {
        "accept JOIN follow ON follow.account = accept.accepted AND follow.followee = $1 WHERE accept.account = $1"
    } else {
        "follow WHERE follow.followee = $1"
    };
    let sql = format!(
        r#"
        SELECT
            (SELECT COUNT(*) FROM (SELECT 1 FROM {those_who_count} LIMIT {MAX_COUNTED}) heard),
            (SELECT COUNT(*) FROM (SELECT 1 FROM follow WHERE follow.account = $1 LIMIT {MAX_COUNTED}) heard)
        "#
    );
    let (followers, following): (i64, i64) = sql::query(AssertSqlSafe(sql)).bind(person).fetch_one(reader).await?;
    Ok((position("followers", followers)?, position("following", following)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_becomes_another_by_what_differs_alone() {
        let stored = BTreeMap::from([(1, 'a'), (2, 'b'), (3, 'c')]);
        let derived = BTreeMap::from([(2, 'b'), (3, 'x'), (4, 'd')]);
        assert_eq!(difference(&stored, &derived), (vec![1], vec![(3, 'x'), (4, 'd')]));
        assert_eq!(difference(&stored, &stored), (vec![], vec![]));
    }
}
