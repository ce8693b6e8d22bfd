//! Commands about meets: one's own, and those of others that one may change.

use crate::docs::meet::{self, MeetFields, MeetRow};
use crate::docs::open;
use crate::id::{AccountId, DocId};
use crate::projection::Row;
use crate::replica::Replica;
use crate::replica::commands::{Put, Stop, check};
use crate::replica::io::{CommandError, Topic};
use crate::time::{Now, Timestamp};
use crate::wire::DocKind;

impl Replica {
    pub(super) fn put_meet(
        &mut self,
        now: Now,
        meet: Option<DocId>,
        fields: &MeetFields,
        seen_at: Option<Timestamp>,
    ) -> Result<Option<DocId>, Stop> {
        check(fields.is_valid())?;
        let (id, seen) = match meet {
            Some(id) => (id, Some(self.own_meet(&id)?.fields.clone())),
            None => (self.new_bound_id(), None),
        };
        let at = after(now, seen_at)?;
        self.change_meet(id, &|doc| meet::put(doc, at, None, seen.as_ref(), fields))?;
        Ok(Some(id))
    }

    pub(super) fn amend_meet(
        &mut self,
        now: Now,
        meet: DocId,
        seen: &MeetFields,
        fields: &MeetFields,
        seen_at: Option<Timestamp>,
    ) -> Result<Option<DocId>, Stop> {
        check(fields.is_valid())?;
        let amendment = meet::amendment(&self.identity.account, &meet);
        let at = after(now, seen_at)?;
        self.change_meet(amendment, &|doc| meet::put(doc, at, Some(&meet), Some(seen), fields))?;
        Ok(Some(meet))
    }

    pub(super) fn cancel_meet(
        &mut self,
        now: Now,
        meet: DocId,
        seen_at: Option<Timestamp>,
    ) -> Result<Option<DocId>, Stop> {
        let seen = self.own_meet(&meet)?.fields.clone();
        let cancelled = MeetFields { cancelled: true, ..seen.clone() };
        let at = after(now, seen_at)?;
        self.change_meet(meet, &|doc| meet::put(doc, at, None, Some(&seen), &cancelled))?;
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

/// When something is said that was said after what its author had seen: by this phone's clock, or just after the newest of
/// that, whose author's clock may be ahead.
fn after(now: Now, seen_at: Option<Timestamp>) -> Result<Timestamp, CommandError> {
    let at = seen_at.map_or(now.wall, |seen_at| now.wall.max(Timestamp(seen_at.as_millis().saturating_add(1))));
    if open::is_sane(&at) { Ok(at) } else { Err(CommandError::Invalid) }
}
