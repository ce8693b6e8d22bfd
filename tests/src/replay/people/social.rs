//! The relations of synthetic people: follows and acceptances, reactions and comments, answers to meets. They are the
//! same as in a [`Community`] of the same size.

use std::collections::BTreeSet;

use tourismo_core::docs::social::Relation;
use tourismo_core::docs::{Answer, MeetFields, Reaction, Visibility};
use tourismo_core::id::DocId;
use tourismo_core::replica::io::Command;

use super::{DAY_MS, LoadError, People};
use crate::community::{Community, Size};
use crate::phone::{Phone, Setup};
use crate::replay;

/// The public things of a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// The published copies of the drives, the oldest first; none for a drive that stays near its ends.
    pub drives: Vec<Option<DocId>>,
    /// The meets, by their indices in the community.
    pub meets: Vec<(u64, DocId)>,
}

/// The statements of all people.
#[derive(Clone, Debug)]
pub struct SocialPlan {
    crowd: People,
    people: Vec<Statement>,
}

/// The statements of one person.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    /// The followed people.
    pub follows: BTreeSet<u64>,
    /// The accepted followers, if the person approves them.
    pub accepts: BTreeSet<u64>,
    /// The reactions to drives, perhaps with comments.
    pub words: Vec<(DocId, Reaction, Option<&'static str>)>,
    /// The answers to meets.
    pub answers: Vec<(DocId, Answer)>,
}

impl People {
    /// Returns the community that decides the relations.
    pub fn community(&self) -> Community {
        let (people, drives) = (self.people, self.drives);
        let size = Size { people, follows: 6 * people, drives, meets: people.div_ceil(4), reactions: 4 * drives };
        Community { seed: self.seed, size, until: self.until }
    }

    /// Returns the meets of a person, by index: all in the future, one a week, in the morning.
    pub(super) fn meets_of(&self, person: u64) -> Vec<(u64, MeetFields)> {
        let community = self.community();
        let own = (0..community.size.meets).map(|place| (place, community.meet(place)));
        let fields = |(place, meet): (u64, crate::community::Meet)| {
            let starts_at = self.today() + (3 + 7 * place as i64) * DAY_MS + 8 * 3_600_000;
            let fields = MeetFields {
                title: meet.title.to_owned(),
                text: "Bring coffee. We leave when it is empty.".to_owned(),
                place: PLACES[place as usize % PLACES.len()].to_owned(),
                position: Some(meet.at),
                starts_at,
                ends_at: Some(starts_at + 3 * 3_600_000),
                time_zone: "Europe/Zurich".to_owned(),
                visibility: Visibility::Public,
                ..MeetFields::default()
            };
            (place, fields)
        };
        own.filter(|(_, meet)| meet.organiser == person).map(fields).collect()
    }

    /// Returns the statements of all people, when all drives and meets exist: one [`Made`] for each person, in their
    /// order.
    pub fn talk(&self, made: &[Made]) -> SocialPlan {
        let community = self.community();
        let mut people: Vec<Statement> = (0..self.people)
            .map(|person| Statement { follows: community.follows(person), ..Statement::default() })
            .collect();
        for by in 0..self.people {
            for of in people[by as usize].follows.clone() {
                // People who approve their followers accept four of five.
                if community.person(of).by_approval && (by + of) % 5 > 0 {
                    people[of as usize].accepts.insert(by);
                }
            }
        }
        for (author, made) in (0..).zip(made) {
            for (place, drive) in (0..).zip(&made.drives) {
                let Some(drive) = *drive else { continue };
                for word in community.words(author, place) {
                    people[word.by as usize].words.push((drive, word.reaction, word.comment));
                }
            }
            for (place, id) in &made.meets {
                for (guest, turn) in community.meet(*place).guests.into_iter().zip(0..) {
                    let answer = [Answer::Going, Answer::Going, Answer::Going, Answer::Maybe, Answer::No][turn % 5];
                    people[guest as usize].answers.push((*id, answer));
                }
            }
        }
        SocialPlan { crowd: self.clone(), people }
    }
}

impl SocialPlan {
    /// Returns the statements of a person.
    pub fn of(&self, person: u64) -> &Statement {
        &self.people[person as usize]
    }

    /// Makes a person's statements on a phone of their own, and syncs them to the relay. The profile comes last: a
    /// person with a profile is complete, however often loading was interrupted.
    ///
    /// # Errors
    /// [`LoadError`] if anything is refused, or the relay does not answer.
    pub async fn speak(&self, person: u64) -> Result<(), LoadError> {
        let SocialPlan { crowd, .. } = self;
        // Statements from before an interruption are on the relay, so another actor continues.
        let setup = Setup::in_memory(&crowd.relay);
        let mut phone = Phone::open(Setup { key: crowd.key(person), ..setup })?;
        phone.sync(crowd.patience).await?;
        let said = phone.replica().social();
        phone.network(false);
        phone.clock().set(crowd.today());
        phone.clock().set_rate(0.0);
        let Statement { follows, accepts, words, answers } = self.of(person);
        for (others, relation) in [(follows, Relation::Follow), (accepts, Relation::Accept)] {
            for other in others {
                let command = Command::Relate { account: crowd.account(*other), relation, holds: true };
                replay::order(&mut phone, "have to do with somebody", command).await?;
            }
        }
        for (drive, reaction, comment) in words {
            let command = Command::React { drive: *drive, reaction: Some(*reaction) };
            replay::order(&mut phone, "react to a drive", command).await?;
            // A repeated comment would be a second one.
            if let Some(text) = comment.filter(|_| !said.comments.iter().any(|said| said.drive == *drive)) {
                let command = Command::Comment { drive: *drive, text: text.to_owned() };
                replay::order(&mut phone, "comment on a drive", command).await?;
            }
        }
        for (meet, answer) in answers {
            let command = Command::Rsvp { meet: *meet, answer: Some(*answer) };
            replay::order(&mut phone, "answer to a meet", command).await?;
        }
        phone.clock().set_rate(1.0);
        phone.network(true);
        phone.sync(crowd.patience).await?;
        let fields = crowd.profile(person);
        replay::order(&mut phone, "set up the profile", Command::PutProfile { fields }).await?;
        Ok(phone.sync(crowd.patience).await?)
    }
}

const PLACES: [&str; 5] = [
    "Car park at the lake",
    "Petrol station by the old bridge",
    "Summit inn",
    "Harbour, east quay",
    "Mill below the dam",
];
