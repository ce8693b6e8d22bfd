//! The tables `follow`, `accept` and `block`: relations between accounts, each as stated by the account that wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::social::{MAX_ENTRIES, SocialRow};
use tourismo_core::id::AccountId;
use tourismo_core::time::Timestamp;

use super::feed::Author;
use super::sql::{self, Columns, Connection, Insert, SqlRow, columns};
use super::{account_in, position};
use crate::domain::authorize::Relation;

/// An account in a list.
#[derive(Clone, Debug)]
pub(crate) struct PersonRow {
    pub(crate) account: AccountId,
    /// The time since when the one follows the other.
    pub(crate) since: Timestamp,
    pub(crate) author: Author,
    /// Whether the viewer follows this account.
    pub(crate) is_followed: bool,
    /// Whether the viewer may see that the account is in the list.
    pub(crate) is_shown: bool,
}

columns!(PersonRow { account: "person", since, is_followed, is_shown } author = Author::read);

/// A row of the table `follow`, without the account that follows.
#[derive(Clone, Copy, Debug)]
struct Follow {
    followee: AccountId,
    since: Timestamp,
}

columns!(Follow { followee, since });

static REPLACE_FOLLOW: LazyLock<Insert> =
    LazyLock::new(|| Insert::or_replace("follow", &[vec!["account"], Follow::list()].concat(), 2));

/// The SQL statements of a table with one row for each account that another account lists.
struct OthersTable {
    /// The column of the other account.
    other: &'static str,
    all: String,
    among: String,
    delete: String,
    insert: Insert,
}

static ACCEPT: LazyLock<OthersTable> = LazyLock::new(|| OthersTable::new("accept", "accepted"));
static BLOCK: LazyLock<OthersTable> = LazyLock::new(|| OthersTable::new("block", "blocked"));
static FORMER_BLOCK: LazyLock<OthersTable> = LazyLock::new(|| OthersTable::new("former_block", "other"));

impl OthersTable {
    fn new(table: &str, other: &'static str) -> OthersTable {
        OthersTable {
            other,
            all: format!("SELECT {other} FROM {table} WHERE account = $1 ORDER BY {other}"),
            among: format!("SELECT {other} FROM {table} WHERE account = $1 AND {other} IN "),
            delete: format!("DELETE FROM {table} WHERE account = $1 AND {other} IN "),
            insert: Insert::into(table, &["account", other]),
        }
    }

    /// Returns all accounts that an account lists, ascending.
    async fn all(&'static self, reader: &mut Connection, account: AccountId) -> Result<Vec<AccountId>, sqlx::Error> {
        sql::query(self.all.as_str()).bind(account).rows(reader, |row| row.field(self.other)).await
    }

    /// Returns those of some accounts that an account lists.
    async fn among(
        &self,
        reader: &mut Connection,
        account: AccountId,
        others: &[AccountId],
    ) -> Result<BTreeSet<AccountId>, sqlx::Error> {
        let read = |row: &SqlRow| row.field(self.other);
        Ok(sql::rows_of_each(reader, &self.among, &[account], others, read).await?.into_iter().collect())
    }

    /// Replaces the listed accounts (diff). Returns the accounts that were added or removed.
    async fn replace(
        &'static self,
        writer: &mut Connection,
        account: AccountId,
        stored: &[AccountId],
        derived: &[AccountId],
    ) -> Result<Vec<AccountId>, sqlx::Error> {
        let set = |accounts: &[AccountId]| accounts.iter().map(|account| (*account, ())).collect::<BTreeMap<_, _>>();
        let (mut changed, said) = difference(&set(stored), &set(derived));
        sql::delete_each(writer, &self.delete, &[account], &changed).await?;
        let mut bulk = self.insert.rows();
        said.iter().for_each(|(other, ())| bulk.row([account.into(), (*other).into()]));
        bulk.execute(writer).await?;
        changed.extend(said.into_iter().map(|(other, ())| other));
        Ok(changed)
    }
}

/// Returns the condition that the viewer (the parameter of this number) may see the account `column` in lists and among
/// the people of a meet: the account lets everybody follow, it accepted the viewer, or it is the viewer.
pub(crate) fn is_shown(column: &str, viewer: u8) -> String {
    // Subqueries of one row each, so that no engine evaluates them for all accounts at once.
    format!(
        "({column} = ${viewer} OR (SELECT shown.by_approval FROM profile shown WHERE shown.account = {column}) = 0 \
         OR (SELECT 1 FROM accept WHERE accept.account = {column} AND accept.accepted = ${viewer}) IS NOT NULL)"
    )
}

