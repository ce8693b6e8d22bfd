//! Erasures in some of the scenarios: people delete, restore and erase drives, cars and meets, while other phones edit the same
//! documents, and relays and phones are put back.
//!
//! What was erased must be nowhere in the end: on no phone, and on no relay. Nothing else may be missing.

use std::ops::Range;

use ed25519_dalek::{Signer, SigningKey};
use tourismo_core::admission::ActorClaims;
use tourismo_core::erasure::{Erasure, erase_bytes, is_erasure};
use tourismo_core::id::{AccountId, DeviceKey, DocId};
use tourismo_core::kind::DocKind;
use tourismo_core::replica::io::{Command, Space, StoreOp, StoredEntry};
use tourismo_core::session::relay::ChangeOutcome;
use tourismo_core::wire::{Chunk, Entry, EntryBody, Message, NackCode, Offer};

use crate::sim::connections::End;
use crate::sim::network::HOME;
use crate::sim::phone::Phone;
use crate::sim::relay::WaitingPush;
use crate::sim::{Network, SimRng};

/// Of a thousand scenarios those with erasures: none of the seeds that failed once, so that their traces stay the same.
const ERASURE_SEEDS: Range<u64> = 280..340;

/// The erasures of a scenario. They have their own random numbers.
#[derive(Debug)]
pub(super) struct Erasures {
    rng: SimRng,
    /// Whether relays send erasures that no member signed. Phone and relay then compare everything.
    forges: bool,
}

impl Erasures {
    /// Returns the erasures of the scenario with this seed, if it has any.
    pub(super) fn of(seed: u64) -> Option<Erasures> {
        let rng = || SimRng::new(seed ^ 0x6572_6173_6500);
        ERASURE_SEEDS.contains(&(seed % 1_000)).then(|| Erasures { rng: rng(), forges: seed.is_multiple_of(5) })
    }
}

impl Network {
    /// A random order to delete, restore or erase something.
    pub(super) fn erasure_action(&mut self) {
        let Some(mut erasures) = self.erasures.take() else { return };
        if erasures.rng.one_in(4) {
            let phone = erasures.rng.between(0, self.phones.len() as u64 - 1) as usize;
            if let Some(command) = self.order(phone, &mut erasures.rng) {
                self.command(phone, command);
            }
        }
        if erasures.rng.one_in(12) {
            let relay = erasures.rng.between(0, self.relays.len() as u64 - 1) as usize;
            self.forge_erasure(relay, &mut erasures.rng);
        }
        if erasures.forges && erasures.rng.one_in(3) {
            let phone = erasures.rng.between(0, self.phones.len() as u64 - 1) as usize;
            self.send_forged_erasure(phone, &mut erasures.rng);
        }
        self.erasures = Some(erasures);
    }

    fn order(&self, phone: usize, rng: &mut SimRng) -> Option<Command> {
        let replica = self.phones[phone].replica.as_ref().filter(|_| self.phones[phone].nap(self.now_ms).is_none())?;
        let drives: Vec<DocId> = replica.drives().iter().map(|drive| drive.id).collect();
        let cars: Vec<DocId> = replica.cars().iter().map(|car| car.id).collect();
        let meets: Vec<DocId> = replica.meets().iter().filter(|meet| meet.own).map(|meet| meet.id).collect();
        let deleted: Vec<DocId> = replica.deleted().iter().map(|one| one.id).collect();
        let any = |rng: &mut SimRng, docs: &[DocId]| (!docs.is_empty()).then(|| rng.pick(docs));
        match rng.between(0, 6) {
            0 => Some(Command::DeleteDrive { drive: any(rng, &drives)? }),
            1 => Some(Command::DeleteCar { car: any(rng, &cars)? }),
            2 => Some(Command::DeleteMeet { meet: any(rng, &meets)? }),
            3 => Some(Command::Restore { doc: any(rng, &deleted)? }),
            4 => Some(Command::Erase { doc: any(rng, &deleted)? }),
            5 => Some(Command::Erase { doc: any(rng, &drives)? }),
            _ => Some(Command::Erase { doc: any(rng, &cars)? }),
        }
    }

    /// Makes a relay send a phone an erasure that no member signed, or one of another document.
    fn send_forged_erasure(&mut self, phone: usize, rng: &mut SimRng) {
        let Some(conn) = self.phones[phone].conn.filter(|_| self.phones[phone].replica.is_some()) else { return };
        let relay = self.phones[phone].relay;
        let account = self.account(phone);
        let known = self.relays[relay].known_documents();
        let known: Vec<(AccountId, DocId, DocKind)> = known.into_iter().filter(|(of, ..)| *of == account).collect();
        if known.is_empty() {
            return;
        }
        let (_, doc, kind) = rng.pick(&known);
        let chunk = if rng.one_in(2) {
            signed(&SigningKey::from_bytes(&rng.bytes()), &account, &doc)
        } else {
            let other = DocId::from_bytes(doc.as_bytes().map(|byte| byte ^ 1));
            signed(&self.phones[phone].key, &account, &other)
        };
        self.trace.note(self.now_ms, format_args!("the relay forges an erasure of {doc} for phone {phone}"));
        self.reference.may_differ = true;
        if let Some(conn) = self.connections.get_mut(conn) {
            (conn.is_troubled, conn.has_misdelivered) = (true, true);
        }
        let entry = Entry { doc, kind, received_at: self.relay_time(relay), body: EntryBody::Change(chunk) };
        let cursor = self.relays[relay].disk.accounts[&account].head();
        self.carry(conn, End::Phone, Message::Entries { entries: vec![entry], cursor }.encode());
    }

