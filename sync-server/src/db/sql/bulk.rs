//! One statement for many rows: what a transaction writes goes to the engine in a few statements, however many rows it is.

use sqlx::{AssertSqlSafe, SqlSafeStr};

use super::{Connection, Engine, Query, SqlRow, Value};

/// How many rows one statement has if there are more than a few, most first: an engine meets few texts, and remembers how to
/// do each.
const GROUPS: [usize; 3] = [64, 32, 16];

/// Rows for one table, and what is said before and after their values.
#[must_use]
#[derive(Debug)]
pub(crate) struct Bulk {
    before: &'static str,
    after: &'static str,
    /// How many values a row has.
    columns: usize,
    /// The values of all rows, one row after the other.
    values: Vec<Value>,
}

impl Bulk {
    /// A statement without rows. It begins with `INSERT INTO … VALUES ` and may end with `ON CONFLICT …`. No two
    /// of its rows may have the same key.
    pub(crate) fn new(before: &'static str, after: &'static str) -> Bulk {
        Bulk { before, after, columns: 0, values: Vec::new() }
    }

    /// Adds a row. All rows have the same number of values.
    pub(crate) fn row(&mut self, values: impl IntoIterator<Item = Value>) {
        let (before, is_first) = (self.values.len(), self.values.is_empty());
        self.values.extend(values);
        let added = self.values.len() - before;
        self.columns = if is_first { added } else { self.columns };
        debug_assert_eq!(self.columns, added, "{}", self.before);
    }

    /// Writes the rows, and says how many that was.
    pub(crate) async fn execute(self, connection: &mut Connection) -> Result<u64, sqlx::Error> {
        let (mut rest, mut written) = (self.values.into_iter(), 0);
        // SQLite looks for the name of each parameter among all names: of some hundred parameters that takes longer than to
        // write the rows. Those without a name are in their order.
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

/// Deletes the rows with these keys. The statement ends with `IN `; it has the parameters `of` before the keys.
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

/// The rows with these keys. The statement's first part ends with `IN `; it has the parameters `of` before the keys.
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

/// A statement about some keys.
fn of_these<K: Copy + Into<Value>>(before: &str, of: &[impl Copy + Into<Value>], keys: &[K]) -> Query {
    let sql = AssertSqlSafe(format!("{before}({})", parameters(of.len(), keys.len()))).into_sql_str();
    let values = of.iter().map(|value| (*value).into()).chain(keys.iter().map(|key| (*key).into())).collect();
    Query { sql, values }
}

/// How many of so many the next statement is about; none if none are left.
pub(crate) fn group(left: usize) -> Option<usize> {
    if left == 0 { None } else { Some(GROUPS.into_iter().find(|count| *count <= left).unwrap_or(left)) }
}

/// `count` parameters after the first `before` ones: `$1, $2, $3`.
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
