//! Numbers of reactions and comments on drives: from the tables `reaction` and `comment`, for all drives of a page at
//! once.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sqlx::AssertSqlSafe;
use tourismo_core::docs::social::Reaction;
use tourismo_core::id::{AccountId, DocId};

use super::follows::not_blocked_by;
use super::hidden_comments::is_hidden;
use super::sql::{self, Connection, Numbered, SqlRow};
use super::{damaged, doc_in, position};

/// Maximum of a count: larger numbers say little more, and counting everything would be expensive.
pub(crate) const MAX_COUNTED: u64 = 1_000;

/// The engagement of a drive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Engagement {
    /// In the order of [`Reaction::ALL`], each at most [`MAX_COUNTED`].
    pub(crate) reactions: [u64; 4],
    /// At most [`MAX_COUNTED`].
    pub(crate) comments: u64,
    /// The viewer's reaction.
    pub(crate) mine: Option<Reaction>,
}

/// The parameters are the concatenated ids of the drives, those of their owners, and the viewer. Blocks are rare: if
/// neither owner nor viewer blocks anybody, and the owner removed no comment (counted up to one: Postgres would hash the whole
/// table for EXISTS), index entries are counted without reading their authors, fifteen times as
/// fast.
static ENGAGEMENT: LazyLock<String> = LazyLock::new(|| {
    let counted = |table: &str, what: &str, unless: &str| {
        let heard = not_blocked_by(&format!("{table}.account"), 3);
        format!(
            r#"
            CASE page.is_quiet WHEN 1 THEN (
                SELECT COUNT(*) FROM (SELECT 1 FROM {table} WHERE {what} LIMIT {MAX_COUNTED}) uttered
            ) ELSE (
                SELECT COUNT(*) FROM (
                    SELECT 1 FROM {table} WHERE {what}{unless} AND {heard} AND ({table}.account = $3 OR NOT EXISTS (
                        SELECT 1 FROM block WHERE block.account = page.owner AND block.blocked = {table}.account
                    ))
                    LIMIT {MAX_COUNTED}
                ) heard
            ) END
            "#
        )
    };
    let felt = |reaction: Reaction| {
        let kind = reaction.number();
        counted("reaction", &format!("reaction.drive = page.drive AND reaction.kind = {kind}"), "")
    };
    let [likes, wows, roads, cars] = Reaction::ALL.map(felt);
    let comments = counted("comment", "comment.drive = page.drive", &format!(" AND NOT {}", is_hidden("page.owner")));
    format!(
        r#"
        WITH RECURSIVE place (n) AS (SELECT 1 UNION ALL SELECT n + 16 FROM place WHERE n + 16 <= LENGTH($1)),
        asked AS (SELECT SUBSTR($1, place.n, 16) AS drive, SUBSTR($2, place.n, 16) AS owner FROM place),
        page AS MATERIALIZED (
            SELECT asked.drive, asked.owner, CASE
                WHEN EXISTS (SELECT 1 FROM block WHERE block.account = $3) THEN 0
                WHEN EXISTS (SELECT 1 FROM block WHERE block.account = asked.owner) THEN 0
                WHEN (SELECT COUNT(*) FROM (
                    SELECT 1 FROM hidden_comment WHERE hidden_comment.account = asked.owner LIMIT 1
                ) heard) > 0 THEN 0
                ELSE 1
            END AS is_quiet
            FROM asked
        )
        SELECT
            page.drive, {likes} AS likes, {wows} AS wows, {roads} AS roads, {cars} AS cars, {comments} AS comments,
            (SELECT MIN(mine.kind) FROM reaction mine
                WHERE mine.drive = page.drive AND mine.kind IN (0, 1, 2, 3) AND mine.account = $3) AS mine
        FROM page
        "#
    )
});

/// Returns the engagement of each drive, without accounts that its owner or the viewer blocks.
pub(crate) async fn of_drives(
    reader: &mut Connection,
    drives: impl Iterator<Item = (DocId, AccountId)>,
    viewer: Option<AccountId>,
) -> Result<BTreeMap<DocId, Engagement>, sqlx::Error> {
    let (mut ids, mut owners) = (Vec::new(), Vec::new());
    for (drive, owner) in drives {
        ids.extend(drive.as_bytes());
        owners.extend(owner.as_bytes());
    }
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = sql::query(AssertSqlSafe(ENGAGEMENT.as_str())).bind(ids).bind(owners).bind(viewer);
    Ok(query.rows(reader, read).await?.into_iter().collect())
}

/// Returns the engagement of one drive.
pub(crate) async fn of_drive(
    reader: &mut Connection,
    drive: DocId,
    owner: AccountId,
    viewer: Option<AccountId>,
) -> Result<Engagement, sqlx::Error> {
    let said = of_drives(reader, std::iter::once((drive, owner)), viewer).await?;
    Ok(said.into_values().next().unwrap_or_default())
}

fn read(row: &SqlRow) -> Result<(DocId, Engagement), sqlx::Error> {
    let count = |column: &'static str| position(column, row.get(column)?);
    let mine: Option<i64> = row.get("mine")?;
    let said = Engagement {
        reactions: [count("likes")?, count("wows")?, count("roads")?, count("cars")?],
        comments: count("comments")?,
        mine: mine.map(|number| Reaction::from_number(number).ok_or_else(|| damaged("kind"))).transpose()?,
    };
    Ok((doc_in(row, "drive")?, said))
}
