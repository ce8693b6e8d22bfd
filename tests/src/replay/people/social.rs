//! What people who do not exist have to do with each other: whom they follow and let follow, what they say about each other's
//! drives, to which meets they come. Who with whom is decided as in a [`Community`] of the same size.

use std::collections::BTreeSet;

use tourismo_core::docs::social::Relation;
use tourismo_core::docs::{Answer, MeetFields, Reaction, Visibility};
use tourismo_core::id::DocId;
use tourismo_core::replica::io::Command;

use super::{DAY_MS, LoadError, People};
use crate::community::{Community, Size};
use crate::phone::{Phone, Setup};
use crate::replay;

/// What somebody made, that others may speak of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Made {
    /// The published copies of their drives, the oldest first; none for one that never got far from its ends.
    pub drives: Vec<Option<DocId>>,
    /// Their meets, by the places that these have among all of the community.
    pub meets: Vec<(u64, DocId)>,
}

/// All that a crowd has to say.
#[derive(Clone, Debug)]
pub struct SocialPlan {
    crowd: People,
    people: Vec<Statement>,
}

/// What one person has to say.
#[derive(Clone, Debug, Default)]
pub struct Statement {
    /// Whom they follow.
    pub follows: BTreeSet<u64>,
    /// Whom they let follow, if they want to be asked.
    pub accepts: BTreeSet<u64>,
    /// What they feel about which drive, and what they write.
    pub words: Vec<(DocId, Reaction, Option<&'static str>)>,
    /// What they answer to which meet.
    pub answers: Vec<(DocId, Answer)>,
}

impl People {
    /// The community that decides who has to do with whom.
    pub fn community(&self) -> Community {
        let (people, drives) = (self.people, self.drives);
        let size = Size { people, follows: 6 * people, drives, meets: people.div_ceil(4), reactions: 4 * drives };
        Community { seed: self.seed, size, until: self.until }
    }

    /// The meets that a person organises, by their places: all to come, one a week, in the morning.
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

    /// What everybody has to say, when all drives and meets are made: one [`Made`] for each person, in their order.
    pub fn talk(&self, made: &[Made]) -> SocialPlan {
        let community = self.community();
        let mut people: Vec<Statement> = (0..self.people)
            .map(|person| Statement { follows: community.follows(person), ..Statement::default() })
            .collect();
        for by in 0..self.people {
            for of in people[by as usize].follows.clone() {
                // Whoever wants to be asked lets four of five in.
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
    /// What a person has to say.
    pub fn of(&self, person: u64) -> &Statement {
        &self.people[person as usize]
    }

    /// Has a person say it all on a phone of their own, and brings it to the relay. The profile comes last: whoever has one is
    /// complete, however often loading was interrupted before.
    ///
    /// # Errors
    /// [`LoadError`] if anything is refused, or the relay does not answer.
    pub async fn speak(&self, person: u64) -> Result<(), LoadError> {
        let SocialPlan { crowd, .. } = self;
        // What was said before an interruption is on the relay, and another writer goes on.
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
            // A comment that is there would be another one the second time.
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
