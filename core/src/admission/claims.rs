//! The actors whose changes a connection may push: those of its own device, and of the devices that it vouched for.

use std::collections::BTreeSet;

use crate::change::Actor;
use crate::id::DeviceKey;

/// Maximum number of vouched devices per connection. `[P10]`
pub const MAX_VOUCHED: usize = 256;

/// The actors whose changes a connection may push. `[P10]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActorClaims {
    /// Actor prefix of the connected device.
    pub(super) own: [u8; 8],
    /// Actor prefixes of the devices that it vouched for on this connection.
    pub(super) vouched: BTreeSet<[u8; 8]>,
}

impl ActorClaims {
    /// Creates the claims of a device without vouches.
    pub fn new(device: &DeviceKey) -> ActorClaims {
        ActorClaims { own: device.actor_prefix(), vouched: BTreeSet::new() }
    }

    /// Records a vouch for another device.
    pub fn vouch(&mut self, actor_prefix: [u8; 8]) {
        if self.vouched.len() < MAX_VOUCHED {
            self.vouched.insert(actor_prefix);
        }
    }

    /// Returns whether an actor belongs to the device itself.
    pub fn is_own(&self, actor: &Actor) -> bool {
        prefix_of(actor) == Some(self.own)
    }

    /// Returns whether the device vouched for the device of an actor.
    pub(super) fn has_vouched(&self, actor: &Actor) -> bool {
        prefix_of(actor).is_some_and(|prefix| self.vouched.contains(&prefix))
    }
}

/// Returns the device part of an actor; `None` if the actor is too short.
pub(super) fn prefix_of(actor: &Actor) -> Option<[u8; 8]> {
    actor.as_bytes().first_chunk().copied()
}
