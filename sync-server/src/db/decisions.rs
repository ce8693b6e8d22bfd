//! The table `decision`: what operators decided about accounts and their items. Of several decisions about one item the
//! newest counts. Decisions do not derive from the log: repairs keep them, and a restore can take them from another
//! database.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::social;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::wire::DocKind;

use super::sql::{self, Columns, Connection, Insert, columns, numbers};
use super::{accounts, column, comments, drives, meets, position, published};

/// The kind of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    /// An account.
    Account,
    /// A published drive.
    Drive,
    /// A meet.
    Meet,
    /// A comment on a drive.
    Comment,
}

numbers!(Target { Account = 0, Drive = 1, Meet = 2, Comment = 3 });

/// An item that can be reported, hidden or suspended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    /// Whose it is.
    pub(crate) account: AccountId,
    pub(crate) target: Target,
    /// The account; the drive, or its published copy if no drive names it; the document of the meet; the comment.
    pub(crate) item: DocId,
    /// The id by which others find it; of a comment that of the drive.
    pub(crate) link: DocId,
}

columns!(Item { account, target, item, link });

/// A decision.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Decision {
    /// In the order of the decisions.
    pub(crate) number: u64,
    pub(crate) decided_at: Timestamp,
    pub(crate) item: Item,
    /// Whether the item is hidden, or the account is suspended.
    pub(crate) is_hidden: bool,
    /// Shown to the owner.
    pub(crate) reason: String,
}

columns!(Decision { number, decided_at, item, is_hidden, reason });

static INSERT: LazyLock<Insert> = LazyLock::new(|| Insert::into("decision", &Decision::list()));

/// What operators withhold of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Withheld {
    /// The number of the newest decision about the account.
    pub(crate) newest: u64,
    pub(crate) is_suspended: bool,
    /// Hidden drives, or copies that no drive names.
    pub(crate) drives: BTreeSet<DocId>,
    /// The copies about which something was decided, with their drives.
    pub(crate) copies: BTreeMap<DocId, DocId>,
    /// The documents of hidden meets.
    pub(crate) meets: BTreeSet<DocId>,
    /// Hidden comments.
    pub(crate) comments: BTreeSet<DocId>,
}

/// What operators withhold, by account. Accounts about which nothing was decided are absent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decisions(BTreeMap<AccountId, Withheld>);

impl Decisions {
    fn of_rows(rows: Vec<Decision>) -> Decisions {
        let mut decisions = Decisions::default();
        rows.into_iter().for_each(|decision| decisions.add(&decision));
        decisions
    }

    /// Adds a decision that is newer than all others.
    fn add(&mut self, decision: &Decision) {
        let Decision { number, item: Item { account, target, item, link }, is_hidden, .. } = *decision;
        let withheld = self.0.entry(account).or_default();
        withheld.newest = number;
        match target {
            Target::Account => withheld.is_suspended = is_hidden,
            Target::Drive => {
                withheld.copies.insert(link, item);
                set(&mut withheld.drives, item, is_hidden);
            }
            Target::Meet => set(&mut withheld.meets, item, is_hidden),
            Target::Comment => set(&mut withheld.comments, item, is_hidden),
        }
    }

    /// Returns what is withheld of an account, if anything was ever decided about it.
    pub(crate) fn of(&self, account: &AccountId) -> Option<&Withheld> {
        self.0.get(account)
    }

    /// Returns the number of the newest decision about an account; 0 if there is none.
    pub(crate) fn newest_of(&self, account: &AccountId) -> u64 {
        self.of(account).map_or(0, |withheld| withheld.newest)
    }
}

impl Withheld {
    /// Returns whether a published copy was hidden, under this id or as a copy of `drive`, which names it.
    pub(crate) fn hides_copy(&self, copy: &DocId, drive: Option<DocId>) -> bool {
        self.copies.get(copy).copied().into_iter().chain(drive).any(|drive| self.drives.contains(&drive))
    }
}

fn set(ids: &mut BTreeSet<DocId>, id: DocId, is_in: bool) {
    if is_in {
        ids.insert(id);
    } else {
        ids.remove(&id);
    }
}

