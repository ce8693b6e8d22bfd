//! Fault profiles of the network, and bugs that are injected to prove that the checks find them.

use tourismo_core::replica::Fault;
use tourismo_core::replica::io::StorageFailure;

use crate::sim::SimRng;

/// The delays and faults of a moment. Times are drawn between two bounds, in milliseconds.
#[derive(Clone, Debug)]
pub struct FaultProfile {
    /// The duration of a phone's transaction.
    pub store_ms: (u64, u64),
    /// The duration of a phone's read.
    pub load_ms: (u64, u64),
    /// The duration of signing.
    pub sign_ms: (u64, u64),
    /// The time until a connection is open or has failed.
    pub connect_ms: (u64, u64),
    /// The delay of a message, in addition to its transmission.
    pub delay_ms: (u64, u64),
    /// The bandwidth in bytes per second, in each direction.
    pub bytes_per_s: u64,
    /// The duration of a relay's read.
    pub relay_read_ms: (u64, u64),
    /// The duration of syncing the relay's disk.
    pub fsync_ms: (u64, u64),
    /// The failure of phones' transactions, and its rate as once in this number; never if 0.
    pub store_fails: (StorageFailure, u64),
    /// The rate of failed reads of a phone, once in this number; never if 0.
    pub load_fails: u64,
    /// The rate of messages that arrive twice or too early, once in this number; never if 0.
    pub misdelivers: u64,
    /// The rate at which a phone dials a hostile relay, which forwards everything between the phone and its own relay,
    /// once in this number; never if 0.
    pub forwards: u32,
    /// Whether there is a network.
    pub has_network: bool,
}

impl FaultProfile {
    /// Nothing fails and everything is quick.
    pub fn calm() -> FaultProfile {
        FaultProfile {
            store_ms: (5, 40),
            load_ms: (1, 20),
            sign_ms: (1, 3),
            connect_ms: (50, 150),
            delay_ms: (20, 60),
            bytes_per_s: 1 << 20,
            relay_read_ms: (1, 5),
            fsync_ms: (2, 10),
            store_fails: (StorageFailure::Aborted, 0),
            load_fails: 0,
            misdelivers: 0,
            forwards: 0,
            has_network: true,
        }
    }

    /// Returns whether a write of a phone at this moment may take longer than a second, or fail.
    pub(super) fn is_storage_degraded(&self) -> bool {
        self.store_ms.1 > 300 || self.store_fails.1 > 0
    }

    /// Returns a random fault profile.
    pub(super) fn random(rng: &mut SimRng) -> FaultProfile {
        let calm = FaultProfile::calm();
        let failures = [StorageFailure::QuotaExceeded, StorageFailure::Aborted, StorageFailure::Unavailable];
        let store_fails = (rng.pick(&failures), rng.pick(&[0, 0, 0, 20, 3, 1]));
        FaultProfile {
            store_ms: rng.pick(&[calm.store_ms, calm.store_ms, (1, 300), (500, 3_000)]),
            load_ms: rng.pick(&[calm.load_ms, (1, 2_000)]),
            sign_ms: rng.pick(&[calm.sign_ms, (1, 1_000)]),
            connect_ms: rng.pick(&[calm.connect_ms, (200, 8_000)]),
            delay_ms: rng.pick(&[calm.delay_ms, (20, 3_000), (500, 1_500)]),
            bytes_per_s: rng.pick(&[calm.bytes_per_s, calm.bytes_per_s, 100_000, 4_000]),
            relay_read_ms: rng.pick(&[calm.relay_read_ms, (1, 800)]),
            fsync_ms: rng.pick(&[calm.fsync_ms, (5, 1_000)]),
            store_fails,
            load_fails: rng.pick(&[0, 0, 10, 2]),
            misdelivers: 0,
            forwards: 30,
            has_network: !rng.one_in(4),
        }
    }
}

/// A bug in the system, injected to prove that the checks find it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InjectedBug {
    /// No bug.
    #[default]
    Nothing,
    /// The relay acknowledges before its disk has the changes.
    AcksBeforeSync,
    /// The relay sends changes to other devices before its disk has them.
    TellsBeforeSync,
    /// The phone's shell reports a transaction as done before it is.
    StoredTooEarly,
    /// A kill leaves half of a transaction on the phone's disk.
    TornTransactions,
    /// Sometimes the relay leaves out a change that another device should get.
    LeavesEntriesOut,
    /// Sometimes the phone's shell drops a transaction and reports it as done.
    ForgetsTransactions,
    /// Sometimes the relay reads from the log of another account.
    LeaksAccounts,
    /// Others see the private track in place of the copy.
    ShowsOriginals,
    /// Others get to see a copy as it was first made, whatever was hidden since.
    ShowsFirstCopies,
    /// Sometimes the relay does not fold a changed document again.
    ForgetsToFold,
    /// Sometimes a phone's shell writes a wrong row.
    WrongRows,
    /// Sometimes a phone's shell does not set a timer.
    ForgetsTimers,
    /// Every start of an app gets the same randomness.
    ReusesSeeds,
    /// The phone's shell drops fixes whose time is more than ten seconds off the phone's clock.
    DropsMistimed,
    /// Sometimes the phone's shell swaps the times of two fixes.
    SwapsFixes,
    /// The phone's shell uses two sensors, one of which measures a wrong position.
    HearsTwoSensors,
    /// The phone's shell uses the wall clock as the monotonic one.
    MonotonicIsSet,
    /// No screen shows that fixes are refused.
    HidesRefusals,
    /// The relay's account state omits a change that is in the log.
    WrongDigest,
    /// The relay accepts signatures for any origin.
    AcceptsAnyOrigin,
    /// A phone's shell reports the origin of the relay that answers, not the dialled one.
    TellsRelaysOrigin,
    /// The relay refuses a phone whose cursor is beyond its log.
    SendsAwayWhoKnowsMore,
    /// The relay does not verify that ids are bound to their accounts.
    TrustsIds,
    /// The relay shows a meet under the id of its document, also after its link was renewed.
    KeepsOldLinks,
    /// The relay lets a device continue the sequence numbers of another device at any time.
    LetsNumbersBeTaken,
    /// A component of every phone's replica has this fault.
    InReplica(Fault),
    /// The relay lets devices in that were removed from their account, and takes what they push.
    LetsRevokedIn,
    /// The relay does not end the connections of a device that is removed.
    KeepsConnectionsOfRevoked,
    /// A recovery key counts at once, whoever enrolled it.
    TrustsEveryEnrolment,
}