/// Returns the condition that the account in the parameter does not block `column`.
///
/// Blocks by `column` do not matter: a blocked reader sees what an anonymous reader sees, and cannot detect the block.
pub(crate) fn not_blocked_by(column: &str, parameter: u8) -> String {
    format!("{column} NOT IN (SELECT block.blocked FROM block WHERE block.account = ${parameter})")
}

/// Returns the condition that a comment, reaction or answer of the account `column` is shown: the owner (the parameter
/// `owner`) does not block the account, or the account is the viewer; and the viewer does not block it.
pub(crate) fn is_comment_visible(column: &str, owner: u8, viewer: u8) -> String {
    let by_owner = not_blocked_by(column, owner);
    format!("({by_owner} OR {column} = ${viewer}) AND {}", not_blocked_by(column, viewer))
}

/// Maximum of a count. No account follows or accepts more (`social::MAX_ENTRIES`).
pub(crate) const MAX_COUNTED: usize = MAX_ENTRIES;

/// Returns all relations that an account stated; other fields are empty.
pub(crate) async fn stored(reader: &mut Connection, account: AccountId) -> Result<SocialRow, sqlx::Error> {
    let sql = format!("SELECT {} FROM follow WHERE account = $1 ORDER BY followee", Follow::of("follow"));
    let follows = sql::query(AssertSqlSafe(sql)).bind(account).rows(reader, followee_in).await?;
    let accepted = ACCEPT.all(reader, account).await?;
    let blocked = BLOCK.all(reader, account).await?;
    let unblocked = FORMER_BLOCK.all(reader, account).await?;
    Ok(SocialRow { follows, accepted, blocked, unblocked, ..SocialRow::default() })
}

/// Returns the relations of an account to some other accounts; other fields are empty.
pub(crate) async fn stored_about(
    reader: &mut Connection,
    account: AccountId,
    others: &[AccountId],
) -> Result<SocialRow, sqlx::Error> {
    let sql = format!("SELECT {} FROM follow WHERE account = $1 AND followee IN ", Follow::of("follow"));
    let mut follows = sql::rows_of_each(reader, &sql, &[account], others, followee_in).await?;
    follows.sort();
    let accepted = ACCEPT.among(reader, account, others).await?.into_iter().collect();
    let blocked = BLOCK.among(reader, account, others).await?.into_iter().collect();
    Ok(SocialRow { follows, accepted, blocked, ..SocialRow::default() })
}

fn followee_in(row: &SqlRow) -> Result<(AccountId, Timestamp), sqlx::Error> {
    let Follow { followee, since } = Follow::from_row(row)?;
    Ok((followee, since))
}

/// Returns those of some accounts that an account blocks.
pub(crate) async fn blocked_among(
    reader: &mut Connection,
    account: AccountId,
    others: &[AccountId],
) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    BLOCK.among(reader, account, others).await
}

/// Returns whether an account blocks the maximum number of accounts.
pub(crate) async fn blocks_as_many_as_can_be(reader: &mut Connection, account: AccountId) -> Result<bool, sqlx::Error> {
    let sql = "SELECT COUNT(*) FROM (SELECT 1 FROM block WHERE account = $1 LIMIT $2) counted";
    let count = sql::query_scalar(sql).bind(account).bind(MAX_ENTRIES as i64).fetch_one(reader).await?;
    Ok(position("count", count)? >= MAX_ENTRIES as u64)
}

/// The relations of an account that changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ChangedFollows {
    /// Whether it follows other accounts than before.
    pub(crate) follows: bool,
    /// The accounts whose acceptance changed.
    pub(crate) accepted: Vec<AccountId>,
    /// The accounts whose block changed.
    pub(crate) blocked: Vec<AccountId>,
}

/// Replaces the stored relations of an account by the derived set (diff). Returns the differences.
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
    let mut bulk = REPLACE_FOLLOW.rows();
    for (followee, since) in said {
        bulk.row([account.into()].into_iter().chain(Follow { followee, since }.values()));
    }
    bulk.execute(writer).await?;
    changed.accepted = ACCEPT.replace(writer, account, &stored.accepted, &derived.accepted).await?;
    changed.blocked = BLOCK.replace(writer, account, &stored.blocked, &derived.blocked).await?;
    // This changes nothing visible for either account.
    FORMER_BLOCK.replace(writer, account, &stored.unblocked, &derived.unblocked).await?;
    Ok(changed)
}

