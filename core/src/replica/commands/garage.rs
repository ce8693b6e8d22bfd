//! Commands about cars and their logbooks.

use crate::docs::{CarFields, LogEntry, car, logbook};
use crate::id::DocId;
use crate::replica::Replica;
use crate::replica::commands::DocumentEdit;
use crate::replica::io::{CommandError, Topic};
use crate::time::Now;
use crate::wire::DocKind;

impl Replica {
    pub(super) fn put_car(
        &mut self,
        now: Now,
        car: Option<DocId>,
        fields: &CarFields,
    ) -> Result<Option<DocId>, CommandError> {
        let id = car.unwrap_or_else(|| self.device.new_doc_id(now));
        self.put_in_garage(id, &|doc| car::put(doc, fields))?;
        Ok(Some(id))
    }

    pub(super) fn put_log_entry(
        &mut self,
        now: Now,
        car: DocId,
        entry: Option<DocId>,
        fields: &LogEntry,
    ) -> Result<Option<DocId>, CommandError> {
        let id = entry.unwrap_or_else(|| self.device.new_doc_id(now));
        self.put_in_garage(car, &|doc| logbook::put(doc, &id, Some(fields)))?;
        Ok(Some(id))
    }

    pub(super) fn remove_log_entry(&mut self, car: DocId, entry: DocId) -> Result<Option<DocId>, CommandError> {
        self.put_in_garage(car, &|doc| logbook::put(doc, &entry, None))?;
        Ok(Some(entry))
    }

    fn put_in_garage(&mut self, car: DocId, put: &DocumentEdit<'_>) -> Result<(), CommandError> {
        self.output.topics.insert(Topic::Cars);
        self.edit_or_create(car, DocKind::Car, put)
    }
}
