//! One statement for many rows: a transaction executes a few statements, however many rows it writes.

use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::{Connection, Engine, Query, SqlRow, Value};

/// The numbers of rows of one statement, if there are more than a few, the largest first: with few different texts an
/// engine can keep all of them prepared.
const GROUPS: [usize; 3] = [64, 32, 16];

/// Rows for one table, with the text before and after their values.
#[must_use]
#[derive(Debug)]
pub(crate) struct Bulk {
    before: &'static str,
    after: &'static str,
    /// The number of values of a row.
    columns: usize,
    /// The values of all rows, row by row.
    values: Vec<Value>,
}

impl Bulk {
    /// Creates a statement without rows. It begins with `INSERT INTO … VALUES ` and may end with `ON CONFLICT …`. No
    /// two of its rows may have the same key.
    pub(crate) fn new(before: &'static str, after: &'static str) -> Bulk {
        Bulk { before, after, columns: 0, values: Vec::new() }
    }

    /// Adds a row. All rows must have the same number of values.
    pub(crate) fn row(&mut self, values: impl IntoIterator<Item = Value>) {
        let (before, is_first) = (self.values.len(), self.values.is_empty());
        self.values.extend(values);
        let added = self.values.len() - before;
        self.columns = if is_first { added } else { self.columns };
        debug_assert_eq!(self.columns, added, "{}", self.before);
    }

    /// Writes the rows and returns their number.
    pub(crate) async fn execute(self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        let (mut rest, mut written) = (self.values.into_iter(), 0);
        // SQLite searches the name of each parameter among all names, which takes longer than writing the rows if there
        // are hundreds. Parameters without names are numbered in order.
        let has_names = matches!(connection.engine(), Engine::Postgres(_));
        let tuple = |row| {
            let values = if has_names {
                parameters(row * self.columns, self.columns)
            } else {
                vec!["?"; self.columns].join(", ")
            };
            format!("({values})")
        };
        while let Some(count) = group(rest.len() / self.columns.max(1)) {
            let tuples: Vec<String> = (0..count).map(tuple).collect();
            let sql = AssertSqlSafe(format!("{}{} {}", self.before, tuples.join(", "), self.after)).into_sql_str();
            let values = rest.by_ref().take(count * self.columns).collect();
            written += Query { sql, values }.execute(connection).await?;
        }
        Ok(written)
    }
}

/// Deletes the rows with these keys. The statement ends with `IN `; its parameters `of` come before the keys.
pub(crate) async fn delete_each<K: Copy + Into<Value>>(
    connection: &mut Connection,
    before: &str,
    of: &[impl Copy + Into<Value>],
    keys: &[K],
) -> Result<(), sqlx::Error> {
    let mut rest = keys;
    while let Some(count) = group(rest.len()) {
        let (these, others) = rest.split_at(count);
        rest = others;
        of_these(before, of, these).execute(connection).await?;
    }
    Ok(())
}

/// Returns the rows with these keys. The first part of the statement ends with `IN `; its parameters `of` come before
/// the keys.
pub(crate) async fn rows_of_each<K: Copy + Into<Value>, T>(
    connection: &mut Connection,
    before: &str,
    of: &[impl Copy + Into<Value>],
    keys: &[K],
    read: impl Fn(&SqlRow) -> Result<T, sqlx::Error>,
) -> Result<Vec<T>, sqlx::Error> {
    let (mut rest, mut rows) = (keys, Vec::new());
    while let Some(count) = group(rest.len()) {
        let (these, others) = rest.split_at(count);
        rest = others;
        rows.extend(of_these(before, of, these).rows(connection, &read).await?);
    }
    Ok(rows)
}

/// Returns a statement with some keys.
fn of_these<K: Copy + Into<Value>>(before: &str, of: &[impl Copy + Into<Value>], keys: &[K]) -> Query {
    let sql = AssertSqlSafe(format!("{before}({})", parameters(of.len(), keys.len()))).into_sql_str();
    let values = of.iter().map(|value| (*value).into()).chain(keys.iter().map(|key| (*key).into())).collect();
    Query { sql, values }
}

/// Returns the number of keys of the next statement; none if no keys are left.
pub(crate) fn group(left: usize) -> Option<usize> {
    if left == 0 { None } else { Some(GROUPS.into_iter().find(|count| *count <= left).unwrap_or(left)) }
}

/// Returns `count` parameters after the first `before` ones: `$1, $2, $3`.
pub(crate) fn parameters(before: usize, count: usize) -> String {
    (before + 1..=before + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::{Database, Durability};

    #[tokio::test]
    async fn any_number_of_rows_is_written_once_each() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer =
            Database::open(&folder.path().join("x.sqlite").into(), None, Durability::EveryCommit).await.unwrap().writer;
        super::super::query("CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)").execute(&mut writer).await.unwrap();
        for count in [0, 1, 2, 15, 64 + 32 + 16 + 7, 1_000] {
            let mut bulk = Bulk::new("INSERT INTO t (a, b) VALUES ", "ON CONFLICT (a) DO UPDATE SET b = excluded.b");
            (0..count).for_each(|a: i64| bulk.row([a.into(), format!("{count}").as_str().into()]));
            assert_eq!(bulk.execute(&mut writer).await.unwrap(), count.unsigned_abs());
            let of_this: i64 = super::super::query_scalar("SELECT COUNT(*) FROM t WHERE b = $1")
                .bind(format!("{count}").as_str())
                .fetch_one(&mut writer)
                .await
                .unwrap();
            assert_eq!(of_this, count);
        }
    }
}
