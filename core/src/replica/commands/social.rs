//! Commands about other people and their things: follows, blocks, reactions, comments, answers.
//!
//! Nothing here asks whether those people and things exist: with no signal nobody can know.

use crate::docs::social::{self, Answer, Comment, Reaction, Relation, Subject, Word};
use crate::id::{AccountId, DocId};
use crate::projection::Row;
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
            Relation::Follow => (Subject::Follow(account), Word::Follow(account, now.wall)),
            Relation::Accept => (Subject::Accept(account), Word::Accept(account)),
            Relation::Block => (Subject::Block(account), Word::Block(account)),
        };
        if !holds {
            if relation == Relation::Block {
                // Another device may have accepted them at the same time as this one blocked them.
                self.say(doc, Subject::Accept(account), None)?;
            }
            return self.say(doc, subject, None);
        }
        if let Some(Row::Social(row)) = self.shelf.row(&doc) {
            let follows = row.follows.iter().any(|(followed, _)| *followed == account);
            match relation {
                // Since when it was followed first is what stays.
                Relation::Follow if follows => return Ok(None),
                Relation::Follow if row.follows.len() >= social::MAX_ENTRIES => {
                    return Err(CommandError::TooMany);
                }
                Relation::Follow | Relation::Accept | Relation::Block => {}
            }
        }
        self.say(doc, subject, Some(&word))?;
        if relation == Relation::Block {
            self.say(doc, Subject::Follow(account), None)?;
            self.say(doc, Subject::Accept(account), None)?;
        }
        Ok(None)
    }

    pub(super) fn react(&mut self, drive: DocId, reaction: Option<Reaction>) -> Result<Option<DocId>, CommandError> {
        let word = reaction.map(|reaction| Word::React(drive, reaction));
        self.say(self.about(&drive), Subject::React(drive), word.as_ref())
    }

    pub(super) fn comment(&mut self, now: Now, drive: DocId, text: &str) -> Result<Option<DocId>, CommandError> {
        let id = self.device.new_doc_id(now);
        let comment = Comment { drive, at: now.wall, text: text.to_owned() };
        self.say(self.about(&drive), Subject::Comment(id), Some(&Word::Comment(id, &comment)))?;
        Ok(Some(id))
    }

    pub(super) fn remove_comment(&mut self, drive: DocId, comment: DocId) -> Result<Option<DocId>, CommandError> {
        self.say(self.about(&drive), Subject::Comment(comment), None)
    }

    pub(super) fn rsvp(
        &mut self,
        now: Now,
        meet: DocId,
        answer: Option<Answer>,
    ) -> Result<Option<DocId>, CommandError> {
        let word = answer.map(|answer| Word::Rsvp(meet, answer, now.wall));
        self.say(self.about(&meet), Subject::Rsvp(meet), word.as_ref())
    }

    fn about(&self, thing: &DocId) -> DocId {
        social::about(&self.device.identity.account, thing)
    }

    /// Says something, or takes back what was said about it.
    fn say(&mut self, doc: DocId, subject: Subject, word: Option<&Word<'_>>) -> Result<Option<DocId>, CommandError> {
        self.put(doc, DocKind::Social, &|doc| match word {
            Some(word) => social::say(doc, word),
            None => social::take_back(doc, &subject),
        })?;
        self.output.topics.insert(Topic::Social);
        Ok(None)
    }
}
