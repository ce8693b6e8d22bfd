//! What follows from the statements of an account: its devices, its recovery keys, and the keys that are out. `[G3]` `[G4]`
//!
//! The result depends on the set and the times of the relay alone, never on an order.

use serde::Serialize;

use super::{Claim, Known, MembershipSet, Statement, StatementId};
use crate::id::DeviceKey;
use crate::sorted::{Map, Set};
use crate::time::Timestamp;

/// How long everybody may object to a recovery key, milliseconds: a week. `[G4]`
pub(super) const OBJECTION_MS: i64 = 7 * 24 * 3_600_000;

/// The keys of an account at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Members {
    devices: Set<DeviceKey>,
    /// Every key that was ever let in, also those that are out.
    ever: Set<DeviceKey>,
    recovery: Map<DeviceKey, RecoveryKey>,
    revoked: Set<DeviceKey>,
}

/// A recovery key that was enrolled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecoveryKey {
    /// The key.
    pub key: DeviceKey,
    /// The key that enrolled it.
    pub by: DeviceKey,
    /// Whether it counts.
    pub state: RecoveryState,
}

/// Whether a recovery key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum RecoveryState {
    /// The relay has not received it.
    Unsent,
    /// It counts from this time on, unless somebody objects.
    Pending {
        /// The time, by the relay's clock.
        until: Timestamp,
    },
    /// It counts.
    Effective,
    /// Somebody objected in time, or revoked the key that enrolled it.
    Objected,
    /// A recovery key revoked it.
    Revoked,
}

impl Members {
    /// Returns whether the key may speak for the account: a device, or a recovery key, that is not out.
    pub fn is_member(&self, key: &DeviceKey) -> bool {
        self.devices.contains(key) || self.recovery.get(key).is_some_and(|one| one.state == RecoveryState::Effective)
    }

    /// Returns whether the key was let in and is out.
    pub fn is_revoked(&self, key: &DeviceKey) -> bool {
        !self.is_member(key) && (self.revoked.contains(key) || self.ever.contains(key))
    }

    /// Returns whether the key spoke for the account at any time: only then do its statements belong to the set.
    pub fn has_standing(&self, key: &DeviceKey) -> bool {
        self.ever.contains(key) || self.is_recovery(key)
    }

    /// Returns whether the key is, or was, an effective recovery key.
    pub fn is_recovery(&self, key: &DeviceKey) -> bool {
        let state = self.recovery.get(key).map(|one| one.state);
        matches!(state, Some(RecoveryState::Effective | RecoveryState::Revoked))
    }

    /// Returns the devices, ascending.
    pub fn devices(&self) -> impl Iterator<Item = &DeviceKey> {
        self.devices.iter()
    }

    /// Returns the devices that are out, ascending.
    pub fn removed_devices(&self) -> impl Iterator<Item = &DeviceKey> {
        self.ever.iter().filter(|key| !self.devices.contains(key))
    }

    /// Returns the recovery keys, ascending.
    pub fn recovery_keys(&self) -> impl Iterator<Item = &RecoveryKey> {
        self.recovery.values()
    }
}

impl MembershipSet {
    /// Evaluates the members at a time of the relay's clock. The work grows with the square of the number of enrolments at most.
    pub fn evaluate(&self, now: Timestamp) -> Members {
        // The relay's time is not before that of any statement, even if its clock was set back, or a phone's estimate is wrong.
        let now = self.next_receipt(now);
        let parts = Parts::of(self);
        let roots: Vec<DeviceKey> = self.founder.into_iter().chain(self.roots.iter().copied()).collect();
        let mut standing = Standing { devices: roots.iter().copied().collect(), ..Standing::default() };
        let mut granting = roots.clone();
        // In the order in which enrolments become effective: an objection counts only if its signer had standing by then.
        loop {
            parts.reach(&mut standing.devices, granting, |_, _| true);
            let due = parts.enrolments.iter().filter(|(id, known)| {
                !standing.objected.contains(id) && standing.recovery.get(&known.statement.subject).is_none()
            });
            let due = due.filter_map(|(id, known)| Some((parts.effective_from(*id, known, &standing)?, *id, *known)));
            let Some((from, id, known)) =
                due.filter(|(from, ..)| *from <= now).min_by_key(|(from, id, _)| (*from, *id))
            else {
                return parts.members(&roots, standing);
            };
            granting = Vec::new();
            if parts.is_objected(known, from, &roots, &standing) {
                standing.objected.insert(id);
            } else {
                standing.recovery.insert(known.statement.subject, known.statement.by);
                granting.push(known.statement.subject);
            }
        }
    }
}

/// The statements of a set by what they say.
struct Parts<'s> {
    /// The devices that each key let in.
    grants: Map<DeviceKey, Vec<DeviceKey>>,
    enrolments: Vec<(StatementId, &'s Known)>,
    /// The first enrolment of the founder, by the relay's clock. `[G4]`
    first: Option<StatementId>,
    /// Revocations and objections.
    against: Vec<&'s Known>,
}

