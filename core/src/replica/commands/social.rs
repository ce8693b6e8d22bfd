//! Commands about other people and their content: follows, blocks, reactions, comments, answers.
//!
//! The existence of these people and their content is not checked: without a network it is unknown.

use crate::docs::social::{self, Answer, Comment, HiddenComment, Reaction, Relation, SocialEntry, SocialKey};
use crate::id::{AccountId, DocId};
use crate::projection::DocumentRow;
use crate::replica::Replica;
use crate::replica::io::{CommandError, Topic};
use crate::time::Now;
use crate::wire::DocKind;

impl Replica {
    pub(super) fn relate(
        &mut self,
        now: Now,
        account: AccountId,
        relation: Relation,
        holds: bool,
    ) -> Result<Option<DocId>, CommandError> {
        let doc = social::people(&self.device.identity.account);
        let (subject, word) = match relation {
            Relation::Follow => (SocialKey::Follow(account), SocialEntry::Follow(account, now.wall)),
            Relation::Accept => (SocialKey::Accept(account), SocialEntry::Accept(account)),
            Relation::Block => (SocialKey::Block(account), SocialEntry::Block(account)),
        };
        if !holds {
            if relation == Relation::Block {
                // Another device may have accepted the person while this one blocked them.
                self.put_social_entry(doc, SocialKey::Accept(account), None)?;
            }
            return self.put_social_entry(doc, subject, None);
        }
        if let Some(DocumentRow::Social(row)) = self.documents.row(&doc) {
            let follows = row.follows.iter().any(|(followed, _)| *followed == account);
            match relation {
                // The time of the first follow stays.
                Relation::Follow if follows => return Ok(None),
                Relation::Follow if row.follows.len() >= social::MAX_ENTRIES => {
                    return Err(CommandError::TooMany);
                }
                Relation::Follow | Relation::Accept | Relation::Block => {}
            }
        }
        self.put_social_entry(doc, subject, Some(&word))?;
        if relation == Relation::Block {
            self.put_social_entry(doc, SocialKey::Follow(account), None)?;
            self.put_social_entry(doc, SocialKey::Accept(account), None)?;
        }
        Ok(None)
    }

    pub(super) fn react(&mut self, drive: DocId, reaction: Option<Reaction>) -> Result<Option<DocId>, CommandError> {
        let word = reaction.map(|reaction| SocialEntry::React(drive, reaction));
        self.put_social_entry(self.social_doc(&drive), SocialKey::React(drive), word.as_ref())
    }

    pub(super) fn comment(&mut self, now: Now, drive: DocId, text: &str) -> Result<Option<DocId>, CommandError> {
        let id = self.device.new_doc_id(now);
        let comment = Comment { drive, at: now.wall, text: text.to_owned() };
        self.put_social_entry(
            self.social_doc(&drive),
            SocialKey::Comment(id),
            Some(&SocialEntry::Comment(id, &comment)),
        )?;
        Ok(Some(id))
    }

    pub(super) fn remove_comment(&mut self, drive: DocId, comment: DocId) -> Result<Option<DocId>, CommandError> {
        self.put_social_entry(self.social_doc(&drive), SocialKey::Comment(comment), None)
    }

    pub(super) fn hide_comment(&mut self, hidden: HiddenComment, hides: bool) -> Result<Option<DocId>, CommandError> {
        let word = hides.then_some(SocialEntry::Hide(hidden));
        self.put_social_entry(self.social_doc(&hidden.drive), SocialKey::Hide(hidden.key()), word.as_ref())
    }

    pub(super) fn rsvp(
        &mut self,
        now: Now,
        meet: DocId,
        answer: Option<Answer>,
    ) -> Result<Option<DocId>, CommandError> {
        let word = answer.map(|answer| SocialEntry::Rsvp(meet, answer, now.wall));
        self.put_social_entry(self.social_doc(&meet), SocialKey::Rsvp(meet), word.as_ref())
    }

    fn social_doc(&self, thing: &DocId) -> DocId {
        social::about(&self.device.identity.account, thing)
    }

    /// Adds or removes a social entry.
    fn put_social_entry(
        &mut self,
        doc: DocId,
        subject: SocialKey,
        word: Option<&SocialEntry<'_>>,
    ) -> Result<Option<DocId>, CommandError> {
        self.edit_or_create(doc, DocKind::Social, &|doc| match word {
            Some(word) => social::put(doc, word),
            None => social::remove(doc, &subject),
        })?;
        self.output.topics.insert(Topic::Social);
        Ok(None)
    }
}
