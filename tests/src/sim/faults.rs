//! How slow and how unreliable the network is at a moment, and bugs that are injected to prove that the checks find them.

use tourismo_core::replica::io::StorageFailure;

use crate::sim::SimRng;

/// How slow and how unreliable everything is. Times are drawn between two bounds, in milliseconds.
#[derive(Clone, Debug)]
pub struct FaultProfile {
    /// How long a phone's transaction takes.
    pub store_ms: (u64, u64),
    /// How long a phone's reading takes.
    pub load_ms: (u64, u64),
    /// How long a signature takes.
    pub sign_ms: (u64, u64),
    /// How long it takes to open a connection, or to find that there is no way.
    pub connect_ms: (u64, u64),
    /// How long a message travels, besides its length.
    pub delay_ms: (u64, u64),
    /// How many bytes travel in a second, each way.
    pub bytes_per_s: u64,
    /// How long the relay takes to read.
    pub relay_read_ms: (u64, u64),
    /// How long the relay takes to sync its disk.
    pub fsync_ms: (u64, u64),
    /// How the phones' transactions fail, and once in how many times; never if 0.
    pub store_fails: (StorageFailure, u64),
    /// Once in how many times a phone's reading fails; never if 0.
    pub load_fails: u64,
    /// Once in how many times a message arrives twice, or before those that were sent before it; never if 0.
    pub misdelivers: u64,
    /// Once in how many times a phone dials a hostile relay, which passes everything on to the phone's own relay and back;
    /// never if 0.
    pub forwards: u32,
    /// Whether there is any network.
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

    /// Whether what a phone begins to write at this moment may take longer than a second, or fail.
    pub(super) fn is_storage_degraded(&self) -> bool {
        self.store_ms.1 > 300 || self.store_fails.1 > 0
    }

    /// Any fault profile there is.
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
    /// Everything works as it should.
    #[default]
    Nothing,
    /// The relay acknowledges before its disk has the changes.
    AcksBeforeSync,
    /// The relay passes changes on before its disk has them.
    TellsBeforeSync,
    /// The phone's shell says that a transaction is done before it is.
    StoredTooEarly,
    /// A kill leaves half of a transaction on the phone's disk.
    TornTransactions,
    /// Once in a while the relay leaves a change out that another device should hear of.
    LeavesEntriesOut,
    /// Once in a while the phone's shell forgets a transaction and says that it is done.
    ForgetsTransactions,
    /// The relay reads from the log of another account once in a while.
    LeaksAccounts,
    /// Others get to see the private track in the place of the copy.
    ShowsOriginals,
    /// Once in a while the relay does not fold a document again that has changed.
    ForgetsToFold,
    /// Once in a while a phone's shell writes a row that says something else.
    WrongRows,
    /// Once in a while a phone's shell forgets to set a timer.
    ForgetsTimers,
    /// Every start of an app is given the same randomness.
    ReusesSeeds,
    /// The phone's shell drops fixes whose time is more than ten seconds off the phone's clock.
    DropsMistimed,
    /// Once in a while the phone's shell gives two fixes the times of each other.
    SwapsFixes,
    /// The phone's shell listens to two sensors, of which one measures beside the place.
    HearsTwoSensors,
    /// The phone's shell takes the wall clock for the monotonic one.
    MonotonicIsSet,
    /// No screen says that fixes are refused.
    HidesRefusals,
    /// The relay's account state omits a change that is in the log.
    WrongDigest,
    /// The relay lets phones in for whatever origin they signed.
    AcceptsAnyOrigin,
    /// A phone's shell tells the origin of the relay that speaks, and not the one that it dialled.
    TellsRelaysOrigin,
    /// The relay sends a phone away that knows a longer log than there is.
    SendsAwayWhoKnowsMore,
    /// The relay does not verify whose an id is by which something is found.
    TrustsIds,
    /// The relay shows a meet under the id of its document, also after its link was renewed.
    KeepsOldLinks,
    /// The relay lets a device of an account continue the numbers of another one at any time.
    LetsNumbersBeTaken,
}
