//! The tables `published_drive` and `published_block`: drives that others may see, one by one.

use tourismo_core::docs::Visibility;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;

use super::sql::{self, Connection, Row};
use super::{account_id, column, damaged, position};

/// How many parts the feed's index has.
pub(crate) const BUCKETS: u8 = 16;

/// A drive as it is derived.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct DriveRecord {
    pub(crate) account: AccountId,
    pub(crate) doc: DocId,
    pub(crate) revision: u64,
    pub(crate) sort_at: Timestamp,
    pub(crate) visibility: Visibility,
    pub(crate) started_at: Timestamp,
    pub(crate) title: String,
    pub(crate) car: Option<String>,
    /// JSON, as the API shows it.
    pub(crate) stats: String,
    /// JSON, as the API shows it.
    pub(crate) bbox: Option<String>,
    /// JSON, as the API shows it.
    pub(crate) line: String,
}

/// A drive with what its page shows besides.
#[derive(Clone, Debug)]
pub(crate) struct DrivePage {
    pub(crate) account: AccountId,
    /// Changes whenever anything on the page does.
    pub(crate) revisions: (u64, u64),
    pub(crate) visibility: Visibility,
    pub(crate) started_at: Timestamp,
    pub(crate) title: String,
    pub(crate) car: Option<String>,
    pub(crate) stats: String,
    pub(crate) bbox: Option<String>,
    pub(crate) handle: Option<String>,
    pub(crate) display_name: Option<String>,
}

/// Replaces a drive and the blocks of its track.
pub(crate) async fn replace(
    writer: &mut Connection,
    drive: &DriveRecord,
    blocks: &[Vec<u8>],
) -> Result<(), sqlx::Error> {
    remove(writer, drive.account, drive.doc).await?;
    let sql = r#"
        INSERT INTO published_drive
            (account, doc, revision, bucket, sort_at, visibility, started_at, title, car, stats, bbox, line)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    "#;
    sql::query(sql)
        .bind(drive.account.as_bytes().as_slice())
        .bind(drive.doc.as_bytes().as_slice())
        .bind(column(drive.revision))
        .bind(i64::from(bucket(drive.doc)))
        .bind(drive.sort_at.as_millis())
        .bind(number(drive.visibility))
        .bind(drive.started_at.as_millis())
        .bind(drive.title.as_str())
        .bind(drive.car.as_deref())
        .bind(drive.stats.as_str())
        .bind(drive.bbox.as_deref())
        .bind(drive.line.as_str())
        .execute(&mut *writer)
        .await?;
    for (place, block) in (0i64..).zip(blocks) {
        sql::query("INSERT INTO published_block (account, doc, place, block) VALUES ($1, $2, $3, $4)")
            .bind(drive.account.as_bytes().as_slice())
            .bind(drive.doc.as_bytes().as_slice())
            .bind(place)
            .bind(block.as_slice())
            .execute(&mut *writer)
            .await?;
    }
    Ok(())
}

/// Removes a drive and the blocks of its track, if it is there.
pub(crate) async fn remove(writer: &mut Connection, account: AccountId, doc: DocId) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM published_drive WHERE account = $1 AND doc = $2")
        .bind(account.as_bytes().as_slice())
        .bind(doc.as_bytes().as_slice())
        .execute(writer)
        .await?;
    Ok(())
}

/// Removes all drives with their blocks, to be derived again.
pub(crate) async fn remove_all(writer: &mut Connection) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM published_block").execute(&mut *writer).await?;
    sql::query("DELETE FROM published_drive").execute(writer).await.map(drop)
}

/// How many drives there are.
pub(crate) async fn count(reader: &mut Connection) -> Result<u64, sqlx::Error> {
    position("count", sql::query_scalar("SELECT COUNT(*) FROM published_drive").fetch_one(reader).await?)
}

