//! A person: one phone that writes to documents of its own and reads with a token.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use automerge::Automerge;
use serde_json::Value;
use tourismo_core::docs::automerge_doc::{EditError, NewChange};
use tourismo_core::docs::drive::{self, DriveEdit};
use tourismo_core::docs::meet::{self, MeetFields};
use tourismo_core::docs::social::{self, Comment, SocialEntry, SocialKey};
use tourismo_core::docs::{Answer, CarFields, LogEntry, ProfileFields, Reaction, Visibility, car, logbook, profile};
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::stats::DriveStats;
use tourismo_core::time::{Timestamp, UtcOffset};
use tourismo_core::track::Stretch;
use tourismo_core::wire::{DocKind, Offer, RelayId};

use super::{Answer as HttpAnswer, Document, Phone, Relay, drive_on, get_with, origin_of};

pub(crate) struct Person {
    pub(crate) phone: Phone,
    seed: u8,
    made: u8,
    docs: BTreeMap<DocId, Document>,
    /// Every pushed change, in order.
    pushed: std::cell::RefCell<Vec<Offer>>,
    relay: RelayId,
}

/// The time of this machine, which is also the relay's.
pub(crate) fn now() -> Timestamp {
    Timestamp(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64)
}

impl Person {
    /// A new person, a different one for each seed.
    pub(crate) async fn new(relay: &Relay, seed: u8) -> Person {
        let phone = Phone::founder(seed);
        phone.join(relay.addr()).await.close().await;
        let id = phone.relay(relay.addr()).await;
        Person { phone, seed, made: 0, docs: BTreeMap::new(), pushed: Default::default(), relay: id }
    }

    /// A new person with a handle.
    pub(crate) async fn named(relay: &Relay, seed: u8, handle: &str) -> Person {
        let mut person = Person::new(relay, seed).await;
        person.call(relay, handle, false).await;
        person
    }

    pub(crate) fn account(&self) -> AccountId {
        self.phone.account
    }

    pub(crate) fn token(&self, relay: &Relay) -> String {
        self.token_until(relay, now() + 3_600_000)
    }

    pub(crate) fn token_until(&self, relay: &Relay, expires_at: Timestamp) -> String {
        self.phone.token(&self.relay, expires_at, &origin_of(relay.addr()))
    }

    pub(crate) fn relay_id(&self) -> RelayId {
        self.relay
    }

    /// A request with this person's token.
    pub(crate) async fn ask(&self, relay: &Relay, path: &str) -> HttpAnswer {
        get_with(relay.addr(), path, &format!("authorization: Bearer {}\r\n", self.token(relay))).await
    }

