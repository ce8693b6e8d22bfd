//! What the phone offers to the relay, and what becomes of it.

use crate::change::Actor;
use crate::id::ChangeHash;
use crate::replica::io::{KeyRange, StoredEntry};
use crate::replica::link::comparison::Comparison;
use crate::replica::link::{Desk, FIRST_RETRY_MS, Link, Outcome, Sent, State};
use crate::replica::shelf;
use crate::sorted::Set;
use crate::sorting::{sort_by, sort_by_key};
use crate::wire::{BATCH_BYTES, Chunk, MAX_BATCH, NackCode, Offer};

/// How soon what was refused is offered again when the relay tells of something new, in milliseconds.
const OFFER_AGAIN_MS: u64 = 10_000;
/// How long a relay that cannot store anything is left alone, in milliseconds.
const UNAVAILABLE_MS: u64 = 5_000;
/// How soon what was made by another device is offered again to a relay that takes it from that device only. `[P12]`
const RESERVED_MS: u64 = 60_000;
/// How soon a relay that has no room for this account is asked again, in milliseconds. `[P8]`
const OVER_QUOTA_MS: u64 = 15 * 60_000;

impl Link {
    pub(super) fn acked(&mut self, hash: &ChangeHash, desk: &mut Desk<'_>) {
        let Some(Sent { unsent, deps, .. }) = self.sent.remove(hash) else { return };
        let Some(kind) = desk.shelf.record(&unsent.doc).map(|record| record.kind) else { return };
        desk.shelf.relay_has(unsent.doc, kind, hash, &deps);
    }

    pub(super) fn nacked(&mut self, hash: &ChangeHash, code: NackCode, desk: &mut Desk<'_>) {
        let Some(Sent { unsent, actor, deps }) = self.sent.remove(hash) else { return };
        match code {
            NackCode::Unavailable => {
                desk.shelf.give_back([unsent]);
                self.read_again_at_ms = desk.now_ms + UNAVAILABLE_MS;
            }
            NackCode::OverQuota => {
                self.offer_again_at_ms.get_or_insert(desk.now_ms + OVER_QUOTA_MS);
                desk.shelf.refuse(unsent, code);
            }
            // It builds on what there was no room for.
            NackCode::UnknownDeps if desk.shelf.is_over_quota(&unsent.doc) => {
                desk.shelf.refuse(unsent, NackCode::OverQuota);
            }
            // It waits together with what it depends on, which the relay could not store either.
            NackCode::UnknownDeps if self.read_again_at_ms > desk.now_ms => desk.shelf.give_back([unsent]),
            // What it depends on was given back a moment ago, and is pushed again before it.
            NackCode::UnknownDeps if desk.shelf.is_still_to_be_sent(&unsent.doc, &deps) => {
                desk.shelf.give_back([unsent]);
            }
            // The relay does not have what this phone believes it to have: find out what, and push that first.
            NackCode::UnknownDeps if self.comparison != Comparison::Done => {
                desk.shelf.give_back([unsent]);
                if self.comparison == Comparison::NotNeeded {
                    self.comparison = Comparison::beginning();
                }
            }
            // The relay takes it from the device that made it only, for now, or knows of enough devices. `[P12]`
            NackCode::ForeignActor => {
                if !self.will_vouch_for(&actor) {
                    self.offer_again_at_ms.get_or_insert(desk.now_ms + RESERVED_MS);
                }
                desk.shelf.refuse(unsent, code);
            }
            NackCode::UnknownDeps
            | NackCode::Malformed
            | NackCode::TooLarge
            | NackCode::DuplicateSeq
            | NackCode::SeqGap
            | NackCode::NotYourDocument
            | NackCode::KindMismatch => desk.shelf.refuse(unsent, code),
        }
    }

    /// Sees to it that an actor's device is vouched for on this connection, unless it is. Says whether it is yet to be. `[P10]`
    fn will_vouch_for(&mut self, actor: &Actor) -> bool {
        let Some(prefix) = actor.as_bytes().first_chunk::<8>().copied() else { return false };
        if self.vouched.contains(&prefix) {
            return false;
        }
        if self.vouching != Some(prefix) && !self.strangers.contains(&prefix) {
            self.strangers.push(prefix);
        }
        true
    }

