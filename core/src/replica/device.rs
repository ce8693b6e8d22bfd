//! This device: its account, its key, and its source of new ids.

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::id::DocId;
use crate::privacy::places::PlaceSecret;
use crate::replica::signing::Signatures;
use crate::session::client::Identity;
use crate::time::{Now, UtcOffset};

/// This device.
#[derive(Debug)]
pub(super) struct Device {
    pub(super) identity: Identity,
    /// The actor of this start's changes, new at every start. If a restored or duplicated browser profile reused an
    /// actor, two changes would have the same number, and Automerge could never merge them.
    pub(super) actor: [u8; 16],
    /// The phone's time zone offset, if the shell has reported it.
    pub(super) utc_offset: Option<UtcOffset>,
    /// The pending signatures.
    pub(super) signatures: Signatures,
    rng: ChaCha12Rng,
}

impl Device {
    /// Creates a new actor for the device from the shell's seed.
    pub(super) fn new(identity: Identity, seed: [u8; 32]) -> Device {
        let mut rng = ChaCha12Rng::from_seed(seed);
        let mut actor = [0; 16];
        actor[..8].copy_from_slice(&identity.device.actor_prefix());
        rng.fill_bytes(&mut actor[8..]);
        Device { identity, actor, utc_offset: None, signatures: Signatures::default(), rng }
    }

    /// Returns a random number.
    pub(super) fn random(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// Returns random bytes.
    pub(super) fn random_bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// Returns a new id for a document that others look up by its id alone.
    pub(super) fn new_bound_id(&mut self) -> DocId {
        let mut part = [0; 6];
        self.rng.fill_bytes(&mut part);
        DocId::bound(&self.identity.account, part)
    }

    /// Returns the id and the secret of a new place.
    pub(super) fn new_place(&mut self) -> (DocId, PlaceSecret) {
        let (mut id, mut secret) = ([0; 16], [0; 16]);
        self.rng.fill_bytes(&mut id);
        self.rng.fill_bytes(&mut secret);
        (DocId::from_bytes(id), PlaceSecret(secret))
    }

    /// Returns a new id that sorts after the earlier ones.
    pub(super) fn new_doc_id(&mut self, now: Now) -> DocId {
        let mut random = [0; 10];
        self.rng.fill_bytes(&mut random);
        DocId::new(now.wall, random)
    }
}
