//! Cars and their logbooks: the tables `car` and `car_log`.

use tourismo_core::docs::{CarFields, LogItem};
use tourismo_core::id::{AccountId, DocId};

use super::Derived;
use crate::db::cars;
use crate::db::sql::Connection;

/// Returns the rows of a car, the logbook ascending by id.
pub(super) fn derive(fields: CarFields, mut log: Vec<LogItem>) -> Derived {
    log.sort_by_key(|item| item.id);
    Derived::Car(fields, log)
}

/// Replaces the rows of many cars, without their logbooks.
pub(in crate::writer::projector) async fn apply(
    writer: &mut Connection,
    cars: &[(AccountId, DocId, &CarFields)],
) -> Result<(), sqlx::Error> {
    cars::replace(writer, cars).await
}

/// Replaces the stored logbook by the derived one (diff).
pub(in crate::writer::projector) async fn apply_log(
    writer: &mut Connection,
    owner: AccountId,
    id: DocId,
    before: Option<&Derived>,
    log: &[LogItem],
) -> Result<(), sqlx::Error> {
    let read;
    let stored: &[LogItem] = match before {
        Some(Derived::Car(_, log)) => log,
        Some(_) => &[],
        None => {
            read = cars::logbook(writer, owner, id).await?;
            &read
        }
    };
    cars::replace_log(writer, owner, id, stored, log).await
}

/// Removes the rows of a car, if it has any.
pub(super) async fn remove(writer: &mut Connection, owner: AccountId, id: DocId) -> Result<(), sqlx::Error> {
    cars::remove(writer, owner, id).await
}

/// Reads the rows of a car.
pub(super) async fn stored(
    reader: &mut Connection,
    owner: AccountId,
    id: DocId,
) -> Result<Option<Derived>, sqlx::Error> {
    match cars::record(reader, owner, id).await? {
        Some(fields) => Ok(Some(Derived::Car(fields, cars::logbook(reader, owner, id).await?))),
        None => Ok(None),
    }
}

/// Returns the number of rows.
pub(super) fn count(log: &[LogItem]) -> u64 {
    1 + log.len() as u64
}
