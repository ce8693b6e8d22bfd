//! The stored state of the relay: its id, the cursor, and the difference of the clocks.

use minicbor::{Decode, Encode};

use crate::id::AccountId;
use crate::replica::documents;
use crate::replica::io::{Space, StoredEntry};
use crate::replica::write_queue::WriteQueue;
use crate::time::{Now, Timestamp};
use crate::wire::{Epoch, RelayId};

const MINUTE_MS: i64 = 60_000;
const META_KEY: &[u8] = b"relay";

/// The relay of the last handshake. Stored in [`Space::Meta`].
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Known {
    #[n(0)]
    relay: RelayId,
    #[n(1)]
    epoch: Epoch,
    #[n(2)]
    cursor: u64,
    /// The account of the cursor.
    #[n(3)]
    account: AccountId,
    /// Minutes by which the relay's clock was ahead of this phone's at the last handshake.
    #[n(4)]
    ahead_min: Option<i64>,
    /// The origin of that handshake; absent in values of earlier versions.
    #[n(5)]
    origin: Option<String>,
}

/// The relay's clock at the last handshake since the app started.
#[derive(Clone, Copy, Debug)]
struct RelayClock {
    at: Timestamp,
    /// The time of the handshake on the monotonic clock.
    read_at_ms: u64,
}

/// A relay's answer to the handshake.
pub(super) struct Welcome {
    pub(super) relay: RelayId,
    pub(super) epoch: Epoch,
    /// The relay's time.
    pub(super) at: Timestamp,
    /// The origin that was dialled.
    pub(super) origin: String,
    pub(super) account: AccountId,
}

/// The remembered relay.
#[derive(Debug)]
pub(super) struct RelayMemory {
    known: Option<Known>,
    /// The stored value of `known`.
    stored: Option<Known>,
    clock: Option<RelayClock>,
}

impl RelayMemory {
    /// Reads the remembered relay from storage, unless it belongs to another account.
    pub(super) fn open(account: AccountId, stored: &[StoredEntry]) -> RelayMemory {
        let known = stored
            .iter()
            .find(|entry| entry.space == Space::Meta && entry.key == META_KEY)
            .and_then(|entry| minicbor::decode(&entry.value).ok())
            .filter(|known: &Known| known.account == account);
        RelayMemory { known: known.clone(), stored: known, clock: None }
    }

    /// Returns the relay of the last successful handshake, and the origin that was dialled.
    pub(super) fn relay(&self) -> Option<(RelayId, String)> {
        let known = self.known.as_ref()?;
        Some((known.relay, known.origin.clone()?))
    }

    /// Returns the relay's time. Without a handshake since the app started, it is this phone's time, corrected by the
    /// difference at the last handshake.
    pub(super) fn time(&self, now: Now) -> Timestamp {
        match self.clock {
            Some(RelayClock { at, read_at_ms }) => at + (now.monotonic_ms as u64).saturating_sub(read_at_ms) as i64,
            None => {
                let ahead_min = self.known.as_ref().and_then(|known| known.ahead_min).unwrap_or(0);
                now.wall + ahead_min.saturating_mul(MINUTE_MS)
            }
        }
    }

    /// Returns the cursor for a relay; none in another epoch. `[C1]`
    pub(super) fn cursor(&self, relay: RelayId, epoch: Epoch) -> Option<u64> {
        self.known.as_ref().filter(|known| known.relay == relay && known.epoch == epoch).map(|known| known.cursor)
    }

    /// Remembers the relay of a successful handshake.
    pub(super) fn welcomed(&mut self, welcome: Welcome, cursor: u64, wall: Timestamp, now_ms: u64) {
        let Welcome { relay, epoch, at, origin, account } = welcome;
        self.clock = Some(RelayClock { at, read_at_ms: now_ms });
        let ahead_min = Some(at.millis_since(wall) / MINUTE_MS);
        self.known = Some(Known { relay, epoch, cursor, account, ahead_min, origin: Some(origin) });
    }

    /// Moves the cursor. Returns whether it moved.
    pub(super) fn advance(&mut self, cursor: u64) -> bool {
        let Some(known) = self.known.as_mut().filter(|known| known.cursor != cursor) else { return false };
        known.cursor = cursor;
        true
    }

    /// Queues the value for the disk, unless it is stored.
    pub(super) fn save(&mut self, writes: &mut WriteQueue) {
        if let Some(known) = &self.known
            && self.stored.as_ref() != Some(known)
        {
            self.stored = Some(known.clone());
            writes.put(Space::Meta, META_KEY.to_vec(), documents::cbor(known));
        }
    }

    /// Forgets the relay, so that the next connection compares all documents. The stored value stays.
    pub(super) fn forget(&mut self) {
        self.known = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replica::io::{Effect, StoreOp};

    const ACCOUNT: AccountId = AccountId::from_bytes([1; 16]);
    const RELAY: RelayId = RelayId([2; 16]);
    const NOW: Now = Now { wall: Timestamp(1_000_000), monotonic_ms: 5_000.0 };

    fn welcome() -> Welcome {
        let at = NOW.wall + 3 * MINUTE_MS;
        Welcome { relay: RELAY, epoch: Epoch([3; 16]), at, origin: "wss://relay.example".to_owned(), account: ACCOUNT }
    }

    fn saved(memory: &mut RelayMemory) -> Vec<StoredEntry> {
        let mut writes = WriteQueue::default();
        memory.save(&mut writes);
        let Some(Effect::Store { ops, .. }) = writes.next(0) else { return Vec::new() };
        ops.into_iter().filter_map(|op| if let StoreOp::Put(entry) = op { Some(entry) } else { None }).collect()
    }

    #[test]
    fn the_cursor_is_known_again_after_a_start_for_the_same_epoch_and_account_only() {
        let mut memory = RelayMemory::open(ACCOUNT, &[]);
        memory.welcomed(welcome(), 7, NOW.wall, 5_000);
        assert!(memory.advance(8) && !memory.advance(8));
        let stored = saved(&mut memory);
        assert_eq!((stored.len(), saved(&mut memory).len()), (1, 0), "it is stored once");
        let again = RelayMemory::open(ACCOUNT, &stored);
        assert_eq!((again.cursor(RELAY, Epoch([3; 16])), again.cursor(RELAY, Epoch([4; 16]))), (Some(8), None));
        assert_eq!(RelayMemory::open(AccountId::from_bytes([9; 16]), &stored).relay(), None);
    }

    #[test]
    fn the_relay_s_clock_is_that_of_the_handshake_and_after_a_start_this_phone_s_corrected() {
        let mut memory = RelayMemory::open(ACCOUNT, &[]);
        assert_eq!(memory.time(NOW), NOW.wall, "nothing is known of it");
        memory.welcomed(welcome(), 7, NOW.wall, 5_000);
        // The phone's clock was set back; the relay's was not.
        let later = Now { wall: Timestamp(0), monotonic_ms: 6_500.0 };
        assert_eq!(memory.time(later), NOW.wall + 3 * MINUTE_MS + 1_500);
        let again = RelayMemory::open(ACCOUNT, &saved(&mut memory));
        assert_eq!(again.time(NOW), NOW.wall + 3 * MINUTE_MS);
    }
}
