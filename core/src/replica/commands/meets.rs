//! Commands about meets: one's own, and those of others that one may change.

use crate::docs::meet::{self, MeetFields, MeetRow};
use crate::id::{AccountId, DocId};
use crate::projection::Row;
use crate::replica::Replica;
use crate::replica::commands::{Put, Stop, check};
use crate::replica::io::{CommandError, Topic};
use crate::time::Now;
use crate::wire::DocKind;

impl Replica {
    pub(super) fn put_meet(
        &mut self,
        now: Now,
        meet: Option<DocId>,
        fields: &MeetFields,
    ) -> Result<Option<DocId>, Stop> {
        check(fields.is_valid())?;
        let (id, seen) = match meet {
            Some(id) => (id, Some(self.own_meet(&id)?.fields.clone())),
            None => (self.new_doc_id(now), None),
        };
        self.change_meet(id, &|doc| meet::put(doc, now.wall, None, seen.as_ref(), fields))?;
        Ok(Some(id))
    }

    pub(super) fn amend_meet(
        &mut self,
        now: Now,
        meet: DocId,
        seen: &MeetFields,
        fields: &MeetFields,
    ) -> Result<Option<DocId>, Stop> {
        check(fields.is_valid())?;
        let amendment = meet::amendment(&self.identity.account, &meet);
        self.change_meet(amendment, &|doc| meet::put(doc, now.wall, Some(&meet), Some(seen), fields))?;
        Ok(Some(meet))
    }

    pub(super) fn cancel_meet(&mut self, now: Now, meet: DocId) -> Result<Option<DocId>, Stop> {
        let seen = self.own_meet(&meet)?.fields.clone();
        let cancelled = MeetFields { cancelled: true, ..seen.clone() };
        self.change_meet(meet, &|doc| meet::put(doc, now.wall, None, Some(&seen), &cancelled))?;
        Ok(Some(meet))
    }

    pub(super) fn grant_organiser(
        &mut self,
        meet: DocId,
        account: AccountId,
        may: bool,
    ) -> Result<Option<DocId>, Stop> {
        check(account != self.identity.account)?;
        let row = self.own_meet(&meet)?;
        let is_known = row.organisers.iter().any(|(known, _)| *known == account);
        if !is_known && row.organisers.len() >= meet::MAX_ORGANISERS {
            return Err(CommandError::TooMany.into());
        }
        if !is_known && !may {
            return Ok(Some(meet));
        }
        self.change_meet(meet, &|doc| meet::grant(doc, &account, may))?;
        Ok(Some(meet))
    }

    /// What is known of one's own meet, once its document is in memory.
    fn own_meet(&mut self, meet: &DocId) -> Result<&MeetRow, Stop> {
        self.ready(meet, DocKind::Meet)?;
        match self.shelf.row(meet) {
            Some(Row::Meet(row)) if row.amends.is_none() => Ok(row),
            _ => Err(CommandError::NotFound.into()),
        }
    }

    fn change_meet(&mut self, doc: DocId, put: &Put<'_>) -> Result<(), Stop> {
        self.topics.insert(Topic::Meets);
        self.put(doc, DocKind::Meet, put)
    }
}
