//! Attackers: a hostile account that writes to every id of others that can be known or computed, and a device of an
//! account that makes changes in the name of another one.

use tourismo_core::admission::ActorClaims;
use tourismo_core::docs::published::{self, PublishedFields};
use tourismo_core::docs::{automerge_doc, social};
use tourismo_core::id::{AccountId, DeviceKey, DocId};
use tourismo_core::session::relay::ChangeOutcome;
use tourismo_core::wire::{Chunk, DocKind, NackCode, Offer};

use crate::sim::Network;
use crate::sim::network::HOME;
use crate::sim::relay::WaitingPush;

/// Signatures are not checked here, because this tests the relay's admission.
const HOSTILE_DEVICE: DeviceKey = DeviceKey([0xee; 32]);

/// A device that its account should not have granted.
const STOLEN_DEVICE: DeviceKey = DeviceKey([0xdd; 32]);

impl Network {
    /// Makes a hostile account write to every id of all accounts at the first relay; see [`Network::squat`].
    pub fn squat_first_relay(&mut self) {
        self.squat(HOME);
    }

    /// Sets whether the first relay gives an id to the first account that writes to it, as relays of earlier versions
    /// did.
    pub fn give_ids_away(&mut self, does: bool) {
        self.relays[HOME].disk.gives_ids_away = does;
        self.reference.may_differ |= does;
    }

    /// Makes a hostile account write one change to every known id of every account at a relay: computed from the
    /// account, or read from a page. It is the hostile account's first change of each; more would change nothing.
    pub(super) fn squat(&mut self, relay: usize) {
        let stranger = AccountId::founded_by(&HOSTILE_DEVICE);
        let at = self.relay_time(relay);
        let founded = self.relays[relay].disk.admit(stranger, HOSTILE_DEVICE, None, at, self.bug);
        founded.expect("whoever founds an account is let in");
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
            actor[..8].copy_from_slice(&HOSTILE_DEVICE.actor_prefix());
            let mut document = automerge_doc::new(&actor);
            let change = match self.public_copy(relay, &owner, &doc) {
                Some(fields) => published::create(&mut document, &fields),
                None => automerge_doc::edit(&mut document, |edit| edit.string("title", "mine")),
            };
            let change = change.ok().flatten();
            let chunk = Chunk(change.expect("a title is a change").chunk);
            let changes = vec![Offer { doc, kind, chunk }];
            let received_at = self.relay_time(relay);
            let claims = ActorClaims::new(&HOSTILE_DEVICE);
            let device = HOSTILE_DEVICE;
            let waiting = WaitingPush { conn: 0, device, account: stranger, claims, push: 0, changes, received_at };
            self.relays[relay].disk.commit(&waiting, self.bug);
        }
    }

    /// Makes a device of an account vouch for another one and make a change with the next sequence number of that
    /// device.
    pub(super) fn take_number(&mut self, relay: usize) {
        let at = self.relay_time(relay);
        let accounts = &self.relays[relay].disk.accounts;
        let mut uses = accounts.iter().filter_map(|(id, account)| Some((*id, account.in_use(at)?)));
        let Some((account, (doc, actor))) = uses.next() else { return };
        let documents = self.relays[relay].documents(&account);
        let Some((kind, chunks)) = documents.get(&doc) else { return };
        let Ok(writer) = <[u8; 16]>::try_from(actor.as_bytes()) else { return };
        let Ok(mut document) = automerge_doc::load(&writer, chunks.iter().copied()) else { return };
        let Ok(Some(change)) = automerge_doc::edit(&mut document, |edit| edit.string("taken", "by another device"))
        else {
            return;
        };
        let changes = vec![Offer { doc, kind: *kind, chunk: Chunk(change.chunk) }];
        let mut claims = ActorClaims::new(&STOLEN_DEVICE);
        if let Some(prefix) = writer.first_chunk() {
            claims.vouch(*prefix);
        }
        self.relays[relay].disk.vouch(account, STOLEN_DEVICE.actor_prefix());
        self.trace.note(self.now_ms, format_args!("a device takes a number of another one: document {doc}"));
        let device = STOLEN_DEVICE;
        let waiting = WaitingPush { conn: 0, device, account, claims, push: 0, changes, received_at: at };
        let outcomes = self.relays[relay].disk.commit(&waiting, self.bug);
        if outcomes != [ChangeOutcome::Refused(NackCode::ForeignActor)] {
            self.report_broken(format!("no device takes the next number of another one: {outcomes:?}"));
        }
    }

    /// Returns the publicly readable content of a published copy.
    fn public_copy(&self, relay: usize, owner: &AccountId, doc: &DocId) -> Option<PublishedFields> {
        let documents = self.relays[relay].documents(owner);
        let (kind, chunks) = documents.get(doc)?;
        let loaded =
            automerge_doc::load(&[0; 16], chunks.iter().copied()).ok().filter(|_| *kind == DocKind::Published)?;
        let fields = published::read(&loaded)?;
        Some(PublishedFields { title: "Not yours".to_owned(), ..fields })
    }
}
