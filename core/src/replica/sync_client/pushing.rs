//! The push of changes to the relay, and its answers to them.

use crate::id::ChangeHash;
use crate::replica::documents::{self, InFlight};
use crate::replica::io::{KeyRange, StoredEntry};
use crate::replica::sync_client::{ConnectionState, FIRST_RETRY_MS, SyncClient, SyncContext, SyncEffect};
use crate::sorted::Set;
use crate::sorting::sort_by_key;
use crate::wire::{BATCH_BYTES, Chunk, MAX_BATCH, NackCode, Offer};

/// Delay before refused changes are offered again after news from the relay, in milliseconds.
const OFFER_AGAIN_MS: u64 = 10_000;
/// Delay after a relay could not store changes, in milliseconds.
const UNAVAILABLE_MS: u64 = 5_000;
/// Delay before changes of another device are offered again to a relay that accepts them from that device only. `[P12]`
const RESERVED_MS: u64 = 60_000;
/// Delay before changes are offered again after the account's quota was exhausted, in milliseconds. `[P8]`
const OVER_QUOTA_MS: u64 = 15 * 60_000;

/// The times at which changes may be pushed, on the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    /// Changes are not read for a push before this time. Zero means no restriction.
    paused_until_ms: u64,
    /// When to offer refused changes again.
    offer_again_at_ms: Option<u64>,
}

impl Pacing {
    /// Returns the next deadline and its reason.
    pub(super) fn next_deadline(&self) -> Option<(u64, &'static str)> {
        let read_again = (self.paused_until_ms > 0).then_some((self.paused_until_ms, "read unsent changes again"));
        let offer_again = self.offer_again_at_ms.map(|due| (due, "offer again what was refused"));
        read_again.into_iter().chain(offer_again).min()
    }

    /// Handles the passage of time.
    pub(super) fn tick(&mut self, now_ms: u64) {
        if !self.is_paused(now_ms) {
            // The push waits only for events that arrive by themselves.
            self.paused_until_ms = 0;
        }
    }

    fn pause_until(&mut self, due_ms: u64) {
        self.paused_until_ms = due_ms;
    }

    fn is_paused(&self, now_ms: u64) -> bool {
        self.paused_until_ms > now_ms
    }

    /// Schedules refused changes to be offered again at this time, or earlier if that is scheduled.
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
            // The change depends on one that exceeded the quota.
            NackCode::UnknownDeps if context.documents.is_over_quota(&unsent.doc) => {
                context.documents.refuse(unsent, NackCode::OverQuota);
            }
            // The change waits with its dependencies, which the relay could not store either.
            NackCode::UnknownDeps if self.pacing.is_paused(context.now_ms) => {
                context.documents.requeue_unsent([unsent])
            }
            // The dependency is queued again and is pushed before the change.
            NackCode::UnknownDeps if context.documents.is_still_to_be_sent(&unsent.doc, &deps) => {
                context.documents.requeue_unsent([unsent]);
            }
            // The relay lacks a change that this phone believed to be there. A fetch finds the missing changes, which
            // are pushed first.
            NackCode::UnknownDeps if !self.comparison.is_done() => {
                context.documents.requeue_unsent([unsent]);
                self.comparison.begin_if_not_needed();
            }
            // The relay currently accepts the change from its own device only, or has reached its limit of devices.
            // `[P12]`
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

    /// Handles news from the relay: it may accept refused changes after a delay. `[P7]`
    pub(super) fn relay_changed(&mut self, context: &SyncContext<'_>) {
        if context.documents.outbox.has_retriable() {
            self.pacing.offer_again_at(context.now_ms + OFFER_AGAIN_MS);
        }
    }

    /// Takes unsent changes, and returns the ranges to read from storage for them, with the number of that read.
    pub(super) fn take_offers(&mut self, context: &mut SyncContext<'_>) -> Option<(u32, Vec<KeyRange>)> {
        let ConnectionState::Open(session) = &self.state else { return None };
        if self.pacing.take_offer_again(context.now_ms) {
            context.documents.offer_refused_again();
        }
        // Only changes read back from storage are sent, so only durable ones. `[P1]`
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

    /// Handles the entries that [`SyncClient::poll`] requested, and pushes their changes.
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
        // Changes in a snapshot are older than separate ones, and its key sorts last.
        sort_by_key(&mut found, |(unsent, _)| context.documents.push_order(unsent));
        found.dedup_by_key(|(unsent, _)| *unsent);
        for (unsent, chunk) in found {
            let kind = context.documents.record(&unsent.doc).map(|record| record.kind);
            let (Some(kind), Some(scanned)) = (kind, documents::scan(&chunk)) else { continue };
            taken.remove(&unsent);
            // Changes of another device follow a vouch for it. `[P10]`
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

    /// Handles a failed read.
    pub(crate) fn read_failed(&mut self, reading: u32, context: &mut SyncContext<'_>) {
        if let Some(unsent) = context.documents.outbox.take_reading(reading) {
            context.documents.requeue_unsent(unsent);
            self.pacing.pause_until(context.now_ms + FIRST_RETRY_MS);
        }
    }
}
