//! Actors of other devices whose changes this phone offers, and for which it vouches first. `[P10]`

use crate::change::Actor;
use crate::sorted::Set;

/// The first half of an actor, which identifies the device.
type ActorPrefix = [u8; 8];

/// Devices to vouch for on this connection.
#[derive(Debug, Default)]
pub(super) struct Vouching {
    waiting: Vec<ActorPrefix>,
    in_flight: Option<ActorPrefix>,
    done: Set<ActorPrefix>,
}

impl Vouching {
    /// Queues the device of an actor, unless this phone has vouched for it. Returns whether the vouch is still to come.
    pub(super) fn request(&mut self, actor: &Actor) -> bool {
        let Some(prefix) = actor.as_bytes().first_chunk::<8>().copied() else { return false };
        if self.done.contains(&prefix) {
            return false;
        }
        if self.in_flight != Some(prefix) && !self.waiting.contains(&prefix) {
            self.waiting.push(prefix);
        }
        true
    }

    /// Takes the next device to vouch for; [`Vouching::confirm`] handles the relay's answer.
    pub(super) fn next(&mut self) -> Option<ActorPrefix> {
        let next = self.waiting.pop()?;
        self.in_flight = Some(next);
        Some(next)
    }

    /// Records that the relay accepted the vouch.
    pub(super) fn confirm(&mut self) {
        self.done.extend(self.in_flight.take());
    }

    /// Returns whether any vouch waits or is being answered.
    pub(super) fn is_under_way(&self) -> bool {
        self.in_flight.is_some() || !self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_vouched_for_once_whatever_its_actors() {
        let mut vouching = Vouching::default();
        let actors = [[7; 16], [[7; 8], [8; 8]].concat().try_into().unwrap()]
            .map(|bytes: [u8; 16]| Actor::try_from(&bytes[..]).unwrap());
        assert!(vouching.request(&actors[0]) && vouching.request(&actors[1]));
        assert_eq!((vouching.next(), vouching.next(), vouching.is_under_way()), (Some([7; 8]), None, true));
        assert!(vouching.request(&actors[1]), "the relay has not answered");
        vouching.confirm();
        assert!(!vouching.request(&actors[0]) && !vouching.is_under_way());
    }
}
