//! Erasures on a phone: a member's order removes every byte of a document, and nobody else's does.

use super::*;
use crate::docs::CarFields;
use crate::erasure::{Erasure, erase_bytes, erasure_hash};
use crate::id::{AccountId, DeviceKey, DocId};
use crate::membership::{Claim, ReceivedStatement, Statement};
use crate::wire::{DocKind, Entry, EntryBody};

/// A text that is nowhere else.
const CANARY: &str = "Canary-of-Erasure-51c0";

/// A connected phone with a car that the relay has.
fn with_car() -> (Bench, DocId) {
    let mut bench = Bench::new();
    bench.tell(Input::Start);
    let fields = CarFields { nickname: CANARY.to_owned(), ..CarFields::default() };
    bench.tell(Input::Command { request: 1, command: Command::PutCar { car: None, fields } });
    bench.sync_disk();
    let Some(Message::Push { changes }) = bench.said.last() else { panic!("the car is pushed") };
    let hashes = changes.iter().map(|offer| crate::admission::scan_candidate(&offer.chunk.0).unwrap().hash).collect();
    bench.head = changes.len() as u64;
    let cursor = bench.head;
    bench.relay_says(Message::Ack { hashes, cursor });
    let car = bench.replica.cars()[0].id;
    (bench, car)
}

impl Bench {
    fn relay_says(&mut self, message: Message) {
        self.tell(Input::Received { bytes: ByteBuf::from(message.encode()) });
        self.sync_disk();
    }

    /// The relay sends this as the next entry of the log.
    fn relay_adds(&mut self, doc: DocId, chunk: Chunk) {
        self.head += 1;
        let entry = Entry { doc, kind: DocKind::Car, received_at: WALL, body: EntryBody::Change(chunk) };
        let cursor = self.head;
        self.relay_says(Message::Entries { entries: vec![entry], cursor });
    }

    fn account(&self) -> AccountId {
        AccountId::founded_by(&key_of(&self.key))
    }

    fn has_on_disk(&self, text: &str) -> bool {
        self.disk.iter().any(|entry| entry.value.windows(text.len()).any(|window| window == text.as_bytes()))
    }

    fn fetches(&self) -> usize {
        self.said.iter().filter(|message| matches!(message, Message::Fetch { .. })).count()
    }
}

fn key_of(key: &SigningKey) -> DeviceKey {
    DeviceKey(key.verifying_key().to_bytes())
}

fn erasure(by: &SigningKey, account: &AccountId, doc: &DocId) -> Chunk {
    let signature = by.sign(&erase_bytes(account, doc)).to_bytes();
    Chunk(Erasure { by: key_of(by), signature }.encode())
}

#[test]
fn x5_an_erasure_leaves_no_byte_of_the_document_on_the_phone() {
    let (mut bench, car) = with_car();
    assert!(bench.has_on_disk(CANARY), "the test can find it");
    bench.tell(Input::Command { request: 2, command: Command::Erase { doc: car } });
    bench.sync_disk();
    assert!(!bench.has_on_disk(CANARY));
    assert_eq!((bench.replica.cars().len(), bench.replica.deleted().len()), (0, 0));
    let Some(Message::Push { changes }) = bench.said.last() else { panic!("the erasure is pushed") };
    assert_eq!(changes[0].chunk, erasure(&bench.key, &bench.account(), &car));
    let hashes = vec![erasure_hash(&bench.account(), &car)];
    bench.head += 1;
    bench.relay_says(Message::Ack { hashes, cursor: 2 });
    assert_eq!(bench.replica.status().unsent_changes, 0);
}

#[test]
fn x5_no_relay_makes_a_phone_erase_without_a_members_order() {
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let (mut bench, car) = with_car();
    let account = bench.account();
    let elsewhere = AccountId::founded_by(&key_of(&stranger));
    let mut truncated = erasure(&bench.key, &account, &car);
    truncated.0.pop();
    let false_orders = [
        erasure(&stranger, &account, &car),
        erasure(&stranger, &elsewhere, &car),
        erasure(&bench.key, &elsewhere, &car),
        erasure(&bench.key, &account, &DocId::from_bytes([3; 16])),
        truncated,
    ];
    for order in false_orders {
        bench.fetched = Some(vec![order.clone()]);
        bench.relay_adds(car, order);
        assert_eq!(bench.replica.cars().len(), 1);
        assert!(bench.has_on_disk(CANARY));
    }
    let order = erasure(&bench.key, &account, &car);
    bench.relay_adds(car, order);
    assert!(bench.replica.cars().is_empty(), "the member's own order counts");
    assert!(!bench.has_on_disk(CANARY));
}

#[test]
fn x5_an_erasure_by_a_device_that_this_phone_hears_of_later_is_fetched_then() {
    let (mut bench, car) = with_car();
    let (account, other) = (bench.account(), SigningKey::from_bytes(&[8; 32]));
    let order = erasure(&other, &account, &car);
    bench.fetched = Some(vec![order.clone()]);
    bench.relay_adds(car, order);
    assert_eq!((bench.fetches(), bench.replica.cars().len()), (1, 1), "once, since its signer may be a member");
    let mut expected = Digest::default();
    expected.replace(&car, &[], &[erasure_hash(&account, &car)]);
    assert_eq!(bench.replica.documents.digest(), expected, "phone and relay agree");

    let (claim, subject, by) = (Claim::Grant, key_of(&other), key_of(&bench.key));
    let signature = bench.key.sign(&Statement::signed_bytes(&claim, &account, &subject)).to_bytes();
    let statement = ReceivedStatement { statement: Statement { claim, subject, by, signature }, received_at: WALL };
    bench.relay_says(Message::Members { statements: vec![statement] });
    assert_eq!(bench.fetches(), 2);
    assert!(bench.replica.cars().is_empty());
    assert!(!bench.has_on_disk(CANARY));
}

#[test]
fn x4_a_relay_of_a_version_without_erasures_is_offered_them_again_on_the_next_connection() {
    let (mut bench, car) = with_car();
    bench.tell(Input::Command { request: 2, command: Command::Erase { doc: car } });
    bench.sync_disk();
    let pushed = bench.pushed();
    bench.relay_says(Message::Nack { index: 0, push: 1, code: crate::wire::NackCode::Malformed });
    assert_eq!(bench.pushed(), pushed);
    bench.digest = bench.replica.documents.digest();
    bench.relay = RelaySession::new(RELAY, policy(), [3; 32], 0);
    bench.tell(Input::Disconnected);
    bench.tell(Input::Network { online: true });
    bench.sync_disk();
    assert_eq!(bench.pushed(), pushed + 1);
}