    /// The JSON of a successful read with this person's token.
    pub(crate) async fn read(&self, relay: &Relay, path: &str) -> Value {
        let answer = self.ask(relay, path).await;
        assert_eq!(answer.status, 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
        answer.json()
    }

    pub(crate) async fn push(&self, relay: &Relay, offers: Vec<Offer>) {
        self.pushed.borrow_mut().extend(offers.iter().cloned());
        self.offer(relay, offers).await;
    }

    /// Pushes every change again, as a phone does after the relay lost its data.
    pub(crate) async fn offer_again(&self, relay: &Relay) {
        let offers = self.pushed.borrow().clone();
        self.offer(relay, offers).await;
    }

    async fn offer(&self, relay: &Relay, offers: Vec<Offer>) {
        let mut wire = self.phone.join(relay.addr()).await;
        let count = offers.len();
        wire.push(offers).await;
        let answers = wire.answers(count).await;
        assert_eq!((answers.acked.len(), answers.nacked), (count, vec![]));
        wire.close().await;
        relay.settle().await;
    }

    /// A new id of the current time.
    pub(crate) fn fresh_id(&mut self) -> DocId {
        let id = self.next_id();
        self.made += 1;
        id
    }

    /// The id that the next call of [`Person::fresh_id`] returns.
    pub(crate) fn next_id(&self) -> DocId {
        let made = self.made + 1;
        DocId::new(Timestamp(1_790_000_000_000), [self.seed, made, 0, 0, 0, 0, 0, 0, 0, made])
    }

    /// A new id that is bound to this account, for a published drive or a meet.
    pub(crate) fn bound_id(&mut self) -> DocId {
        self.made += 1;
        DocId::bound(&self.account(), [self.seed, self.made, 0, 0, 0, 0])
    }

    /// Edits a document of this account, which is created if it does not exist.
    pub(crate) fn edit(
        &mut self,
        id: DocId,
        kind: DocKind,
        edit: impl FnOnce(&mut Automerge) -> Result<Option<NewChange>, EditError>,
    ) -> Offer {
        let number = self.docs.len() as u8;
        let device = self.phone.device();
        self.docs.entry(id).or_insert_with(|| Document::named(device, number, kind, id)).offer(edit).0
    }

    async fn edit_now(
        &mut self,
        relay: &Relay,
        id: DocId,
        kind: DocKind,
        edit: impl FnOnce(&mut Automerge) -> Result<Option<NewChange>, EditError>,
    ) {
        let offer = self.edit(id, kind, edit);
        self.push(relay, vec![offer]).await;
    }

    /// Writes the profile.
    pub(crate) async fn call(&mut self, relay: &Relay, handle: &str, by_approval: bool) {
        let fields = ProfileFields {
            handle: handle.to_owned(),
            display_name: format!("{handle}!"),
            bio: String::new(),
            by_approval,
        };
        let id = DocId::only(&self.account(), "profile");
        self.edit_now(relay, id, DocKind::Profile, |doc| profile::put(doc, &fields)).await;
    }

    /// Adds a social entry.
    pub(crate) async fn say(&mut self, relay: &Relay, word: SocialEntry<'_>) {
        let id = match &word {
            SocialEntry::Follow(..) | SocialEntry::Accept(_) | SocialEntry::Block(_) => social::people(&self.account()),
            SocialEntry::React(thing, _) | SocialEntry::Rsvp(thing, ..) => social::about(&self.account(), thing),
            SocialEntry::Comment(_, comment) => social::about(&self.account(), &comment.drive),
            SocialEntry::Hide(hidden) => social::about(&self.account(), &hidden.drive),
        };
        self.edit_now(relay, id, DocKind::Social, |doc| social::put(doc, &word)).await;
    }

    /// Removes a social entry.
    pub(crate) async fn take_back(&mut self, relay: &Relay, subject: SocialKey) {
        let id = social::people(&self.account());
        self.edit_now(relay, id, DocKind::Social, |doc| social::remove(doc, &subject)).await;
    }

    pub(crate) async fn follow(&mut self, relay: &Relay, other: &Person) {
        self.say(relay, SocialEntry::Follow(other.account(), now())).await;
    }

    pub(crate) async fn react(&mut self, relay: &Relay, drive: DocId, reaction: Reaction) {
        self.say(relay, SocialEntry::React(drive, reaction)).await;
    }

    pub(crate) async fn comment(&mut self, relay: &Relay, drive: DocId, text: &str) -> DocId {
        let id = self.fresh_id();
        let comment = Comment { drive, at: now(), text: text.to_owned() };
        self.say(relay, SocialEntry::Comment(id, &comment)).await;
        id
    }

    pub(crate) async fn answer(&mut self, relay: &Relay, meet: DocId, answer: Answer) {
        self.say(relay, SocialEntry::Rsvp(meet, answer, now())).await;
    }

    /// Publishes a drive that began at `start_time`.
    pub(crate) async fn publish(
        &mut self,
        relay: &Relay,
        title: &str,
        visibility: Visibility,
        start: Timestamp,
    ) -> DocId {
        self.publish_track(relay, title, visibility, &drive_on(start)).await
    }

    /// The same with a given track.
    pub(crate) async fn publish_track(
        &mut self,
        relay: &Relay,
        title: &str,
        visibility: Visibility,
        track: &[Stretch],
    ) -> DocId {
        let id = self.bound_id();
        let mut doc = Document::named(self.phone.device(), self.docs.len() as u8, DocKind::Published, id);
        let offer = doc.publish(title, visibility, track);
        self.docs.insert(id, doc);
        self.push(relay, vec![offer]).await;
        id
    }

    /// Finishes a drive of an hour and 60 km.
    pub(crate) async fn drive(
        &mut self,
        relay: &Relay,
        title: &str,
        car: Option<DocId>,
        start: Timestamp,
        published: Option<DocId>,
    ) -> DocId {
        let (id, track) = (self.fresh_id(), self.fresh_id());
        let stats = DriveStats {
            distance_m: 60_000.0,
            duration_ms: 3_600_000,
            moving_ms: 3_000_000,
            ascent_m: 500.0,
            ..DriveStats::default()
        };
        let begun =
            self.edit(id, DocKind::Drive, |doc| drive::create(doc, start, track, car, UtcOffset::from_minutes(120)));
        let edit = DriveEdit {
            title: Some(title),
            finished: Some((start + 3_600_000, stats)),
            published: published.map(|id| (id, Visibility::Public)),
            ..DriveEdit::default()
        };
        let finished = self.edit(id, DocKind::Drive, |doc| drive::change(doc, &edit));
        self.push(relay, vec![begun, finished]).await;
        id
    }

    /// Adds a car to the garage.
    pub(crate) async fn car(&mut self, relay: &Relay, nickname: &str, is_public: bool) -> DocId {
        let id = self.fresh_id();
        let fields = CarFields {
            make: "Mazda".to_owned(),
            model: "MX-5".to_owned(),
            year: Some(1990),
            nickname: nickname.to_owned(),
            is_public,
            ..CarFields::default()
        };
        self.edit_now(relay, id, DocKind::Car, |doc| car::put(doc, &fields)).await;
        id
    }

    /// Adds an entry to a car's logbook.
    pub(crate) async fn log(&mut self, relay: &Relay, car: DocId, entry: &LogEntry) -> DocId {
        let id = self.fresh_id();
        self.edit_now(relay, car, DocKind::Car, |doc| logbook::put(doc, &id, Some(entry))).await;
        id
    }

    /// Creates a meet.
    pub(crate) async fn meet(&mut self, relay: &Relay, fields: &MeetFields) -> DocId {
        let id = self.bound_id();
        self.edit_now(relay, id, DocKind::Meet, |doc| meet::put(doc, now(), None, None, fields)).await;
        id
    }

    /// Changes an own meet.
    pub(crate) async fn change_meet(&mut self, relay: &Relay, id: DocId, seen: &MeetFields, fields: &MeetFields) {
        self.edit_now(relay, id, DocKind::Meet, |doc| meet::put(doc, now(), None, Some(seen), fields)).await;
    }

    /// Creates the own meet again under another link, as the successor of the old one.
    pub(crate) async fn renew_meet(&mut self, relay: &Relay, id: DocId, fields: &MeetFields) -> DocId {
        let account = self.account();
        self.edit_now(relay, id, DocKind::Meet, |doc| meet::renew(doc, &account, now(), fields)).await;
        meet::read(&self.docs[&id].doc).link_id(&account, &id).expect("it has a link")
    }

    /// Adds or removes a co-organiser of an own meet.
    pub(crate) async fn grant(&mut self, relay: &Relay, id: DocId, other: AccountId, may: bool) {
        self.edit_now(relay, id, DocKind::Meet, |doc| meet::grant(doc, &other, may)).await;
    }

    /// Changes another account's meet.
    pub(crate) async fn amend(&mut self, relay: &Relay, meet_id: DocId, seen: &MeetFields, fields: &MeetFields) {
        let id = meet::amendment(&self.account(), &meet_id);
        self.edit_now(relay, id, DocKind::Meet, |doc| meet::put(doc, now(), Some(&meet_id), Some(seen), fields)).await;
    }
}