impl<'s> Parts<'s> {
    fn of(set: &'s MembershipSet) -> Parts<'s> {
        let mut parts = Parts { grants: Map::new(), enrolments: Vec::new(), first: None, against: Vec::new() };
        for (device, by) in set.grants() {
            parts.grants.or_default(by).push(device);
        }
        for (id, known) in set.statements.iter() {
            match known.statement.claim {
                Claim::Enrol { .. } => parts.enrolments.push((*id, known)),
                Claim::Revoke { .. } | Claim::Object => parts.against.push(known),
                Claim::Grant => {}
            }
        }
        let of_founder = parts.enrolments.iter().filter(|(_, known)| Some(known.statement.by) == set.founder);
        let received = of_founder.filter(|(_, known)| known.received_at.is_some());
        let first = received.min_by_key(|(_, known)| (known.received_at, known.statement.subject));
        parts.first = first.map(|(id, _)| *id);
        parts
    }

    /// Adds every device to which grants that count lead from these keys.
    fn reach(
        &self,
        reached: &mut Set<DeviceKey>,
        mut granting: Vec<DeviceKey>,
        counts: impl Fn(&DeviceKey, &DeviceKey) -> bool,
    ) {
        while let Some(by) = granting.pop() {
            for device in self.grants.get(&by).into_iter().flatten() {
                if counts(device, &by) && reached.insert(*device) {
                    granting.push(*device);
                }
            }
        }
    }

    /// Returns when an enrolment becomes effective unless somebody objects; `None` if its signer has no standing, or if the
    /// relay did not receive it. `[G4]`
    fn effective_from(&self, id: StatementId, enrolment: &Known, standing: &Standing) -> Option<Timestamp> {
        let by = &enrolment.statement.by;
        let received_at = enrolment.received_at.filter(|_| standing.has(by))?;
        let is_at_once = standing.recovery.get(by).is_some() || self.first == Some(id);
        Some(if is_at_once { received_at } else { received_at + OBJECTION_MS })
    }

    /// Returns whether somebody objected to an enrolment before it became effective, or its signer went with another device.
    fn is_objected(&self, enrolment: &Known, from: Timestamp, roots: &[DeviceKey], standing: &Standing) -> bool {
        let Statement { subject, by, .. } = &enrolment.statement;
        let (reached, revoked) = self.reached(roots, standing, |at| at.is_some_and(|at| at < from));
        if standing.devices.contains(by) && !reached.contains(by) && !revoked.contains(by) {
            return true;
        }
        let is_against = |known: &&Known| {
            let is_about = match &known.statement.claim {
                Claim::Object => known.statement.subject == *subject,
                // A revocation of the key or of its signer ends an enrolment that is still pending. `[G4]`
                Claim::Revoke { keeps } => {
                    let removed = &known.statement.subject;
                    removed == subject || (removed == by && !keeps.contains(subject))
                }
                Claim::Grant | Claim::Enrol { .. } => false,
            };
            is_about && known.received_at.is_some_and(|at| at < from) && standing.has(&known.statement.by)
        };
        self.against.iter().any(is_against)
    }

    /// Returns the devices to which grants lead that count, and the revoked keys, by the revocations of these times.
    fn reached(
        &self,
        roots: &[DeviceKey],
        standing: &Standing,
        is_of_time: impl Fn(Option<Timestamp>) -> bool,
    ) -> (Set<DeviceKey>, Set<DeviceKey>) {
        // A revocation stays valid after its signer is revoked: two devices that revoke each other are both out. `[G3]`
        let mut revoked = Set::new();
        let mut kept: Map<DeviceKey, Vec<&Vec<DeviceKey>>> = Map::new();
        for known in self.against.iter().filter(|known| is_of_time(known.received_at)) {
            let Statement { claim: Claim::Revoke { keeps }, subject, by, .. } = &known.statement else { continue };
            let outranks = standing.recovery.get(by).is_some()
                || (standing.devices.contains(by) && standing.recovery.get(subject).is_none());
            if outranks {
                revoked.insert(*subject);
                kept.or_default(*subject).push(keeps);
            }
        }
        let counts = |device: &DeviceKey, by: &DeviceKey| {
            kept.get(by).is_none_or(|lists| lists.iter().all(|keeps| keeps.contains(device)))
        };
        let mut reached = Set::new();
        let recovery = standing.recovery.iter().map(|(key, _)| *key);
        let granting: Vec<DeviceKey> = roots.iter().copied().chain(recovery).collect();
        reached.extend(roots.iter().copied());
        self.reach(&mut reached, granting, counts);
        (reached, revoked)
    }

    /// Returns the members, given every key with standing.
    fn members(&self, roots: &[DeviceKey], standing: Standing) -> Members {
        let (mut reached, revoked) = self.reached(roots, &standing, |_| true);
        let mut recovery = Map::new();
        for (id, known) in self.enrolments.iter().filter(|(_, known)| standing.has(&known.statement.by)) {
            let Statement { subject, by, .. } = &known.statement;
            let by = standing.recovery.get(subject).unwrap_or(by);
            let state = if standing.recovery.get(subject).is_some() {
                if revoked.contains(subject) { RecoveryState::Revoked } else { RecoveryState::Effective }
            } else {
                match self.effective_from(*id, known, &standing) {
                    Some(from)
                        if !standing.objected.contains(id) && !self.is_objected(known, from, roots, &standing) =>
                    {
                        RecoveryState::Pending { until: from }
                    }
                    Some(_) => RecoveryState::Objected,
                    None => RecoveryState::Unsent,
                }
            };
            recovery.insert(*subject, RecoveryKey { key: *subject, by: *by, state });
        }
        reached.retain(|key| !revoked.contains(key) && standing.devices.contains(key));
        Members { devices: reached, ever: standing.devices, recovery, revoked }
    }
}

/// The keys whose statements count.
#[derive(Default)]
struct Standing {
    devices: Set<DeviceKey>,
    /// Effective recovery keys, each with the key that enrolled it.
    recovery: Map<DeviceKey, DeviceKey>,
    /// Enrolments that somebody objected to in time.
    objected: Set<StatementId>,
}

impl Standing {
    fn has(&self, key: &DeviceKey) -> bool {
        self.devices.contains(key) || self.recovery.get(key).is_some()
    }
}
