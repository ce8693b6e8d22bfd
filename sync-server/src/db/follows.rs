//! The tables `follow`, `accept` and `block`: who has to do with whom, on each one's own word.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::AssertSqlSafe;
use tourismo_core::docs::social::{MAX_ENTRIES, SocialRow};
use tourismo_core::id::AccountId;
use tourismo_core::time::Timestamp;

use super::feed::Author;
use super::sql::{self, Connection, Row, group, parameters};
use super::{account_in, position, time_in};
use crate::authorize::Relation;

/// A person in a list.
#[derive(Clone, Debug)]
pub(crate) struct PersonRow {
    pub(crate) account: AccountId,
    /// Since when the one follows the other.
    pub(crate) since: Timestamp,
    pub(crate) author: Author,
    /// Whether the viewer follows this person.
    pub(crate) is_followed: bool,
}

/// That `column` is nobody who blocks, or is blocked by, the account that is the parameter of this number.
pub(crate) fn not_blocked(column: &str, parameter: u8) -> String {
    format!(
        "{column} NOT IN (SELECT block.blocked FROM block WHERE block.account = ${parameter} \
         UNION ALL SELECT block.account FROM block WHERE block.blocked = ${parameter})"
    )
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
    Ok(SocialRow { follows, accepted, blocked, ..SocialRow::default() })
}

/// What an account says differently of people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
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
) -> Result<Changed, sqlx::Error> {
    let follows = |row: &SocialRow| row.follows.iter().copied().collect::<BTreeMap<_, _>>();
    let (gone, said) = difference(&follows(stored), &follows(derived));
    let mut changed = Changed { follows: !(gone.is_empty() && said.is_empty()), ..Changed::default() };
    for followee in gone {
        let sql = "DELETE FROM follow WHERE account = $1 AND followee = $2";
        sql::query(sql).bind(account).bind(followee).execute(writer).await?;
    }
    for (followee, since) in said {
        let sql = r#"
            INSERT INTO follow (account, followee, since) VALUES ($1, $2, $3)
            ON CONFLICT (account, followee) DO UPDATE SET since = excluded.since
        "#;
        sql::query(sql).bind(account).bind(followee).bind(since).execute(writer).await?;
    }
    let set = |accounts: &[AccountId]| accounts.iter().map(|account| (*account, ())).collect::<BTreeMap<_, _>>();
    for (stored, derived, changed, delete, insert) in [
        (
            &stored.accepted,
            &derived.accepted,
            &mut changed.accepted,
            "DELETE FROM accept WHERE account = $1 AND accepted = $2",
            "INSERT INTO accept (account, accepted) VALUES ($1, $2)",
        ),
        (
            &stored.blocked,
            &derived.blocked,
            &mut changed.blocked,
            "DELETE FROM block WHERE account = $1 AND blocked = $2",
            "INSERT INTO block (account, blocked) VALUES ($1, $2)",
        ),
    ] {
        let (gone, said) = difference(&set(stored), &set(derived));
        changed.extend(gone.iter().copied().chain(said.iter().map(|(other, ())| *other)));
        for other in gone {
            sql::query(delete).bind(account).bind(other).execute(writer).await?;
        }
        for (other, ()) in said {
            sql::query(insert).bind(account).bind(other).execute(writer).await?;
        }
    }
    Ok(changed)
}

/// Those of some accounts that follow an account.
pub(crate) async fn those_who_follow(
    reader: &mut Connection,
    followee: AccountId,
    accounts: &[AccountId],
) -> Result<Vec<AccountId>, sqlx::Error> {
    let (mut accounts, mut followers) = (accounts, Vec::new());
    while let Some(count) = group(accounts.len()) {
        let (these, rest) = accounts.split_at(count);
        accounts = rest;
        let sql = format!("SELECT account FROM follow WHERE followee = $1 AND account IN ({})", parameters(1, count));
        let query = these.iter().fold(sql::query(AssertSqlSafe(sql)).bind(followee), |query, one| query.bind(*one));
        followers.extend(query.rows(reader, |row| account_in(row, "account")).await?);
    }
    Ok(followers)
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
    let sql = "SELECT (SELECT COUNT(*) FROM follow) + (SELECT COUNT(*) FROM accept) + (SELECT COUNT(*) FROM block)";
    position("count", sql::query_scalar(sql).fetch_one(reader).await?)
}