/// Reads the decisions about all accounts.
pub(crate) async fn all(reader: &mut Connection) -> Result<Decisions, sqlx::Error> {
    Ok(Decisions::of_rows(rows(reader).await?))
}

/// Returns whether the database has the tables of decisions and invitations: those of older versions have not.
pub(crate) async fn exist(reader: &mut Connection) -> Result<bool, sqlx::Error> {
    let sql = "SELECT 1 FROM _sqlx_migrations WHERE version = 82";
    Ok(sql::query(sql).row(reader).await?.is_some())
}

/// Reads every decision, the oldest first.
pub(crate) async fn rows(reader: &mut Connection) -> Result<Vec<Decision>, sqlx::Error> {
    let sql = format!("SELECT {} FROM decision ORDER BY number", Decision::of("decision"));
    sql::query(AssertSqlSafe(sql)).rows(reader, Decision::from_row).await
}

/// Reads the decisions about an account, the oldest first.
pub(crate) async fn rows_of(reader: &mut Connection, account: AccountId) -> Result<Vec<Decision>, sqlx::Error> {
    let sql = format!("SELECT {} FROM decision WHERE account = $1 ORDER BY number", Decision::of("decision"));
    sql::query(AssertSqlSafe(sql)).bind(account).rows(reader, Decision::from_row).await
}

/// Reads what is withheld of an account.
pub(crate) async fn of(reader: &mut Connection, account: AccountId) -> Result<Decisions, sqlx::Error> {
    Ok(Decisions::of_rows(rows_of(reader, account).await?))
}

/// Returns whether an account is suspended.
pub(crate) async fn is_suspended(reader: &mut Connection, account: AccountId) -> Result<bool, sqlx::Error> {
    let sql = "SELECT is_hidden FROM decision WHERE account = $1 AND target = $2 ORDER BY number DESC LIMIT 1";
    let row = sql::query(sql).bind(account).bind(Target::Account).row(reader).await?;
    Ok(row.map(|row| row.field("is_hidden")).transpose()?.unwrap_or(false))
}

/// Returns the newest decisions before a number, the newest first.
pub(crate) async fn page(reader: &mut Connection, before: u64, limit: u32) -> Result<Vec<Decision>, sqlx::Error> {
    let sql =
        format!("SELECT {} FROM decision WHERE number < $1 ORDER BY number DESC LIMIT $2", Decision::of("decision"));
    let query = sql::query(AssertSqlSafe(sql)).bind(column(before)).bind(i64::from(limit));
    query.rows(reader, Decision::from_row).await
}

/// Adds a decision with the next number, and returns it.
pub(crate) async fn insert(
    writer: &mut Connection,
    decided_at: Timestamp,
    item: Item,
    is_hidden: bool,
    reason: &str,
) -> Result<Decision, sqlx::Error> {
    let newest: i64 =
        sql::query_scalar("SELECT COALESCE(MAX(number), 0) FROM decision").fetch_one(&mut *writer).await?;
    let number = position("number", newest)? + 1;
    let decision = Decision { number, decided_at, item, is_hidden, reason: reason.to_owned() };
    let mut bulk = INSERT.rows();
    bulk.row(decision.values());
    bulk.execute(writer).await?;
    Ok(decision)
}

/// Adds decisions of another database that this one lacks, in the order of their times, and returns the accounts that they
/// are about.
pub(crate) async fn merge(writer: &mut Connection, others: Vec<Decision>) -> Result<BTreeSet<AccountId>, sqlx::Error> {
    let key = |decision: &Decision| (decision.decided_at, decision.item, decision.is_hidden, decision.reason.clone());
    let mut all = rows(writer).await?;
    let known: BTreeSet<_> = all.iter().map(key).collect();
    let missing: Vec<Decision> = others.into_iter().filter(|decision| !known.contains(&key(decision))).collect();
    let accounts = missing.iter().map(|decision| decision.item.account).collect();
    if missing.is_empty() {
        return Ok(accounts);
    }
    all.extend(missing);
    all.sort_by_key(|decision| (decision.decided_at, decision.number));
    sql::query("DELETE FROM decision").execute(writer).await?;
    let mut bulk = INSERT.rows();
    for (number, decision) in (1..).zip(all) {
        bulk.row(Decision { number, ..decision }.values());
    }
    bulk.execute(writer).await?;
    Ok(accounts)
}

