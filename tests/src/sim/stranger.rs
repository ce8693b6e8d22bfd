//! Who means harm: a stranger with an account of their own, who writes to every id of others that anybody can know or compute;
//! and a device of an account that makes changes in the name of another one.

use tourismo_core::docs::published::{self, PublishedFields};
use tourismo_core::docs::{open, social};
use tourismo_core::id::{AccountId, DeviceKey, DocId};
use tourismo_core::log::Bearer;
use tourismo_core::session::relay::Outcome;
use tourismo_core::wire::{Chunk, DocKind, NackCode, Offer};

use crate::sim::World;
use crate::sim::relay::Waiting;
use crate::sim::world::HOME;

/// No signature is looked at here: what a stranger may say is for the relay's books to judge.
const STRANGER: DeviceKey = DeviceKey([0xee; 32]);

/// A device that its account let in, and should not have.
const THIEF: DeviceKey = DeviceKey([0xdd; 32]);

impl World {
    /// Has a stranger write to every id of everybody at the first relay; see [`World::squat`].
    pub fn squat_first_relay(&mut self) {
        self.squat(HOME);
    }

    /// Whether the first relay gives an id to whoever writes to it first, as relays of earlier versions did.
    pub fn give_ids_away(&mut self, does: bool) {
        self.relays[HOME].books.gives_ids_away = does;
        self.ledger.may_differ |= does;
    }

    /// Has a stranger write one change to every id of every account at a relay that can be known: computed from the account, or
    /// read off a page. It is the stranger's first one to each; more would change nothing.
    pub(super) fn squat(&mut self, relay: usize) {
        let stranger = AccountId::founded_by(&STRANGER);
        self.relays[relay].books.admit(stranger, STRANGER, None);
        let mut ids = Vec::new();
        for phone in 0..self.phones.len() {
            let Some(replica) = &self.phones[phone].replica else { continue };
            let account = replica.account().account;
            ids.extend(
                [("profile", DocKind::Profile), ("settings", DocKind::Settings)]
                    .map(|(name, kind)| (account, DocId::only(&account, name), kind)),
            );
            ids.push((account, social::people(&account), DocKind::Social));
            let things = (0..16).map(|digit| DocId::from_bytes([digit; 16]));
            ids.extend(things.map(|thing| (account, social::about(&account, &thing), DocKind::Social)));
            let copies = replica.drives().into_iter().filter_map(|drive| drive.published);
            ids.extend(copies.map(|copy| (account, copy, DocKind::Published)));
            ids.extend(replica.meets().into_iter().map(|meet| (account, meet.id, DocKind::Meet)));
        }
        self.trace.note(self.now_ms, format_args!("a stranger writes to {} ids", ids.len()));
        for (owner, doc, kind) in ids {
            let mut actor = *doc.as_bytes();
            actor[..8].copy_from_slice(&STRANGER.actor_prefix());
            let mut document = open::new(&actor);
            let change = match self.public_copy(relay, &owner, &doc) {
                Some(fields) => published::create(&mut document, &fields),
                None => open::edit(&mut document, |edit| edit.string("title", "mine")),
            };
            let change = change.ok().flatten();
            let chunk = Chunk(change.expect("a title is a change").chunk);
            let changes = vec![Offer { doc, kind, chunk }];
            let received_at = self.relay_time(relay);
            let bearer = Bearer::new(&STRANGER);
            let waiting = Waiting { conn: 0, account: stranger, bearer, push: 0, changes, received_at };
            self.relays[relay].books.commit(&waiting, self.plant);
        }
    }

    /// Has a device of an account vouch for another one and make a change with that one's next number.
    pub(super) fn take_number(&mut self, relay: usize) {
        let at = self.relay_time(relay);
        let accounts = &self.relays[relay].books.accounts;
        let mut uses =
            accounts.iter().filter_map(|(id, account)| Some((*id, account.in_use(at)?, account.any_device())));
        let Some((account, (doc, actor), granter)) = uses.next() else { return };
        let documents = self.relays[relay].documents(&account);
        let Some((kind, chunks)) = documents.get(&doc) else { return };
        let Ok(writer) = <[u8; 16]>::try_from(actor.as_bytes()) else { return };
        let Ok(mut document) = open::load(&writer, chunks.iter().copied()) else { return };
        let Ok(Some(change)) = open::edit(&mut document, |edit| edit.string("taken", "by another device")) else {
            return;
        };
        let changes = vec![Offer { doc, kind: *kind, chunk: Chunk(change.chunk) }];
        let mut bearer = Bearer::new(&THIEF);
        if let Some(prefix) = writer.first_chunk() {
            bearer.vouch(*prefix);
        }
        self.relays[relay].books.admit(account, THIEF, Some(granter));
        self.trace.note(self.now_ms, format_args!("a device takes a number of another one: document {doc}"));
        let waiting = Waiting { conn: 0, account, bearer, push: 0, changes, received_at: at };
        let outcomes = self.relays[relay].books.commit(&waiting, self.plant);
        if outcomes != [Outcome::Refused(NackCode::ForeignActor)] {
            self.breaks(format!("no device takes the next number of another one: {outcomes:?}"));
        }
    }

    /// What everybody can read of a published copy.
    fn public_copy(&self, relay: usize, owner: &AccountId, doc: &DocId) -> Option<PublishedFields> {
        let documents = self.relays[relay].documents(owner);
        let (kind, chunks) = documents.get(doc)?;
        let loaded = open::load(&[0; 16], chunks.iter().copied()).ok().filter(|_| *kind == DocKind::Published)?;
        let fields = published::read(&loaded)?;
        Some(PublishedFields { title: "Not yours".to_owned(), ..fields })
    }
}
