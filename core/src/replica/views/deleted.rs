//! The drives, cars and meets that are deleted and can still be restored.

use std::cmp::Reverse;

use serde::Serialize;

use crate::id::DocId;
use crate::kind::DocKind;
use crate::projection::DocumentRow;
use crate::replica::Replica;
use crate::sorting::sort_by_key;
use crate::time::Timestamp;

/// A deleted drive, car or meet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DeletedView {
    /// The document: the argument of [`Command::Restore`](crate::replica::io::Command::Restore) and
    /// [`Command::Erase`](crate::replica::io::Command::Erase).
    pub id: DocId,
    /// Its kind.
    pub kind: DocKind,
    /// The title of a drive or meet, or the name of a car; may be empty.
    pub name: String,
    /// The start of a drive or meet.
    pub started_at: Option<Timestamp>,
    /// When it is erased; absent for a drive that was deleted by a version without erasure, which stays.
    pub erase_at: Option<Timestamp>,
}

impl Replica {
    /// Returns the deleted documents, the one that is erased last first.
    pub fn deleted(&self) -> Vec<DeletedView> {
        let view = |(id, row): (&DocId, &DocumentRow)| {
            let (name, started_at, erase_at) = match row {
                DocumentRow::Drive(fields) if fields.deleted => {
                    (fields.title.clone(), Some(fields.started_at), fields.erase_at)
                }
                DocumentRow::Car(fields, _, erase_at) => (fields.name(), None, Some((*erase_at)?)),
                DocumentRow::Meet(row) => (row.fields.title.clone(), Some(row.fields.starts_at), Some(row.erase_at?)),
                _ => return None,
            };
            Some(DeletedView { id: *id, kind: row.kind(), name, started_at, erase_at })
        };
        let mut deleted: Vec<DeletedView> = self.documents.rows().filter_map(view).collect();
        sort_by_key(&mut deleted, |one| Reverse((one.erase_at, one.id)));
        deleted
    }
}