/// Finds the item with an id: one that others can find at the moment, or one about which something was decided.
pub(crate) async fn find(reader: &mut Connection, target: Target, link: DocId) -> Result<Option<Item>, sqlx::Error> {
    let shown = match target {
        Target::Account => shown_account(reader, link).await?,
        Target::Drive => shown_drive(reader, link).await?,
        Target::Meet => shown_meet(reader, link).await?,
        // Several accounts may use one id.
        Target::Comment => None,
    };
    if shown.is_some() {
        return Ok(shown);
    }
    let columns = Item::of("decision");
    let sql = format!("SELECT {columns} FROM decision WHERE link = $1 AND target = $2 ORDER BY number DESC LIMIT 1");
    let row = sql::query(AssertSqlSafe(sql)).bind(link).bind(target).row(reader).await?;
    row.map(|row| Item::from_row(&row)).transpose()
}

async fn shown_account(reader: &mut Connection, link: DocId) -> Result<Option<Item>, sqlx::Error> {
    let account = AccountId::from_bytes(*link.as_bytes());
    let is_there = accounts::exists(reader, account).await?;
    Ok(is_there.then_some(Item { account, target: Target::Account, item: link, link }))
}

async fn shown_drive(reader: &mut Connection, link: DocId) -> Result<Option<Item>, sqlx::Error> {
    let Some((account, _)) = published::audience(reader, link).await? else { return Ok(None) };
    // The copy that is made when the drive is published again, or its link renewed, is the same item.
    let item = drives::with_copy(reader, account, link).await?.unwrap_or(link);
    Ok(Some(Item { account, target: Target::Drive, item, link }))
}

async fn shown_meet(reader: &mut Connection, link: DocId) -> Result<Option<Item>, sqlx::Error> {
    let Some(account) = meets::owner(reader, link).await? else { return Ok(None) };
    let item = meets::document_found_by(reader, account, link).await?;
    Ok(item.map(|item| Item { account, target: Target::Meet, item, link }))
}

/// Returns a comment as an item, if it is shown, or if something was decided about it.
pub(crate) async fn find_comment(
    reader: &mut Connection,
    account: AccountId,
    drive: DocId,
    comment: DocId,
) -> Result<Option<Item>, sqlx::Error> {
    let item = Item { account, target: Target::Comment, item: comment, link: drive };
    let doc = social::about(&account, &drive);
    let shown = comments::stored_with_ids(reader, account, doc, &[comment]).await?;
    let is_shown = shown.iter().any(|(_, comment)| comment.drive == drive);
    let is_known = rows_of(reader, account).await?.iter().any(|decision| decision.item == item);
    Ok((is_shown || is_known).then_some(item))
}

/// Returns whether others may see something that is derived from documents of a kind, besides drives and cars.
pub(crate) fn is_public(kind: DocKind) -> bool {
    match kind {
        DocKind::Profile | DocKind::Published | DocKind::Social | DocKind::Meet => true,
        DocKind::Settings | DocKind::Car | DocKind::Drive | DocKind::Track => false,
    }
}

/// Returns the documents from which an item is derived; none for an account.
pub(crate) async fn documents_of(reader: &mut Connection, item: &Item) -> Result<Vec<DocId>, sqlx::Error> {
    let Item { account, target, item, link } = *item;
    Ok(match target {
        Target::Account => Vec::new(),
        Target::Meet => vec![item],
        Target::Comment => vec![social::about(&account, &link)],
        Target::Drive => {
            let copy = drives::record(reader, account, item).await?.and_then(|drive| drive.published);
            [link].into_iter().chain(copy.filter(|copy| *copy != link)).collect()
        }
    })
}
