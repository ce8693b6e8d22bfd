//! The table `membership`: the signed statements about the keys of each account, and what follows from them for `device`.

use tourismo_core::id::{AccountId, DeviceKey};
use tourismo_core::membership::{
    Claim, Members, MembershipDigest, MembershipSet, ReceivedStatement, Statement, recovery_lookup,
};
use tourismo_core::time::Timestamp;

use super::sql::{self, Bulk, Connection};
use super::{account_id, damaged, fixed};

/// Maximum accounts that a lookup returns. A key accepts each of them with a signature of its own.
const MAX_FOUND: u32 = 4;

/// Reads the statements of an account, and the devices that were let in before there were statements.
pub(crate) async fn read(connection: &mut Connection, account: AccountId) -> Result<MembershipSet, sqlx::Error> {
    let mut set = MembershipSet::new(account);
    let sql = "SELECT statement, received_at FROM membership WHERE account = $1 ORDER BY id";
    let rows: Vec<(Vec<u8>, i64)> = sql::query(sql).bind(account).fetch_all(&mut *connection).await?;
    for (bytes, received_at) in rows {
        let statement: Statement = minicbor::decode(&bytes).map_err(|_| damaged("statement"))?;
        set.restore(statement, Some(Timestamp(received_at)));
    }
    let sql = "SELECT device, granted_by FROM device WHERE account = $1 ORDER BY device";
    let rows: Vec<(Vec<u8>, Option<Vec<u8>>)> = sql::query(sql).bind(account).fetch_all(connection).await?;
    for (device, granted_by) in rows {
        let granted_by = granted_by.map(|key| fixed("granted_by", &key)).transpose()?;
        set.assume(DeviceKey(fixed("device", &device)?), granted_by.map(DeviceKey));
    }
    Ok(set)
}

/// A row of a statement.
#[derive(Clone, Debug)]
pub(crate) struct StoredStatement {
    pub(crate) id: Vec<u8>,
    /// CBOR.
    pub(crate) statement: Vec<u8>,
    pub(crate) lookup: Option<Vec<u8>>,
}

/// Reads the rows of an account's statements without decoding them.
pub(crate) async fn stored(
    connection: &mut Connection,
    account: AccountId,
) -> Result<Vec<StoredStatement>, sqlx::Error> {
    type Row = (Vec<u8>, Vec<u8>, Option<Vec<u8>>);
    let sql = "SELECT id, statement, lookup FROM membership WHERE account = $1 ORDER BY id";
    let rows: Vec<Row> = sql::query(sql).bind(account).fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(id, statement, lookup)| StoredStatement { id, statement, lookup }).collect())
}

/// Removes the statements of an account, before they are inserted again.
pub(crate) async fn remove_all(writer: &mut Connection, account: AccountId) -> Result<(), sqlx::Error> {
    sql::query("DELETE FROM membership WHERE account = $1").bind(account).execute(writer).await.map(drop)
}

/// Returns the lookup of an enrolment. `[G8]`
pub(crate) fn lookup_of(statement: &Statement) -> Option<Vec<u8>> {
    match statement.claim {
        Claim::Enrol { .. } => Some(recovery_lookup(&statement.subject).to_vec()),
        Claim::Grant | Claim::Revoke { .. } | Claim::Object => None,
    }
}

/// Adds new statements, and writes the digest of all.
pub(crate) async fn insert(
    writer: &mut Connection,
    account: AccountId,
    statements: &[ReceivedStatement],
    digest: MembershipDigest,
) -> Result<(), sqlx::Error> {
    let mut bulk = Bulk::new("INSERT INTO membership (account, id, statement, lookup, received_at) VALUES ", "");
    for ReceivedStatement { statement, received_at } in statements {
        let bytes = minicbor::to_vec(statement).map_err(|_| damaged("statement"))?;
        bulk.row([
            account.into(),
            statement.id(&account).0.as_slice().into(),
            bytes.into(),
            lookup_of(statement).into(),
            received_at.as_millis().into(),
        ]);
    }
    bulk.execute(writer).await?;
    set_digest(writer, account, digest).await
}

/// Writes the digest of all statements of an account.
pub(crate) async fn set_digest(
    writer: &mut Connection,
    account: AccountId,
    digest: MembershipDigest,
) -> Result<(), sqlx::Error> {
    let sql = "UPDATE account SET membership = $2 WHERE account = $1";
    let digest = (digest != MembershipDigest::default()).then_some(digest.0.to_vec());
    sql::query(sql).bind(account).bind(digest).execute(writer).await.map(drop)
}

/// Keeps a device in the account, also after the device that let it in was removed.
pub(crate) async fn detach(writer: &mut Connection, account: AccountId, device: DeviceKey) -> Result<(), sqlx::Error> {
    let sql = "UPDATE device SET granted_by = NULL WHERE account = $1 AND device = $2";
    sql::query(sql).bind(account).bind(device.0.as_slice()).execute(writer).await.map(drop)
}

/// Writes which devices of the account are removed, and which are members again.
pub(crate) async fn update_devices(
    writer: &mut Connection,
    account: AccountId,
    members: &Members,
    at: Timestamp,
) -> Result<(), sqlx::Error> {
    let sql = "SELECT device, removed_at FROM device WHERE account = $1 ORDER BY device";
    let rows: Vec<(Vec<u8>, Option<i64>)> = sql::query(sql).bind(account).fetch_all(&mut *writer).await?;
    for (device, removed_at) in rows {
        let is_member = members.is_member(&DeviceKey(fixed("device", &device)?));
        if is_member == removed_at.is_some() {
            let removed_at = (!is_member).then(|| at.as_millis());
            let sql = "UPDATE device SET removed_at = $3 WHERE account = $1 AND device = $2";
            sql::query(sql).bind(account).bind(device.as_slice()).bind(removed_at).execute(&mut *writer).await?;
        }
    }
    Ok(())
}

/// Finds the accounts that enrolled a recovery key, by the hash of the key.
pub(crate) async fn accounts_of(connection: &mut Connection, lookup: [u8; 32]) -> Result<Vec<AccountId>, sqlx::Error> {
    let sql = "SELECT account FROM membership WHERE lookup = $1 ORDER BY account LIMIT $2";
    let query = sql::query_scalar(sql).bind(lookup.as_slice()).bind(i64::from(MAX_FOUND));
    let ids: Vec<Vec<u8>> = query.fetch_all(connection).await?;
    ids.iter().map(|id| account_id(id)).collect()
}
