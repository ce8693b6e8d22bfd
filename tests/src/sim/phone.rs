//! One phone: its app with a real replica, its key, its disk and its position sensor.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use tourismo_core::fix::Fix;
use tourismo_core::id::DeviceKey;
use tourismo_core::replica::Replica;
use tourismo_core::replica::io::CommandOutcome;
use tourismo_core::time::Timestamp;

use crate::sim::connections::ConnId;
use crate::sim::disk::Disk;

/// A phone.
#[derive(Debug)]
pub struct Phone {
    pub(super) key: SigningKey,
    /// The grant for another phone's account.
    pub(super) grant: Option<Vec<u8>>,
    pub(super) disk: Disk,
    /// Maximum size of its disk, bytes.
    pub(super) quota_bytes: Option<usize>,
    /// The relay that it uses.
    pub(super) relay: usize,
    /// The running app, if it runs.
    pub(super) replica: Option<Replica>,
    /// The number of starts of the app.
    pub(super) life: u32,
    pub(super) born_ms: u64,
    /// The error of the wall clock.
    pub(super) clock_ms: i64,
    /// The rate of its clocks and timers above true time, in parts per million.
    pub(super) fast_ppm: i64,
    /// Its sleeps since the app was started, past and future.
    pub(super) naps: Vec<Nap>,
    pub(super) conn: Option<ConnId>,
    pub(super) timer: u32,
    pub(super) is_shown: bool,
    pub(super) sensor: Sensor,
    pub(super) outcomes: BTreeMap<u32, CommandOutcome>,
    /// The number of requested reads of storage, by space.
    pub(super) loads: u32,
}

/// A time in which nothing happens on a phone: the machine sleeps, or the browser has frozen the page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nap {
    pub(super) from_ms: u64,
    pub(super) until_ms: u64,
    /// Whether the monotonic clock stands still meanwhile, as on some machines.
    pub(super) stops_clock: bool,
}

/// A position sensor that drives along a synthetic route.
#[derive(Clone, Debug, Default)]
pub(super) struct Sensor {
    pub(super) route: Vec<Fix>,
    pub(super) next: usize,
    /// Whether it also reports invalid measurements.
    pub(super) is_odd: bool,
    /// How far its clock is ahead of the phone's.
    pub(super) ahead_ms: i64,
}

impl Phone {
    pub(super) fn new(secret: [u8; 32], grant: Option<Vec<u8>>) -> Phone {
        Phone {
            key: SigningKey::from_bytes(&secret),
            grant,
            disk: Disk::default(),
            quota_bytes: None,
            relay: 0,
            replica: None,
            life: 0,
            born_ms: 0,
            clock_ms: 0,
            fast_ppm: 0,
            naps: Vec::new(),
            conn: None,
            timer: 0,
            is_shown: true,
            sensor: Sensor::default(),
            outcomes: BTreeMap::new(),
            loads: 0,
        }
    }

    /// Returns how much its clocks advance in a span of true time.
    pub(super) fn clocked_ms(&self, true_ms: u64) -> f64 {
        true_ms as f64 * (1.0 + self.fast_ppm as f64 / 1e6)
    }

    /// Returns its sleep at this moment.
    pub(super) fn nap(&self, now_ms: u64) -> Option<Nap> {
        self.naps.last().copied().filter(|nap| now_ms < nap.until_ms)
    }

    /// Returns since when it has been awake for this time.
    pub(super) fn awake_since(&self, now_ms: u64, awake_ms: u64) -> u64 {
        let past = |since_ms: u64, nap: &Nap| match nap.until_ms.min(now_ms) {
            woke_ms if woke_ms > since_ms => since_ms.saturating_sub(woke_ms - nap.from_ms),
            _ => since_ms,
        };
        self.naps.iter().rev().fold(now_ms.saturating_sub(awake_ms), past)
    }

    /// Returns how long its monotonic clock has run since the app was started, in true milliseconds.
    pub(super) fn ran_ms(&self, now_ms: u64) -> u64 {
        let still_ms = |nap: &Nap| nap.until_ms.min(now_ms) - nap.from_ms;
        now_ms - self.born_ms - self.naps.iter().filter(|nap| nap.stops_clock).map(still_ms).sum::<u64>()
    }

    /// Returns its public key.
    pub fn device(&self) -> DeviceKey {
        DeviceKey(self.key.verifying_key().to_bytes())
    }

    /// Returns its disk.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Returns the running app.
    pub fn replica(&self) -> Option<&Replica> {
        self.replica.as_ref()
    }

    /// Returns the number of requested reads of storage.
    pub fn loads(&self) -> u32 {
        self.loads
    }
}

impl Sensor {
    /// Returns the next measurement, as made a moment ago.
    pub(super) fn measure(&mut self, wall: Timestamp) -> Option<Fix> {
        let fix = *self.route.get(self.next)?;
        self.next += 1;
        Some(Fix { fixed_at: wall + self.ahead_ms - 150, recorded_at: wall, ..fix })
    }
}