/// Returns those of some accounts that follow an account.
pub(crate) async fn followers_among(
    reader: &mut Connection,
    followee: AccountId,
    accounts: &[AccountId],
) -> Result<Vec<AccountId>, sqlx::Error> {
    let sql = "SELECT account FROM follow WHERE followee = $1 AND account IN ";
    sql::rows_of_each(reader, sql, &[followee], accounts, |row| account_in(row, "account")).await
}

/// Returns the keys to delete and the rows to write, so that one set of rows becomes another.
pub(super) fn difference<K: Ord + Copy, V: PartialEq + Clone>(
    stored: &BTreeMap<K, V>,
    derived: &BTreeMap<K, V>,
) -> (Vec<K>, Vec<(K, V)>) {
    let gone = stored.keys().filter(|key| !derived.contains_key(key)).copied().collect();
    let said = derived.iter().filter(|(key, value)| stored.get(key) != Some(value));
    (gone, said.map(|(key, value)| (*key, value.clone())).collect())
}

/// Returns the number of rows.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    let sql = r#"
        SELECT (SELECT COUNT(*) FROM follow) + (SELECT COUNT(*) FROM accept) + (SELECT COUNT(*) FROM block)
            + (SELECT COUNT(*) FROM former_block)
    "#;
    position("count", sql::query_scalar(sql).fetch_one(reader).await?)
}

/// Removes all rows, so that they can be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    for sql in ["DELETE FROM follow", "DELETE FROM accept", "DELETE FROM block", "DELETE FROM former_block"] {
        sql::query(sql).execute(writer).await?;
    }
    Ok(())
}

/// Returns the relation of a viewer to an owner. A follow counts if it was accepted, or if the owner's profile lets
/// everybody follow; but not if the owner blocks the viewer, or blocked them before and has not accepted them since.
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

/// Returns whether an account's followers count only after acceptance, which is so unless its profile lets everybody
/// follow.
pub(crate) async fn requires_approval(reader: &mut Connection, account: AccountId) -> Result<bool, sqlx::Error> {
    let sql = "SELECT 1 FROM profile WHERE account = $1 AND by_approval = 0";
    Ok(sql::query(sql).bind(account).row(reader).await?.is_none())
}

/// Returns the accounts that an account follows, without those that it blocks.
pub(crate) async fn followees(reader: &mut Connection, account: AccountId) -> Result<Vec<AccountId>, sqlx::Error> {
    let sql = format!("SELECT followee FROM follow WHERE account = $1 AND {}", not_blocked_by("follow.followee", 1));
    sql::query(AssertSqlSafe(sql)).bind(account).rows(reader, |row| account_in(row, "followee")).await
}

/// Returns the accounts that an account blocks.
pub(crate) async fn blocked_by(
    reader: &mut Connection,
    account: AccountId,
) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    Ok(BLOCK.all(reader, account).await?.into_iter().collect())
}

/// Returns whether an account blocked anybody before whom it does not block at present.
async fn has_former_blocks(reader: &mut Connection, account: AccountId) -> Result<bool, sqlx::Error> {
    let sql = "SELECT 1 FROM former_block WHERE account = $1 LIMIT 1";
    Ok(sql::query(sql).bind(account).row(reader).await?.is_some())
}

/// A position in a list of accounts.
pub(crate) type PersonKey = (Timestamp, AccountId);

/// The kinds of lists of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeopleList {
    /// Followers who count.
    Followers,
    /// Accounts that the account follows.
    Following,
    /// Followers who wait for acceptance.
    Requests,
    /// Accounts that both the account and the viewer follow.
    InCommon,
}

/// Returns up to `limit` accounts of a list after a position, the latest first, without those that the account or the
/// viewer blocks.
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
        // A formerly blocked account needs acceptance, also if everybody else may follow.
        PeopleList::Requests if has_former_blocks(reader, person).await? => {
            let were_blocked = "(SELECT former_block.other FROM former_block WHERE former_block.account = $1)";
            let filter = format!("follow.account IN {were_blocked} AND follow.account NOT IN {ACCEPTED}");
            ("account", "followee", filter)
        }
        // An empty set of accounts would make the statement read everybody.
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
        .rows(reader, PersonRow::from_row)
        .await
}

/// Returns the number of followers who count and of followed accounts; each at most [`MAX_COUNTED`].
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