/// A drive as it was derived; `None` if it is not there, or in another bucket of the feed than its own.
pub(crate) async fn record(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Option<DriveRecord>, sqlx::Error> {
    let sql = r#"
        SELECT revision, sort_at, visibility, started_at, title, car, stats, bbox, line
        FROM published_drive WHERE account = $1 AND doc = $2 AND bucket = $3
    "#;
    let read = |row: Row| {
        Ok(DriveRecord {
            account,
            doc,
            revision: position("revision", row.get("revision")?)?,
            sort_at: Timestamp(row.get("sort_at")?),
            visibility: visibility(row.get("visibility")?)?,
            started_at: Timestamp(row.get("started_at")?),
            title: row.get("title")?,
            car: row.get("car")?,
            stats: row.get("stats")?,
            bbox: row.get("bbox")?,
            line: row.get("line")?,
        })
    };
    sql::query(sql)
        .bind(account.as_bytes().as_slice())
        .bind(doc.as_bytes().as_slice())
        .bind(i64::from(bucket(doc)))
        .row(reader)
        .await?
        .map(read)
        .transpose()
}

/// A drive by its id alone, whoever may see it: the caller must authorize the read.
pub(crate) async fn find(reader: &mut Connection, doc: DocId) -> Result<Option<DrivePage>, sqlx::Error> {
    let sql = r#"
        SELECT
            drive.account, drive.revision, profile.revision AS profile_revision, drive.visibility, drive.started_at,
            drive.title, drive.car, drive.stats, drive.bbox, profile.handle, profile.display_name
        FROM published_drive drive LEFT JOIN profile ON profile.account = drive.account
        WHERE drive.doc = $1
    "#;
    let read = |row: Row| {
        let account: Vec<u8> = row.get("account")?;
        let profile_revision: Option<i64> = row.get("profile_revision")?;
        Ok(DrivePage {
            account: account_id(&account)?,
            revisions: (
                position("revision", row.get("revision")?)?,
                position("revision", profile_revision.unwrap_or(0))?,
            ),
            visibility: visibility(row.get("visibility")?)?,
            started_at: Timestamp(row.get("started_at")?),
            title: row.get("title")?,
            car: row.get("car")?,
            stats: row.get("stats")?,
            bbox: row.get("bbox")?,
            handle: row.get("handle")?,
            display_name: row.get("display_name")?,
        })
    };
    sql::query(sql).bind(doc.as_bytes().as_slice()).row(reader).await?.map(read).transpose()
}

/// The packed blocks of a drive's track, in order.
pub(crate) async fn blocks(
    reader: &mut Connection,
    account: AccountId,
    doc: DocId,
) -> Result<Vec<Vec<u8>>, sqlx::Error> {
    sql::query_scalar("SELECT block FROM published_block WHERE account = $1 AND doc = $2 ORDER BY place")
        .bind(account.as_bytes().as_slice())
        .bind(doc.as_bytes().as_slice())
        .fetch_all(reader)
        .await
}

/// FNV-1a of the id, folded to a bucket. The bits of a UUIDv7 themselves follow the time.
fn bucket(doc: DocId) -> u8 {
    let hash = doc
        .as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 32) as u8 % BUCKETS
}

/// How the column holds a visibility. The feed's index names the number of [`Visibility::Public`].
fn number(visibility: Visibility) -> i64 {
    match visibility {
        Visibility::Private => 0,
        Visibility::Link => 1,
        Visibility::Public => 2,
        Visibility::Followers => 3,
    }
}

fn visibility(number: i64) -> Result<Visibility, sqlx::Error> {
    [Visibility::Private, Visibility::Link, Visibility::Public, Visibility::Followers]
        .into_iter()
        .find(|visibility| self::number(*visibility) == number)
        .ok_or_else(|| damaged("visibility"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_made_one_after_the_other_spread_over_all_buckets() {
        let mut counts = [0; BUCKETS as usize];
        for i in 0..1_600u32 {
            let mut random = [7; 10];
            random[..4].copy_from_slice(&i.wrapping_mul(2_654_435_761).to_le_bytes());
            counts[usize::from(bucket(DocId::new(Timestamp(1_790_000_000_000 + i64::from(i)), random)))] += 1;
        }
        assert!(counts.iter().all(|count| (50..200).contains(count)), "{counts:?}");
    }
}
