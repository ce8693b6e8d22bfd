//! A synthetic community: people who follow each other, their cars and drives, meets with their answers.
//!
//! A seed and a size decide everything: the same values give the same people, also one by one and in any order.
//! Popularity is very uneven: the numbers of followers have a heavy tail.

pub mod roads;
pub mod tables;
pub mod words;

use std::collections::BTreeSet;

use ed25519_dalek::SigningKey;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tourismo_core::id::{AccountId, DeviceKey, DocId};
use tourismo_core::time::Timestamp;

const DAY_MS: i64 = 86_400_000;
/// How far back drives reach, days.
const SPAN_DAYS: u64 = 1_000;

/// The size of a community. Totals are reached within a few percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// People; each has a handle and two cars.
    pub people: u64,
    /// Follows.
    pub follows: u64,
    /// Drives, of which nine of ten are public and one is for followers.
    pub drives: u64,
    /// Meets with realistic numbers of answers.
    pub meets: u64,
    /// Reactions to drives, one in four with a comment.
    pub reactions: u64,
}

/// A community.
#[derive(Clone, Copy, Debug)]
pub struct Community {
    /// Decides everything except the size.
    pub seed: u64,
    /// Its size.
    pub size: Size,
    /// All past events are before this time.
    pub until: Timestamp,
}

/// A person.
#[derive(Clone, Debug)]
pub struct Person {
    /// The index of the person; the first ones are the most popular.
    pub number: u64,
    /// The key of the only device.
    pub key: SigningKey,
    /// The account.
    pub account: AccountId,
    /// A unique handle.
    pub handle: String,
    /// The displayed name.
    pub display_name: String,
    /// Whether followers must be accepted: one in ten.
    pub by_approval: bool,
    /// The cars, such as "Mazda MX-5".
    pub cars: [(DocId, &'static str, &'static str); 2],
}

/// A drive.
#[derive(Clone, Debug)]
pub struct Drive {
    /// The private document.
    pub id: DocId,
    /// Its published copy.
    pub published: DocId,
    /// The index of the person's car.
    pub car: usize,
    /// The start.
    pub started_at: Timestamp,
    /// The title.
    pub title: &'static str,
    /// Minutes.
    pub minutes: u64,
    /// Metres.
    pub distance_m: f64,
    /// The ascent, metres.
    pub ascent_m: f64,
    /// The position of the start, longitude and latitude in degrees.
    pub at: [f64; 2],
    /// Whether it is for followers only.
    pub for_followers: bool,
}

/// A meet.
#[derive(Clone, Debug)]
pub struct Meet {
    /// Its document.
    pub id: DocId,
    /// The organiser.
    pub organiser: u64,
    /// The title.
    pub title: &'static str,
    /// The start, in the past or in the future.
    pub starts_at: Timestamp,
    /// The position, longitude and latitude in degrees.
    pub at: [f64; 2],
    /// The people who answer.
    pub guests: Vec<u64>,
}

/// The person with the number of follows of a promised figure: 500, whatever the size allows.
pub const FOLLOWS_500: u64 = 10;
/// See [`FOLLOWS_500`].
pub const FOLLOWS_5000: u64 = 11;
/// The number of answers of the first meet, if there are enough people.
pub const LARGE_MEET: u64 = 1_000;

impl Community {
    /// Returns a person by index, below [`Size::people`].
    pub fn person(&self, number: u64) -> Person {
        let mut chance = self.chance("person", number);
        let key = SigningKey::from_bytes(&chance.bytes());
        let account = AccountId::founded_by(&DeviceKey(key.verifying_key().to_bytes()));
        let (first, last) = (chance.one_of(&FIRST_NAMES), chance.one_of(&LAST_NAMES));
        let born = self.until + -(400 * DAY_MS);
        let cars = [(); 2].map(|()| {
            let (make, model) = chance.one_of(&CARS);
            (DocId::new(born, chance.bytes()), make, model)
        });
        Person {
            number,
            key,
            account,
            handle: format!("{}_{}{number}", first, last.chars().next().unwrap_or('x')),
            display_name: format!("{first} {last}"),
            by_approval: chance.below(10) == 0,
            cars,
        }
    }

    /// Returns the people whom a person follows, ascending.
    pub fn follows(&self, number: u64) -> BTreeSet<u64> {
        let mut chance = self.chance("follows", number);
        let mean = self.size.follows / self.size.people.max(1);
        let wanted = match number {
            FOLLOWS_500 => 500,
            FOLLOWS_5000 => 5_000,
            // A few people follow many, most follow few; the mean is right.
            _ if chance.below(20) == 0 => mean * 5,
            _ => mean * 30 / 38 + chance.below(mean / 4 + 1) - mean / 8,
        };
        let wanted = wanted.min(self.size.people.saturating_sub(1) / 2);
        let mut follows = BTreeSet::new();
        while (follows.len() as u64) < wanted {
            let other = self.somebody(&mut chance);
            if other != number {
                follows.insert(other);
            }
        }
        follows
    }

    /// Returns the drives of a person.
    pub fn drives(&self, number: u64) -> Vec<Drive> {
        let mut chance = self.chance("drives", number);
        let mean = self.size.drives / self.size.people.max(1);
        let count = mean / 2 + chance.below(mean + 1);
        (0..count).map(|_| self.drive(&mut chance)).collect()
    }

