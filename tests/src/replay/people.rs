//! Synthetic people with cars, drives of the last months, and relations to each other: sample data for a new relay.
//!
//! Seed and index make a person's key, so that everyone who knows the seed can act for them. The same parameters make
//! the same accounts, documents and changes again, so an interrupted load can be completed on the same day without
//! duplicates. A person with a profile is complete and is skipped on any day.

mod social;

use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tourismo_core::docs::{CarFields, MeetFields, ProfileFields, Visibility};
use tourismo_core::id::{AccountId, DeviceKey, DocId};
use tourismo_core::replica::io::{Command, CommandError};
use tourismo_core::replica::views::{DriveView, MeetView};
use tourismo_core::time::Timestamp;

use crate::phone::{Clock, Phone, PhoneError, Setup, Storage, SyncError};
use crate::replay::{self, Pace, Ride, RideError};
use crate::synthetic::{self, Kind, Options};

pub use self::social::{Made, SocialPlan, Statement};

const DAY_MS: i64 = 86_400_000;
/// How far back the drives reach, days. Nobody drives twice a day: more drives than days reach farther.
const SPAN_DAYS: u64 = 120;
/// The number of passes on which all drive, so that roads are found there.
const PASSES: u64 = 2;

/// People and their drives.
#[derive(Clone, Debug)]
pub struct People {
    /// The seed of everything.
    pub seed: u64,
    /// The number of people.
    pub people: u64,
    /// The number of drives in total.
    pub drives: u64,
    /// All drives lie before the day of this time.
    pub until: Timestamp,
    /// The URL of the relay.
    pub relay: String,
    /// Maximum time for an answer of the relay.
    pub patience: Duration,
}

/// The result of loading one person or more.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loaded {
    /// People whose drives the relay already had.
    pub present: u64,
    /// Recorded drives.
    pub drives: u64,
    /// Recorded fixes.
    pub fixes: u64,
    /// Bytes sent to the relay.
    pub sent_bytes: u64,
    /// Time spent on recording.
    pub recording: Duration,
    /// Time spent on syncing.
    pub syncing: Duration,
}

