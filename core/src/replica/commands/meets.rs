//! Commands about meets: an own meet, and another account's meet as a co-organiser.

use crate::docs::automerge_doc;
use crate::docs::meet::{self, MeetFields, MeetRow};
use crate::id::{AccountId, DocId};
use crate::projection::DocumentRow;
use crate::replica::Replica;
use crate::replica::commands::DocumentEdit;
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
    ) -> Result<Option<DocId>, CommandError> {
        let (doc, seen) = match meet {
            Some(meet) => {
                let (doc, row) = self.own_meet(&meet)?;
                (doc, Some(row.fields.clone()))
            }
            None => (self.device.new_bound_id(), None),
        };
        let at = after(now, seen_at)?;
        self.change_own_meet(doc, &|doc| meet::put(doc, at, None, seen.as_ref(), fields))
    }

    /// Gives a meet another link; the old one shows nothing from then on.
    pub(super) fn renew_meet_link(
        &mut self,
        now: Now,
        meet: DocId,
        fields: &MeetFields,
        seen_at: Option<Timestamp>,
    ) -> Result<Option<DocId>, CommandError> {
        let (doc, _) = self.own_meet(&meet)?;
        let (account, at) = (self.device.identity.account, after(now, seen_at)?);
        self.change_own_meet(doc, &|doc| meet::renew(doc, &account, at, fields))
    }

    pub(super) fn amend_meet(
        &mut self,
        now: Now,
        meet: DocId,
        seen: &MeetFields,
        fields: &MeetFields,
        seen_at: Option<Timestamp>,
    ) -> Result<Option<DocId>, CommandError> {
        let amendment = meet::amendment(&self.device.identity.account, &meet);
        let at = after(now, seen_at)?;
        self.change_meet(amendment, &|doc| meet::put(doc, at, Some(&meet), Some(seen), fields))?;
        Ok(Some(meet))
    }

    pub(super) fn cancel_meet(
        &mut self,
        now: Now,
        meet: DocId,
        seen_at: Option<Timestamp>,
    ) -> Result<Option<DocId>, CommandError> {
        let (doc, row) = self.own_meet(&meet)?;
        let seen = row.fields.clone();
        let cancelled = MeetFields { cancelled: true, ..seen.clone() };
        let at = after(now, seen_at)?;
        self.change_own_meet(doc, &|doc| meet::put(doc, at, None, Some(&seen), &cancelled))
    }

    pub(super) fn grant_organiser(
        &mut self,
        meet: DocId,
        account: AccountId,
        may: bool,
    ) -> Result<Option<DocId>, CommandError> {
        let (doc, row) = self.own_meet(&meet)?;
        let is_known = row.organisers.iter().any(|(known, _)| *known == account);
        if !is_known && row.organisers.len() >= meet::MAX_ORGANISERS {
            return Err(CommandError::TooMany);
        }
        if !is_known && !may {
            return Ok(Some(meet));
        }
        self.change_own_meet(doc, &|doc| meet::grant(doc, &account, may))
    }

    /// Returns the document of an own meet. A meet is found by its newest link and by the id of its document: the app
    /// may still show the link from before another device renewed it.
    pub(super) fn document_of_meet(&self, meet: &DocId) -> DocId {
        let account = self.device.identity.account;
        let is_it = |(doc, row): &(&DocId, &DocumentRow)| match row {
            DocumentRow::Meet(row) => row.link_id(&account, doc) == Some(*meet),
            _ => false,
        };
        self.documents.rows().find(is_it).map_or(*meet, |(doc, _)| *doc)
    }

    /// Returns the document and the row of an own meet.
    pub(super) fn own_meet(&self, meet: &DocId) -> Result<(DocId, &MeetRow), CommandError> {
        let doc = self.document_of_meet(meet);
        match self.documents.row(&doc) {
            Some(DocumentRow::Meet(row)) if row.amends.is_none() => Ok((doc, row)),
            _ => Err(CommandError::NotFound),
        }
    }

    /// Changes an own meet and returns the id of its link.
    fn change_own_meet(&mut self, doc: DocId, put: &DocumentEdit<'_>) -> Result<Option<DocId>, CommandError> {
        self.change_meet(doc, put)?;
        Ok(match self.documents.row(&doc) {
            Some(DocumentRow::Meet(row)) => row.link_id(&self.device.identity.account, &doc),
            _ => None,
        })
    }

    fn change_meet(&mut self, doc: DocId, put: &DocumentEdit<'_>) -> Result<(), CommandError> {
        self.output.topics.insert(Topic::Meets);
        self.edit_or_create(doc, DocKind::Meet, put)
    }
}

/// Returns the time of an edit, which must be later than the edit that its author had seen: this phone's time, or just
/// after the seen one, whose author's clock may be ahead.
fn after(now: Now, seen_at: Option<Timestamp>) -> Result<Timestamp, CommandError> {
    let at = seen_at.map_or(now.wall, |seen_at| now.wall.max(Timestamp(seen_at.as_millis().saturating_add(1))));
    if automerge_doc::is_sane(&at) { Ok(at) } else { Err(CommandError::Invalid) }
}