    /// A phone stores no erasure that no device of its account signed.
    pub(super) fn check_stored_erasures(&mut self, phone: usize, ops: &[StoreOp]) {
        let account = self.account(phone);
        let ours: Vec<DeviceKey> = self.phones.iter().map(Phone::device).collect();
        for op in ops {
            let StoreOp::Put(StoredEntry { space: Space::Change, key, value }) = op else { continue };
            let Some(doc) = key.first_chunk().filter(|_| is_erasure(value)).copied().map(DocId::from_bytes) else {
                continue;
            };
            let is_ours = |erasure: Erasure| ours.contains(&erasure.by);
            if !Erasure::verified(value, &account, &doc).is_some_and(is_ours) {
                self.report_broken(format!("a phone erases nothing without a member's order: phone {phone}, {doc}"));
            }
        }
    }

    /// Makes a member's connection offer an erasure that no member signed.
    fn forge_erasure(&mut self, relay: usize, rng: &mut SimRng) {
        if !self.relays[relay].is_up || self.relays[relay].is_full {
            return;
        }
        let known: Vec<(AccountId, DocId, DocKind)> = self.relays[relay].known_documents();
        if known.is_empty() {
            return;
        }
        let (account, doc, kind) = rng.pick(&known);
        let stranger = SigningKey::from_bytes(&rng.bytes());
        let by = DeviceKey(stranger.verifying_key().to_bytes());
        let chunk = signed(&stranger, &account, &doc);
        let received_at = self.relay_time(relay);
        let claims = ActorClaims::new(&by);
        let changes = vec![Offer { doc, kind, chunk }];
        let waiting = WaitingPush { conn: 0, device: by, account, claims, push: 0, changes, received_at };
        let outcomes = self.relays[relay].disk.commit(&waiting, self.bug);
        let is_harmless = outcomes == [ChangeOutcome::Refused(NackCode::ForeignActor)];
        if !is_harmless {
            self.report_broken(format!("nobody erases what is another account's: {outcomes:?}"));
        }
    }

    /// The relay stores no change of a document that it had erased.
    pub(super) fn check_kept_erased(&mut self, relay: usize, waiting: &WaitingPush, outcomes: &[ChangeOutcome]) {
        for (offer, outcome) in waiting.changes.iter().zip(outcomes) {
            let ChangeOutcome::Stored { seq, .. } = outcome else { continue };
            let erased_at = self.relays[relay].erased_at(&waiting.account, &offer.doc);
            if !is_erasure(&offer.chunk.0) && erased_at.is_some_and(|erased_at| erased_at < *seq) {
                let doc = offer.doc;
                self.report_broken(format!("what was erased does not come back: the relay stores a change of {doc}"));
            }
        }
    }

    /// Nothing is left of what was erased, and everything that a command erased is erased.
    pub(super) fn check_erasures(&self, account: AccountId, phones: &[usize]) -> Result<(), String> {
        let is_erased = |doc: &DocId| self.relays[HOME].is_erased(&account, doc);
        if let Some(doc) = self.relays[HOME].left_of_erased(&account) {
            return Err(format!("nothing of an erased document is left on the relay: {doc}"));
        }
        for phone in phones.iter().copied() {
            let left = self.phones[phone].disk.changes().find(|(doc, chunk)| is_erased(doc) && !is_erasure(chunk));
            if let Some((doc, _)) = left {
                return Err(format!("nothing of an erased document is left on a phone: phone {phone}, {doc}"));
            }
            let extra = self.phones[phone].disk.rows().find(|doc| is_erased(doc));
            if let Some(doc) = extra {
                return Err(format!("no row of an erased document is left on a phone: phone {phone}, {doc}"));
            }
        }
        let is_ours = |doc: &&DocId| self.reference.owners.get(doc) == Some(&account);
        match self.reference.erased.iter().filter(is_ours).find(|doc| !is_erased(doc)) {
            Some(doc) => Err(format!("what was erased does not come back: {doc}")),
            None => Ok(()),
        }
    }
}

/// Returns the erasure of a document, signed by this key.
fn signed(key: &SigningKey, account: &AccountId, doc: &DocId) -> Chunk {
    let by = DeviceKey(key.verifying_key().to_bytes());
    let signature = key.sign(&erase_bytes(account, doc)).to_bytes();
    Chunk(Erasure { by, signature }.encode())
}