    /// Takes in that the relay told of something new: it may take what it refused before, if it is asked in a while. `[P7]`
    pub(super) fn news(&mut self, desk: &Desk<'_>) {
        if desk.shelf.has_refused() {
            self.offer_again_at_ms.get_or_insert(desk.now_ms + OFFER_AGAIN_MS);
        }
    }

    /// Takes some unsent changes, and says what must be read from storage for them, with the number of that reading.
    pub(super) fn take_offers(&mut self, desk: &mut Desk<'_>) -> Option<(u32, Vec<KeyRange>)> {
        let State::Open(session) = &self.state else { return None };
        if self.offer_again_at_ms.take_if(|due| *due <= desk.now_ms).is_some() {
            desk.shelf.offer_refused_again();
        }
        // Only what storage gives back is sent, so only what is durable here. `[P1]`
        let vouches = self.vouching.is_some() || !self.strangers.is_empty();
        let may_read =
            !vouches && self.reading.is_none() && self.read_again_at_ms <= desk.now_ms && desk.store.is_idle();
        if !(self.comparison.is_settled() && session.can_push() && may_read) {
            return None;
        }
        self.read_again_at_ms = 0;
        let unsent = desk.shelf.take_unsent(MAX_BATCH, BATCH_BYTES);
        if unsent.is_empty() {
            return None;
        }
        let mut ranges: Vec<KeyRange> = unsent.iter().map(|unsent| desk.shelf.unsent_range(unsent)).collect();
        // Each snapshot once.
        sort_by(&mut ranges, |a, b| a.from.cmp(&b.from));
        ranges.dedup();
        self.readings += 1;
        self.reading = Some((self.readings, unsent));
        Some((self.readings, ranges))
    }

    /// Takes in what [`Link::pump`] wanted read, and pushes it.
    pub(crate) fn read(&mut self, reading: u32, entries: &[StoredEntry], desk: &mut Desk<'_>) -> Option<Outcome> {
        let mut taken = Set::new();
        taken.extend(self.reading.take_if(|(number, _)| *number == reading)?.1);
        if !matches!(self.state, State::Open(_)) {
            return None;
        }
        let own = self.identity.device.actor_prefix();
        let mut offers = Vec::new();
        let mut bytes = 0;
        let mut found: Vec<_> = entries.iter().flat_map(|entry| desk.shelf.unsent_in(entry, &taken)).collect();
        // What a snapshot holds is older than what is stored one by one, and its key comes last.
        sort_by_key(&mut found, |(unsent, _)| desk.shelf.push_order(unsent));
        found.dedup_by_key(|(unsent, _)| *unsent);
        for (unsent, chunk) in found {
            let kind = desk.shelf.record(&unsent.doc).map(|record| record.kind);
            let (Some(kind), Some(scanned)) = (kind, shelf::scan(&chunk)) else { continue };
            taken.remove(&unsent);
            // What another device made comes after a vouch for it. `[P10]`
            if !scanned.actor.as_bytes().starts_with(&own) && self.will_vouch_for(&scanned.actor) {
                desk.shelf.give_back([unsent]);
                continue;
            }
            desk.shelf.size_up(&unsent, chunk.len() as u32);
            bytes += chunk.len();
            if bytes > 2 * BATCH_BYTES && !offers.is_empty() {
                desk.shelf.give_back([unsent]);
                continue;
            }
            let offer = Offer { doc: unsent.doc, kind, chunk: Chunk(chunk) };
            self.sent.insert(scanned.hash, Sent { unsent, deps: scanned.deps, actor: scanned.actor });
            offers.push((scanned.hash, offer));
        }
        let State::Open(session) = &mut self.state else { return None };
        let push = (!offers.is_empty()).then(|| Outcome::Send(session.push(desk.now_ms, offers)));
        taken.take().into_iter().for_each(|damaged| desk.shelf.restore_unsent(desk.store, damaged));
        push
    }

    /// Takes in that storage could not be read.
    pub(crate) fn read_failed(&mut self, reading: u32, desk: &mut Desk<'_>) {
        if let Some((_, unsent)) = self.reading.take_if(|(number, _)| *number == reading) {
            desk.shelf.give_back(unsent);
            self.read_again_at_ms = desk.now_ms + FIRST_RETRY_MS;
        }
    }
}