/// Why loading failed.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A phone cannot be opened.
    #[error(transparent)]
    Phone(#[from] PhoneError),
    /// A drive was refused.
    #[error(transparent)]
    Ride(#[from] RideError),
    /// The relay cannot be reached, or refuses.
    #[error(transparent)]
    Sync(#[from] SyncError),
}

impl People {
    /// Records one person's drives, makes their meets, and syncs everything to the relay, unless the relay has that
    /// person already. Relations to others follow when all people are there: [`People::social`].
    ///
    /// # Errors
    /// [`LoadError`] if anything is refused, or the relay does not answer.
    pub async fn load(&self, person: u64) -> Result<(Loaded, Made), LoadError> {
        if let Some(made) = self.present(person).await? {
            return Ok((Loaded { present: 1, ..Loaded::default() }, made));
        }
        let began = Instant::now();
        let mut phone = Phone::open(Setup {
            clock: Clock::standing_at(self.first_day()),
            online: false,
            ..self.phone_of(person, self.random(person, "start"))
        })?;
        let (mut loaded, made) = self.live(person, &mut phone).await?;
        loaded.recording = began.elapsed();
        let began = Instant::now();
        phone.clock().set_rate(1.0);
        phone.network(true);
        phone.sync(self.patience).await?;
        loaded.syncing = began.elapsed();
        loaded.sent_bytes = phone.traffic().sent_bytes;
        Ok((loaded, made))
    }

    /// Returns the private key of a person's device.
    pub fn key(&self, person: u64) -> SigningKey {
        SigningKey::from_bytes(&self.key_seed(person))
    }

    /// Returns a person's account.
    pub fn account(&self, person: u64) -> AccountId {
        AccountId::founded_by(&DeviceKey(self.key(person).verifying_key().to_bytes()))
    }

    /// Returns what a complete person made. Asks the relay as a device of that person would that has lost all its data.
    async fn present(&self, person: u64) -> Result<Option<Made>, LoadError> {
        let mut phone = Phone::open(self.phone_of(person, self.random(person, "look")))?;
        phone.sync(self.patience).await?;
        if phone.replica().account().profile.handle.is_empty() {
            return Ok(None);
        }
        let meets = phone.replica().meets();
        let place = |fields: &MeetFields| self.meets_of(person).into_iter().find(|(_, made)| made == fields);
        let meet = |meet: MeetView| Some((place(&meet.fields)?.0, meet.id));
        Ok(Some(Made {
            drives: published(&phone),
            meets: meets.into_iter().filter(|meet| meet.own).filter_map(meet).collect(),
        }))
    }

    /// Makes a person's last months.
    async fn live(&self, person: u64, phone: &mut Phone) -> Result<(Loaded, Made), LoadError> {
        let mut chance = Random(ChaCha8Rng::from_seed(self.random(person, "life")));
        let mut garage = Vec::new();
        for _ in 0..1 + chance.below(2) {
            garage.push(replay::car(phone, chance.one_of(&CARS).fields()).await?);
        }
        let (mut loaded, mut made) = (Loaded::default(), Made::default());
        for number in 0..self.drives_of(person) {
            let ride = self.ride(person, number, &garage, &mut chance);
            let drive = ride.record(phone, Pace::Max).await?;
            match replay::publish(phone, drive.id, Visibility::Public).await {
                // A drive that stays near private places cannot be published.
                Ok(_) | Err(RideError::Refused { code: CommandError::NothingLeftToPublish, .. }) => {}
                Err(error) => return Err(error.into()),
            }
            loaded.drives += 1;
            loaded.fixes += drive.stats.map_or(0, |stats| u64::from(stats.fixes));
        }
        // The places of later drives may have withdrawn the copy of an earlier one.
        made.drives = published(phone);
        phone.clock().set(self.today());
        for (place, fields) in self.meets_of(person) {
            let meet =
                replay::order(phone, "announce a meet", Command::PutMeet { meet: None, fields, seen_at: None }).await?;
            made.meets.extend(meet.map(|meet| (place, meet)));
        }
        Ok((loaded, made))
    }

    fn ride(&self, person: u64, number: u64, garage: &[DocId], chance: &mut Random) -> Ride {
        let count = self.drives_of(person);
        let (first, end) = (number * self.days(person) / count, (number + 1) * self.days(person) / count);
        let day = first + chance.below(end - first);
        let minute = 6 * 60 + chance.below(14 * 60);
        let kind =
            [Kind::Mountain, Kind::Mountain, Kind::Mountain, Kind::Motorway, Kind::Town][chance.below(5) as usize];
        let options = Options {
            start: self.first_day_of(person) + day as i64 * DAY_MS + minute as i64 * 60_000,
            minutes: 12 + chance.below(34) as u32,
            kind,
        };
        Ride {
            title: (*chance.one_of(titles(kind))).to_owned(),
            car: Some(*chance.one_of(garage)),
            fixes: match kind {
                Kind::Mountain => {
                    synthetic::drive_along(self.seed + chance.below(PASSES), chance.0.next_u64(), options)
                }
                Kind::Lane | Kind::Town | Kind::Motorway => synthetic::drive(chance.0.next_u64(), options),
            },
        }
    }

    /// Returns a person's profile.
    pub fn profile(&self, person: u64) -> ProfileFields {
        let mut chance = Random(ChaCha8Rng::from_seed(self.random(person, "name")));
        let first = FIRST_NAMES[(person % FIRST_NAMES.len() as u64) as usize];
        let handle = match person / FIRST_NAMES.len() as u64 {
            0 => first.to_lowercase(),
            round => format!("{}{}", first.to_lowercase(), round + 1),
        };
        ProfileFields {
            handle,
            display_name: format!("{first} {}", chance.one_of(&LAST_NAMES)),
            bio: (*chance.one_of(&BIOS)).to_owned(),
            by_approval: self.community().person(person).by_approval,
        }
    }

    fn phone_of(&self, person: u64, seed: [u8; 32]) -> Setup {
        Setup {
            storage: Storage::in_memory(),
            key: self.key(person),
            seed,
            grant: None,
            relay: self.relay.clone(),
            origin: None,
            clock: Clock::of_this_machine(),
            online: true,
        }
    }

    fn drives_of(&self, person: u64) -> u64 {
        self.drives / self.people + u64::from(person < self.drives % self.people)
    }

    fn days(&self, person: u64) -> u64 {
        self.drives_of(person).max(SPAN_DAYS)
    }

    fn first_day_of(&self, person: u64) -> Timestamp {
        self.today() - self.days(person) as i64 * DAY_MS
    }

    /// Returns the day before which all drives are, and on which people react to each other.
    fn today(&self) -> Timestamp {
        self.until - self.until.as_millis().rem_euclid(DAY_MS)
    }

    fn first_day(&self) -> Timestamp {
        self.first_day_of(0)
    }

    /// The same for a person, whatever the other parameters.
    fn key_seed(&self, person: u64) -> [u8; 32] {
        seed_of([self.seed, person, 0, 0])
    }

    /// Differs for every purpose, because two different changes of one actor must not have one sequence number.
    fn random(&self, person: u64, purpose: &str) -> [u8; 32] {
        let purpose = purpose.bytes().fold(1, |sum, byte| sum * 257 + u64::from(byte));
        let extent = self.drives_of(person) << 32 | self.until.as_millis().div_euclid(DAY_MS) as u64;
        seed_of([self.seed, person, extent, purpose])
    }
}

/// Returns the copies of a phone's drives that others see, the oldest drive first.
fn published(phone: &Phone) -> Vec<Option<DocId>> {
    let is_shown = |drive: &DriveView| drive.visibility != Visibility::Private;
    phone.replica().drives().into_iter().rev().map(|drive| drive.published.filter(|_| is_shown(&drive))).collect()
}

impl std::ops::AddAssign for Loaded {
    fn add_assign(&mut self, other: Loaded) {
        self.present += other.present;
        self.drives += other.drives;
        self.fixes += other.fixes;
        self.sent_bytes += other.sent_bytes;
        self.recording += other.recording;
        self.syncing += other.syncing;
    }
}

fn seed_of(words: [u64; 4]) -> [u8; 32] {
    let mut seed = [0; 32];
    for (bytes, word) in seed.chunks_exact_mut(8).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    let mut mixed = [0; 32];
    ChaCha8Rng::from_seed(seed).fill_bytes(&mut mixed);
    mixed
}

/// Random choices that are the same on every machine.
struct Random(ChaCha8Rng);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end.max(1)
    }

    fn one_of<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len() as u64) as usize]
    }
}

