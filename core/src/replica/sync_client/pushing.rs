//! The push of changes to the relay, and its answers to them.

use crate::id::ChangeHash;
use crate::replica::documents::{self, InFlight};
use crate::replica::io::{KeyRange, StoredEntry};
use crate::replica::sync_client::{ConnectionState, FIRST_RETRY_MS, SyncClient, SyncContext, SyncEffect};
use crate::sorted::Set;
use crate::sorting::sort_by_key;
use crate::wire::{BATCH_BYTES, Chunk, MAX_BATCH, NackCode, Offer};

/// How soon what was refused is offered again when the relay tells of something new, in milliseconds.
const OFFER_AGAIN_MS: u64 = 10_000;
/// How long a relay that cannot store anything is left alone, in milliseconds.
const UNAVAILABLE_MS: u64 = 5_000;
/// How soon what was made by another device is offered again to a relay that takes it from that device only. `[P12]`
const RESERVED_MS: u64 = 60_000;
/// How soon a relay that has no room for this account is asked again, in milliseconds. `[P8]`
const OVER_QUOTA_MS: u64 = 15 * 60_000;

/// When changes may be pushed, on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// Before this moment nothing is read from storage to be pushed. Zero if nothing forbids it.
    paused_until_ms: u64,
    /// When to offer again what was refused.
    offer_again_at_ms: Option<u64>,
}

impl Pacing {
    /// When to do something, and what.
    pub(super) fn next_deadline(&self) -> Option<(u64, &'static str)> {
        let read_again = (self.paused_until_ms > 0).then_some((self.paused_until_ms, "read unsent changes again"));
        let offer_again = self.offer_again_at_ms.map(|due| (due, "offer again what was refused"));
        read_again.into_iter().chain(offer_again).min()
    }

    /// Takes in what time it is.
    pub(super) fn tick(&mut self, now_ms: u64) {
        if !self.is_paused(now_ms) {
            // From here on the push waits for other things only, which come by themselves.
            self.paused_until_ms = 0;
        }
    }

    fn pause_until(&mut self, due_ms: u64) {
        self.paused_until_ms = due_ms;
    }

    fn is_paused(&self, now_ms: u64) -> bool {
        self.paused_until_ms > now_ms
    }

    /// Has what was refused offered again at this moment, or before if that is planned.
    fn offer_again_at(&mut self, due_ms: u64) {
        self.offer_again_at_ms.get_or_insert(due_ms);
    }

    fn take_offer_again(&mut self, now_ms: u64) -> bool {
        self.offer_again_at_ms.take_if(|due| *due <= now_ms).is_some()
    }
}

impl SyncClient {
    pub(super) fn acked(&mut self, hash: &ChangeHash, context: &mut SyncContext<'_>) {
        let Some(InFlight { unsent, deps, .. }) = context.documents.outbox.take_in_flight(hash) else { return };
        let Some(kind) = context.documents.record(&unsent.doc).map(|record| record.kind) else { return };
        context.documents.relay_has(unsent.doc, kind, hash, &deps);
    }

    pub(super) fn nacked(&mut self, hash: &ChangeHash, code: NackCode, context: &mut SyncContext<'_>) {
        let Some(InFlight { unsent, actor, deps }) = context.documents.outbox.take_in_flight(hash) else { return };
        match code {
            NackCode::Unavailable => {
                context.documents.requeue_unsent([unsent]);
                self.pacing.pause_until(context.now_ms + UNAVAILABLE_MS);
            }
            NackCode::OverQuota => {
                self.pacing.offer_again_at(context.now_ms + OVER_QUOTA_MS);
                context.documents.refuse(unsent, code);
            }
            // It builds on what there was no room for.
            NackCode::UnknownDeps if context.documents.is_over_quota(&unsent.doc) => {
                context.documents.refuse(unsent, NackCode::OverQuota);
            }
            // It waits together with what it depends on, which the relay could not store either.
            NackCode::UnknownDeps if self.pacing.is_paused(context.now_ms) => {
                context.documents.requeue_unsent([unsent])
            }
            // What it depends on was given back a moment ago, and is pushed again before it.
            NackCode::UnknownDeps if context.documents.is_still_to_be_sent(&unsent.doc, &deps) => {
                context.documents.requeue_unsent([unsent]);
            }
            // The relay does not have what this phone believes it to have: find out what, and push that first.
            NackCode::UnknownDeps if !self.comparison.is_done() => {
                context.documents.requeue_unsent([unsent]);
                self.comparison.begin_if_not_needed();
            }
            // The relay takes it from the device that made it only, for now, or knows of enough devices. `[P12]`
            NackCode::ForeignActor => {
                if !self.vouching.request(&actor) {
                    self.pacing.offer_again_at(context.now_ms + RESERVED_MS);
                }
                context.documents.refuse(unsent, code);
            }
            NackCode::UnknownDeps
            | NackCode::Malformed
            | NackCode::TooLarge
            | NackCode::DuplicateSeq
            | NackCode::SeqGap
            | NackCode::NotYourDocument
            | NackCode::KindMismatch => context.documents.refuse(unsent, code),
        }
    }

