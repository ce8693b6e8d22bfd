//! Devices that do not record once a second on the second: phones whose clocks jitter, loggers that measure rarely, and
//! receivers that measure many times a second.
//!
//! The values are those in logs of real phones: Android's fused location repeats few accuracies (3.79,
//! 4.288, 12.5 m, …), measures about once a second and now and then twice or not at all; an iPhone is steady to the
//! millisecond and rounds its accuracies.

use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;

use super::road::{Trip, Truth};
use super::{Options, Random};

/// The device that records a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// A phone with Android's fused location.
    Android,
    /// An iPhone.
    Iphone,
    /// A logger that writes position, time and whole metres of altitude at this interval, sometimes a second later.
    Logger {
        /// Seconds between fixes.
        interval_s: u32,
    },
    /// A receiver of a race track: this many fixes a second, filtered.
    Receiver {
        /// Fixes a second.
        rate_hz: u32,
    },
}

/// Accuracies that Android's fused location reports, metres.
const ANDROID_M: [f64; 9] = [3.79, 3.9, 4.288, 4.55, 5.36, 6.433, 8.576, 12.5, 20.1];
const ANDROID_VERTICAL_M: [f64; 6] = [1.0, 1.38, 2.0, 3.1, 4.6, 9.5];
/// Accuracies that an iPhone reports, metres.
const IPHONE_M: [f64; 8] = [3.5, 4.7, 5.0, 7.1, 10.0, 14.3, 24.0, 35.0];

/// Returns the fixes of a drive as a device records them.
pub(super) fn recorded(device: Device, trip: &Trip, options: Options, chance: &mut Random) -> Vec<Fix> {
    let mut errors = Errors::of(device, chance);
    let mut accuracy = Choice::begin(chance);
    let mut vertical = Choice::begin(chance);
    let phase_ms = chance.between(0.0, 1000.0);
    let (mut fixes, mut slot, mut last_ms) = (Vec::<Fix>::new(), 0_u32, -1_i64);
    loop {
        let (at_ms, next) = when(device, slot, phase_ms, chance);
        slot = next;
        if at_ms > options.duration_s() * 1000.0 {
            return fixes;
        }
        let at = at_ms.round() as i64;
        // A fix that is as late as the next one is lost.
        if at <= last_ms {
            continue;
        }
        errors.pass(at - last_ms, chance);
        last_ms = at;
        let truth = trip.at(at_ms / 1000.0);
        let mut fix = errors.measure(&truth, options.start + at, chance);
        match device {
            Device::Android => {
                fix.accuracy_m = Some(accuracy.next(&ANDROID_M, 0.25, chance));
                fix.altitude_accuracy_m = Some(vertical.next(&ANDROID_VERTICAL_M, 0.12, chance));
            }
            Device::Iphone => {
                fix.accuracy_m = Some(accuracy.next(&IPHONE_M, 0.06, chance));
                fix.altitude_accuracy_m = Some(vertical.next(&IPHONE_M, 0.05, chance));
            }
            Device::Logger { .. } => {
                fix.altitude_m = fix.altitude_m.map(f64::round);
                (fix.speed_mps, fix.heading_deg) = (None, None);
                // Five decimal places, as many programs write them.
                fix.lat_deg = (fix.lat_deg * 1e5).round() / 1e5;
                fix.lon_deg = (fix.lon_deg * 1e5).round() / 1e5;
            }
            Device::Receiver { .. } => {}
        }
        fixes.push(fix);
    }
}

/// Returns when the fix of a slot is measured, in milliseconds from the start, and the next slot.
fn when(device: Device, slot: u32, phase_ms: f64, chance: &mut Random) -> (f64, u32) {
    let number = f64::from(slot);
    match device {
        Device::Android => {
            let jitter_ms = 6.0 * chance.normal();
            let rare = chance.between(0.0, 1.0);
            // Half seconds are slots, too: sometimes a fix is between two others.
            let step = if rare < 0.03 {
                1
            } else if rare < 0.92 {
                2
            } else {
                4 + 2 * (chance.between(0.0, 2.0) as u32)
            };
            let late_ms = if slot % 2 == 1 { chance.between(-180.0, 180.0) } else { 0.0 };
            (number * 500.0 + phase_ms + jitter_ms + late_ms, if slot % 2 == 1 { slot + 1 } else { slot + step })
        }
        Device::Iphone => (number * 1000.0 + phase_ms + chance.between(-0.4, 0.4), slot + 1),
        Device::Logger { interval_s } => {
            let late_s = f64::from(u8::from(chance.between(0.0, 1.0) < 0.15));
            (number * 1000.0 + 1000.0 * late_s, slot + interval_s)
        }
        Device::Receiver { rate_hz } => (number * 1000.0 / f64::from(rate_hz), slot + 1),
    }
}