struct Model(&'static str, &'static str, u16, &'static str);

impl Model {
    fn fields(&self) -> CarFields {
        let Model(make, model, year, nickname) = *self;
        CarFields {
            make: make.to_owned(),
            model: model.to_owned(),
            year: Some(year),
            nickname: nickname.to_owned(),
            is_public: true,
            ..CarFields::default()
        }
    }
}

const CARS: [Model; 10] = [
    Model("Mazda", "MX-5", 1991, ""),
    Model("Alpine", "A110", 2019, ""),
    Model("Lancia", "Delta HF Integrale", 1992, "Deltona"),
    Model("Volkswagen", "Golf GTI", 1984, ""),
    Model("Porsche", "911 Carrera", 1988, ""),
    Model("Toyota", "GR Yaris", 2021, "Rally grandma"),
    Model("BMW", "2002 tii", 1973, ""),
    Model("Citroën", "DS 21", 1967, "La déesse"),
    Model("Subaru", "Impreza WRX", 2004, ""),
    Model("Peugeot", "205 GTI", 1989, ""),
];

const FIRST_NAMES: [&str; 16] = [
    "Dan", "Mara", "Jonas", "Aiko", "Lucía", "Piet", "Zeynep", "Théo", "Ingrid", "Ravi", "Noor", "Kasia", "Emeka",
    "Sofia", "Bruno", "Hana",
];

const LAST_NAMES: [&str; 10] =
    ["Brandt", "Okafor", "Rossi", "Tanaka", "Lindqvist", "Moreau", "Yılmaz", "Kowalska", "Silva", "de Wit"];

const BIOS: [&str; 5] = [
    "Early mornings, empty roads.",
    "More bends than straights, please.",
    "Old cars, new tyres.",
    "I brake for viewpoints.",
    "",
];

fn titles(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Mountain => &[
            "Stelvio before breakfast",
            "Forty-eight hairpins",
            "Up to the pass for coffee",
            "First snow on the summit",
            "Evening run, roof down",
            "The long way home",
            "Chasing the last light",
            "Empty pass on a Tuesday",
        ],
        Kind::Lane => &["Lanes after the rain", "Around every field", "Behind a tractor, mostly"],
        Kind::Town => &[
            "Grid by night",
            "Every light was red",
            "Cars and coffee and back",
            "Sunday loop around town",
            "Late-night fuel run",
        ],
        Kind::Motorway => &[
            "Desert straight, cruise control",
            "Three playlists south",
            "Sunrise on the motorway",
            "Coast by noon",
            "Windows down at dusk",
        ],
    }
}