    /// Takes in that the relay told of something new: it may take what it refused before, if it is asked in a while. `[P7]`
    pub(super) fn relay_changed(&mut self, context: &SyncContext<'_>) {
        if context.documents.outbox.has_retriable() {
            self.pacing.offer_again_at(context.now_ms + OFFER_AGAIN_MS);
        }
    }

    /// Takes some unsent changes, and says what must be read from storage for them, with the number of that reading.
    pub(super) fn take_offers(&mut self, context: &mut SyncContext<'_>) -> Option<(u32, Vec<KeyRange>)> {
        let ConnectionState::Open(session) = &self.state else { return None };
        if self.pacing.take_offer_again(context.now_ms) {
            context.documents.offer_refused_again();
        }
        // Only what storage gives back is sent, so only what is durable here. `[P1]`
        let may_read = !self.vouching.is_under_way()
            && !context.documents.outbox.is_reading()
            && !self.pacing.is_paused(context.now_ms)
            && context.writes.is_idle();
        if !(self.comparison.is_settled() && session.can_push() && may_read) {
            return None;
        }
        self.pacing.pause_until(0);
        context.documents.read_unsent(MAX_BATCH, BATCH_BYTES)
    }

    /// Takes in what [`SyncClient::pump`] wanted read, and pushes it.
    pub(crate) fn read(
        &mut self,
        reading: u32,
        entries: &[StoredEntry],
        context: &mut SyncContext<'_>,
    ) -> Option<SyncEffect> {
        let mut taken = Set::new();
        taken.extend(context.documents.outbox.take_reading(reading)?);
        if !matches!(self.state, ConnectionState::Open(_)) {
            return None;
        }
        let own = self.identity.device.actor_prefix();
        let mut offers = Vec::new();
        let mut bytes = 0;
        let mut found: Vec<_> = entries.iter().flat_map(|entry| context.documents.unsent_in(entry, &taken)).collect();
        // What a snapshot holds is older than what is stored one by one, and its key comes last.
        sort_by_key(&mut found, |(unsent, _)| context.documents.push_order(unsent));
        found.dedup_by_key(|(unsent, _)| *unsent);
        for (unsent, chunk) in found {
            let kind = context.documents.record(&unsent.doc).map(|record| record.kind);
            let (Some(kind), Some(scanned)) = (kind, documents::scan(&chunk)) else { continue };
            taken.remove(&unsent);
            // What another device made comes after a vouch for it. `[P10]`
            if !scanned.actor.as_bytes().starts_with(&own) && self.vouching.request(&scanned.actor) {
                context.documents.requeue_unsent([unsent]);
                continue;
            }
            context.documents.set_unsent_size(&unsent, chunk.len() as u32);
            bytes += chunk.len();
            if bytes > 2 * BATCH_BYTES && !offers.is_empty() {
                context.documents.requeue_unsent([unsent]);
                continue;
            }
            let offer = Offer { doc: unsent.doc, kind, chunk: Chunk(chunk) };
            let pushed = InFlight { unsent, deps: scanned.deps, actor: scanned.actor };
            context.documents.outbox.push(scanned.hash, pushed);
            offers.push((scanned.hash, offer));
        }
        let ConnectionState::Open(session) = &mut self.state else { return None };
        let push = (!offers.is_empty()).then(|| SyncEffect::Send(session.push(context.now_ms, offers)));
        taken.take().into_iter().for_each(|damaged| context.documents.restore_unsent(context.writes, damaged));
        push
    }

    /// Takes in that storage could not be read.
    pub(crate) fn read_failed(&mut self, reading: u32, context: &mut SyncContext<'_>) {
        if let Some(unsent) = context.documents.outbox.take_reading(reading) {
            context.documents.requeue_unsent(unsent);
            self.pacing.pause_until(context.now_ms + FIRST_RETRY_MS);
        }
    }
}