/// Removes all rows, to be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    for sql in ["DELETE FROM follow", "DELETE FROM accept", "DELETE FROM block"] {
        sql::query(sql).execute(writer).await?;
    }
    Ok(())
}

/// What a viewer has to do with an owner. A follow counts if it was accepted, or the followee accepts everyone.
pub(crate) async fn relation(
    reader: &mut Connection,
    viewer: AccountId,
    owner: AccountId,
) -> Result<Relation, sqlx::Error> {
    let sql = r#"
        SELECT
            CAST(CASE WHEN EXISTS (SELECT 1 FROM follow WHERE account = $1 AND followee = $2)
                THEN 1 ELSE 0 END AS BIGINT) AS follows,
            CAST(CASE WHEN NOT EXISTS (SELECT 1 FROM profile WHERE account = $2 AND by_approval = 1)
                OR EXISTS (SELECT 1 FROM accept WHERE account = $2 AND accepted = $1)
                THEN 1 ELSE 0 END AS BIGINT) AS would_count,
            CAST(CASE WHEN EXISTS (SELECT 1 FROM block WHERE account = $1 AND blocked = $2)
                OR EXISTS (SELECT 1 FROM block WHERE account = $2 AND blocked = $1)
                THEN 1 ELSE 0 END AS BIGINT) AS is_blocked
    "#;
    let (follows, would_count, is_blocked): (i64, i64, i64) =
        sql::query(sql).bind(viewer).bind(owner).fetch_one(reader).await?;
    Ok(Relation {
        follows: follows == 1,
        is_follower: follows == 1 && would_count == 1,
        is_blocked: is_blocked == 1,
        is_organiser: false,
    })
}

/// Whether an account's followers count only once it accepted them.
async fn asks(reader: &mut Connection, account: AccountId) -> Result<bool, sqlx::Error> {
    let sql = "SELECT 1 FROM profile WHERE account = $1 AND by_approval = 1";
    Ok(sql::query(sql).bind(account).row(reader).await?.is_some())
}

/// Whom an account follows, without those with whom it has nothing to do.
pub(crate) async fn followees(reader: &mut Connection, account: AccountId) -> Result<Vec<AccountId>, sqlx::Error> {
    let sql = format!("SELECT followee FROM follow WHERE account = $1 AND {}", not_blocked("follow.followee", 1));
    sql::query(AssertSqlSafe(sql)).bind(account).rows(reader, |row| account_in(row, "followee")).await
}

/// Those whom an account blocks, and those who block it.
pub(crate) async fn shunned(reader: &mut Connection, account: AccountId) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    let sql = r#"
        SELECT blocked AS other FROM block WHERE account = $1 UNION ALL SELECT account AS other FROM block WHERE blocked = $1
    "#;
    let others = sql::query(sql).bind(account).rows(reader, |row| account_in(row, "other")).await?;
    Ok(others.into_iter().collect())
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

/// Up to `limit` people of a person's list after a place, the latest first; without those with whom the person or the viewer
/// has nothing to do.
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
        PeopleList::Followers if asks(reader, person).await? => {
            ("account", "followee", format!("follow.account IN {ACCEPTED}"))
        }
        PeopleList::Followers => ("account", "followee", "1 = 1".to_owned()),
        PeopleList::Following => ("followee", "account", "1 = 1".to_owned()),
        PeopleList::Requests if asks(reader, person).await? => {
            ("account", "followee", format!("follow.account NOT IN {ACCEPTED}"))
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
                THEN 1 ELSE 0 END AS BIGINT) AS is_followed
        FROM follow LEFT JOIN profile ON profile.account = follow.{other}
        WHERE follow.{own} = $1 AND (follow.since, follow.{other}) < ($3, $4) AND {filter} AND {} AND {}
        ORDER BY follow.since DESC, follow.{other} DESC LIMIT $5
        "#,
        Author::COLUMNS,
        not_blocked(&format!("follow.{other}"), 1),
        not_blocked(&format!("follow.{other}"), 2),
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

fn person_row(row: &Row) -> Result<PersonRow, sqlx::Error> {
    Ok(PersonRow {
        account: account_in(row, "person")?,
        since: time_in(row, "since")?,
        author: Author::read(row)?,
        is_followed: row.get::<i64>("is_followed")? == 1,
    })
}

/// How many followers count, and how many the person follows; each at most [`MAX_COUNTED`].
pub(crate) async fn counted(reader: &mut Connection, person: AccountId) -> Result<(u64, u64), sqlx::Error> {
    let those_who_count = if asks(reader, person).await? {
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