/// The errors of positions: one with a memory of a minute and one without.
struct Errors {
    east_m: f64,
    north_m: f64,
    up_m: f64,
    drift_m: f64,
    noise_m: f64,
    /// Errors of speed in m/s, of heading in degrees.
    speed_mps: f64,
    heading_deg: f64,
}

impl Errors {
    fn of(device: Device, chance: &mut Random) -> Errors {
        let (drift_m, noise_m, speed_mps, heading_deg) = match device {
            Device::Android => (3.5, 0.35, 0.12, 1.6),
            Device::Iphone => (2.5, 0.12, 0.06, 0.8),
            Device::Logger { .. } => (4.0, 0.5, 0.1, 2.0),
            Device::Receiver { .. } => (1.0, 0.015, 0.02, 0.2),
        };
        let mut drift = || drift_m * chance.normal();
        Errors { east_m: drift(), north_m: drift(), up_m: 2.0 * drift(), drift_m, noise_m, speed_mps, heading_deg }
    }

    /// Advances the slow errors by this time (a first-order Gauss–Markov process).
    fn pass(&mut self, ms: i64, chance: &mut Random) {
        let kept = libm::exp(-(ms as f64) / 60_000.0);
        let fresh_m = (1.0 - kept * kept).sqrt() * self.drift_m;
        self.east_m = kept * self.east_m + fresh_m * chance.normal();
        self.north_m = kept * self.north_m + fresh_m * chance.normal();
        self.up_m = kept * self.up_m + 2.0 * fresh_m * chance.normal();
    }

    fn measure(&self, truth: &Truth, at: Timestamp, chance: &mut Random) -> Fix {
        let mut noisy_m = |error_m: f64| error_m + self.noise_m * chance.normal();
        let (east_m, north_m, up_m) = (noisy_m(self.east_m), noisy_m(self.north_m), noisy_m(self.up_m));
        let speed_mps = (truth.speed_mps + self.speed_mps * chance.normal()).max(0.0);
        let heading_deg = (truth.heading_deg + self.heading_deg * chance.normal()).rem_euclid(360.0);
        let meters_per_degree = 111_195.0;
        let parallel_m = meters_per_degree * libm::cos(truth.lat_deg.to_radians());
        Fix {
            fixed_at: at,
            recorded_at: at + chance.between(30.0, 400.0) as i64,
            lat_deg: truth.lat_deg + north_m / meters_per_degree,
            lon_deg: truth.lon_deg + east_m / parallel_m,
            accuracy_m: None,
            altitude_m: Some(truth.altitude_m + up_m),
            altitude_accuracy_m: None,
            heading_deg: (speed_mps >= 0.5).then_some(heading_deg),
            speed_mps: Some(speed_mps),
        }
    }
}

/// A choice among a few values, which stays for a while and then mostly moves to a neighbour.
struct Choice {
    index: usize,
}

impl Choice {
    fn begin(chance: &mut Random) -> Choice {
        Choice { index: chance.between(0.0, 4.0) as usize }
    }

    fn next(&mut self, values: &[f64], change: f64, chance: &mut Random) -> f64 {
        let [is_change, is_jump, place] = [0; 3].map(|_| chance.between(0.0, 1.0));
        if is_change < change {
            self.index = if is_jump < 0.2 {
                (place * values.len() as f64) as usize
            } else if place < 0.55 {
                self.index.saturating_sub(1)
            } else {
                self.index + 1
            };
            self.index = self.index.min(values.len() - 1);
        }
        values[self.index]
    }
}