    fn drive(&self, chance: &mut Random) -> Drive {
        let ago_ms = chance.below(SPAN_DAYS * DAY_MS as u64) as i64;
        let started_at = self.until + -ago_ms;
        let minutes = 10 + chance.below(170);
        Drive {
            id: DocId::new(started_at, chance.bytes()),
            published: DocId::new(started_at, chance.bytes()),
            car: chance.below(2) as usize,
            started_at,
            title: chance.one_of(&TITLES),
            minutes,
            distance_m: minutes as f64 * (500.0 + chance.below(900) as f64),
            ascent_m: chance.below(1_500) as f64,
            at: chance.place(),
            for_followers: chance.below(10) == 0,
        }
    }

    /// Returns a meet by index, below [`Size::meets`].
    pub fn meet(&self, number: u64) -> Meet {
        let mut chance = self.chance("meet", number);
        let starts_at = self.until + (chance.below(400) as i64 - 300) * DAY_MS;
        let wanted = if number == 0 { LARGE_MEET } else { 3 + chance.below(40) };
        let mut guests = BTreeSet::new();
        while (guests.len() as u64) < wanted.min(self.size.people / 2) {
            guests.insert(self.somebody(&mut chance));
        }
        Meet {
            id: DocId::new(self.until + -(300 * DAY_MS), chance.bytes()),
            organiser: self.somebody(&mut chance),
            title: chance.one_of(&MEETS),
            starts_at,
            at: chance.place(),
            guests: guests.into_iter().collect(),
        }
    }

    /// Returns a random person, popular ones much more often.
    fn somebody(&self, chance: &mut Random) -> u64 {
        let share = chance.below(1 << 20) as f64 / f64::from(1 << 20);
        (share * share * self.size.people as f64) as u64
    }

    fn chance(&self, what: &str, number: u64) -> Random {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..16].copy_from_slice(&number.to_le_bytes());
        seed[16..16 + what.len()].copy_from_slice(what.as_bytes());
        Random(ChaCha8Rng::from_seed(seed))
    }
}

struct Random(ChaCha8Rng);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end.max(1)
    }

    fn one_of<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len() as u64) as usize]
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// Returns a position in Europe.
    fn place(&mut self) -> [f64; 2] {
        [self.below(30_000_000) as f64 / 1e6 - 8.0, self.below(20_000_000) as f64 / 1e6 + 38.0]
    }
}

const FIRST_NAMES: [&str; 16] = [
    "Ada", "Ben", "Chiara", "Dan", "Elin", "Farid", "Greta", "Hugo", "Ida", "Jan", "Kofi", "Lena", "Mia", "Nils",
    "Olga", "Pia",
];
const LAST_NAMES: [&str; 8] = ["Berg", "Costa", "Dahl", "Ek", "Fischer", "Moreau", "Rossi", "Sato"];
const CARS: [(&str, &str); 8] = [
    ("Alfa Romeo", "Giulia"),
    ("Alpine", "A110"),
    ("BMW", "M2"),
    ("Lotus", "Elise"),
    ("Mazda", "MX-5"),
    ("Porsche", "911"),
    ("Toyota", "GR86"),
    ("Volkswagen", "Golf"),
];
const TITLES: [&str; 8] = [
    "Over the pass",
    "Evening loop",
    "Coast road",
    "To the lake and back",
    "First frost",
    "Sunday round",
    "Through the gorge",
    "The long way home",
];
const MEETS: [&str; 4] = ["Coffee and cars", "Dawn patrol", "Season opening", "Passes of the Jura"];

#[cfg(test)]
mod tests {
    use super::*;

    const COMMUNITY: Community = Community {
        seed: 7,
        size: Size { people: 2_000, follows: 100_000, drives: 20_000, meets: 10, reactions: 40_000 },
        until: Timestamp(1_790_000_000_000),
    };

    #[test]
    fn a_community_has_the_size_that_was_asked_for_and_few_people_have_most_followers() {
        let mut followers = vec![0_u64; 2_000];
        (0..2_000).flat_map(|person| COMMUNITY.follows(person)).for_each(|other| followers[other as usize] += 1);
        let follows: u64 = followers.iter().sum();
        assert!((95_000..105_000).contains(&follows), "{follows}");
        let most: u64 = followers[..200].iter().sum();
        assert!(most * 4 > follows, "a tenth of the people has {most} of {follows} followers");
        let drives: usize = (0..2_000).map(|person| COMMUNITY.drives(person).len()).sum();
        assert!((19_000..21_000).contains(&drives), "{drives}");
        let words =
            |person| (0..COMMUNITY.drives(person).len() as u64).map(move |drive| COMMUNITY.words(person, drive).len());
        let words: Vec<usize> = (0..2_000).flat_map(words).collect();
        let (said, most) = (words.iter().sum::<usize>(), words.iter().max());
        assert!((30_000..45_000).contains(&said) && most > Some(&200), "{said} words, {most:?} about one drive");
        assert_eq!((COMMUNITY.follows(FOLLOWS_500).len(), COMMUNITY.meet(0).guests.len()), (500, 1_000));
    }

    #[test]
    fn the_same_seed_makes_the_same_people_in_any_order() {
        let tell = |number| {
            let person = COMMUNITY.person(number);
            format!("{person:?} {:?} {:?}", COMMUNITY.follows(number), COMMUNITY.drives(number))
        };
        assert_eq!((tell(5), tell(3)), (tell(5), tell(3)));
        assert_ne!(tell(5), tell(6));
        let handles: BTreeSet<String> = (0..2_000).map(|number| COMMUNITY.person(number).handle).collect();
        assert_eq!(handles.len(), 2_000);
    }
}
