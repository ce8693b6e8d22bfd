//! Commands about cars and their logbooks.

use crate::docs::{CarFields, LogEntry, car, logbook};
use crate::id::DocId;
use crate::projection::Row;
use crate::replica::Replica;
use crate::replica::commands::{Put, Stop, check};
use crate::replica::io::{CommandError, Topic};
use crate::time::Now;
use crate::wire::DocKind;

impl Replica {
    pub(super) fn put_car(&mut self, now: Now, car: Option<DocId>, fields: &CarFields) -> Result<Option<DocId>, Stop> {
        check(fields.is_valid() && !fields.name().is_empty())?;
        let id = match car {
            Some(id) => {
                self.ready(&id, DocKind::Car)?;
                id
            }
            None => self.device.new_doc_id(now),
        };
        self.put_in_garage(id, &|doc| car::put(doc, fields))?;
        Ok(Some(id))
    }

    pub(super) fn put_log_entry(
        &mut self,
        now: Now,
        car: DocId,
        entry: Option<DocId>,
        fields: &LogEntry,
    ) -> Result<Option<DocId>, Stop> {
        check(fields.is_valid())?;
        self.ready(&car, DocKind::Car)?;
        let entries = match self.shelf.row(&car) {
            Some(Row::Car(_, log)) => log.len(),
            _ => 0,
        };
        if entry.is_none() && entries >= logbook::MAX_ENTRIES {
            return Err(CommandError::TooMany.into());
        }
        let id = entry.unwrap_or_else(|| self.device.new_doc_id(now));
        self.put_in_garage(car, &|doc| logbook::put(doc, &id, Some(fields)))?;
        Ok(Some(id))
    }

    pub(super) fn remove_log_entry(&mut self, car: DocId, entry: DocId) -> Result<Option<DocId>, Stop> {
        self.ready(&car, DocKind::Car)?;
        self.put_in_garage(car, &|doc| logbook::put(doc, &entry, None))?;
        Ok(Some(entry))
    }

    fn put_in_garage(&mut self, car: DocId, put: &Put<'_>) -> Result<(), Stop> {
        self.output.topics.insert(Topic::Cars);
        self.put(car, DocKind::Car, put)
    }
}
