//! Checks the membership statements of an account, and derives again what follows from them.

use tourismo_core::id::AccountId;
use tourismo_core::membership::{Members, MembershipSet, Statement};
use tourismo_core::time::Timestamp;

use super::check::{Finding, Report};
use crate::db::accounts::{self, DeviceRow};
use crate::db::membership::{self, StoredStatement};
use crate::db::sql::Connection;

/// Reports statements that nobody signed, and derived data that differs.
pub(super) async fn compare(
    reader: &mut Connection,
    account: AccountId,
    report: &mut Report,
) -> Result<(), sqlx::Error> {
    let stored = membership::stored(reader, account).await?;
    let Some(statements) = authentic(account, &stored) else {
        report.findings.push(Finding::Statement { account });
        return Ok(());
    };
    let set = membership::read(reader, account).await?;
    let devices = accounts::all_devices(reader, account).await?;
    let members = members_of(&set, &devices);
    let (_, digest) = accounts::head_and_membership(reader, account).await?;
    let is_named = |(row, statement): (&StoredStatement, &Statement)| {
        row.id == statement.id(&account).0 && row.lookup == membership::lookup_of(statement)
    };
    let are_named = stored.iter().zip(&statements).all(is_named);
    let are_right = devices.iter().all(|row| members.is_member(&row.device) == row.removed_at.is_none());
    if digest != set.digest() || !are_named || !are_right {
        report.findings.push(Finding::Membership { account });
    }
    Ok(())
}

/// Derives names, digest and removed devices again, if all statements are authentic.
pub(super) async fn derive_again(writer: &mut Connection, account: AccountId) -> Result<(), sqlx::Error> {
    if authentic(account, &membership::stored(writer, account).await?).is_none() {
        return Ok(());
    }
    let set = membership::read(writer, account).await?;
    let devices = accounts::all_devices(writer, account).await?;
    membership::remove_all(writer, account).await?;
    membership::insert(writer, account, &set.received(), set.digest()).await?;
    membership::update_devices(writer, account, &members_of(&set, &devices), last_time(&devices)).await
}

/// Returns the statements, if every one is signed for this account.
fn authentic(account: AccountId, stored: &[StoredStatement]) -> Option<Vec<Statement>> {
    let read = |row: &StoredStatement| {
        let statement: Statement = minicbor::decode(&row.statement).ok()?;
        statement.verify(&account).is_ok().then_some(statement)
    };
    stored.iter().map(read).collect()
}

/// Returns the members at the last time of the relay's clock that is stored.
fn members_of(set: &MembershipSet, devices: &[DeviceRow]) -> Members {
    set.evaluate(last_time(devices))
}

/// Returns the last time at which a device was added or seen.
fn last_time(devices: &[DeviceRow]) -> Timestamp {
    let times = devices.iter().flat_map(|row| [Some(row.added_at), row.seen_at]).flatten();
    times.max().unwrap_or(Timestamp(0))
}
