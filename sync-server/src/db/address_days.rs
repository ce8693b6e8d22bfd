//! The table `address_day`: bytes that new accounts pushed from an address on a day.

use super::sql::{self, Bulk, Connection};
use super::{column, position};
use crate::clients::limits::SourceName;

/// Returns the bytes pushed from an address on a day.
pub(crate) async fn bytes(reader: &mut Connection, day: i64, source: SourceName) -> Result<u64, sqlx::Error> {
    let sql = "SELECT bytes FROM address_day WHERE day = $1 AND source = $2";
    let bytes: Option<i64> = sql::query_scalar(sql).bind(day).bind(source.0.as_slice()).fetch_optional(reader).await?;
    position("bytes", bytes.unwrap_or(0))
}

/// Writes the bytes pushed from addresses on a day, and deletes earlier days.
pub(crate) async fn write(
    writer: &mut Connection,
    day: i64,
    bytes: impl Iterator<Item = (SourceName, u64)>,
) -> Result<(), sqlx::Error> {
    let mut bulk = Bulk::new(
        "INSERT INTO address_day (day, source, bytes) VALUES ",
        "ON CONFLICT (day, source) DO UPDATE SET bytes = excluded.bytes",
    );
    let mut is_any = false;
    for (source, bytes) in bytes {
        is_any = true;
        bulk.row([day.into(), source.0.as_slice().into(), column(bytes).into()]);
    }
    if is_any {
        bulk.execute(writer).await?;
        sql::query("DELETE FROM address_day WHERE day < $1").bind(day).execute(writer).await?;
    }
    Ok(())
}
