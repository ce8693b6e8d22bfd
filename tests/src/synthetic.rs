//! Synthetic drives: a winding road, a car that brakes for its corners, and the receiver that measures it, with drift,
//! noise, missing seconds and a tunnel.
//!
//! The same seed and options give the same bits everywhere. The roads are in uninhabited places.

mod devices;
mod receiver;
mod road;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;

pub use devices::Device;
use receiver::Receiver;
use road::Trip;

/// The parameters of a drive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// The time of the first fix.
    pub start: Timestamp,
    /// The duration of the drive.
    pub minutes: u32,
    /// The road.
    pub kind: Kind,
}

impl Options {
    fn duration_s(&self) -> f64 {
        f64::from(self.minutes) * 60.0
    }
}

/// A road and the style of driving on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Hairpins and sweepers around a mountain pass (Stelvio, 46.53° N 10.45° E), a tunnel, 800 m between top and bottom.
    Mountain,
    /// A country lane at up to 80 km/h: corners of 35 to 160 m around fields that nobody ploughs (24.6° N 1.9° E), nearly flat.
    Lane,
    /// Right-angled corners, traffic lights and a weak signal, on a grid drawn over an empty desert (24° N 0.5° E).
    Town,
    /// Wide bends at 120 km/h through the same desert, a tunnel.
    Motorway,
}

/// Makes one drive: about one fix a second with all eight values, as a phone would report them (not rounded).
///
/// Drives of at least ten minutes on a mountain or a motorway have one tunnel of 25 to 60 seconds without a fix.
pub fn drive(seed: u64, options: Options) -> Vec<Fix> {
    let mut chance = Random(ChaCha8Rng::seed_from_u64(seed));
    let trip = Trip::make(options.kind, options.duration_s(), &mut chance);
    measured(&trip, options, &mut chance)
}

/// Makes one drive along a shared road: all drives with the same `road` begin there, go as far as their time allows,
/// and are measured by the receiver of `seed`.
pub fn drive_along(road: u64, seed: u64, options: Options) -> Vec<Fix> {
    let trip = Trip::make(options.kind, options.duration_s(), &mut Random(ChaCha8Rng::seed_from_u64(road)));
    measured(&trip, options, &mut Random(ChaCha8Rng::seed_from_u64(seed)))
}

/// Makes one drive as recorded by another device than that of [`drive`]: other rhythms, other values.
pub fn drive_with(device: Device, seed: u64, options: Options) -> Vec<Fix> {
    let mut chance = Random(ChaCha8Rng::seed_from_u64(seed));
    let trip = Trip::make(options.kind, options.duration_s(), &mut chance);
    devices::recorded(device, &trip, options, &mut chance)
}

fn measured(trip: &Trip, options: Options, chance: &mut Random) -> Vec<Fix> {
    let duration_s = options.duration_s();
    let has_tunnel = options.minutes >= 10 && matches!(options.kind, Kind::Mountain | Kind::Motorway);
    let tunnel_s = has_tunnel.then(|| {
        let enter_s = chance.between(0.3, 0.7) * duration_s;
        enter_s..enter_s + chance.between(25.0, 60.0)
    });
    let mut receiver = Receiver::new(options.kind, chance);
    let mut fixes = Vec::new();
    for second in 0..=options.minutes * 60 {
        let at_s = f64::from(second);
        let fix = receiver.measure(&trip.at(at_s), options.start + i64::from(second) * 1000, chance);
        let hears = !tunnel_s.as_ref().is_some_and(|tunnel| tunnel.contains(&at_s)) && chance.between(0.0, 1.0) > 0.003;
        if hears {
            fixes.push(fix);
        }
    }
    fixes
}

/// Random numbers that are the same on every machine.
struct Random(ChaCha8Rng);

impl Random {
    /// Evenly distributed.
    fn between(&mut self, low: f64, high: f64) -> f64 {
        let unit = (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        low + unit * (high - low)
    }

    /// Normally distributed with mean 0 and standard deviation 1, nearly: the sum of twelve (Irwin–Hall).
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.between(0.0, 1.0)).sum::<f64>() - 6.0
    }
}

#[cfg(test)]
mod tests {
    use tourismo_core::geodesy::{Position, distance_m};

    use super::*;

    const START: Timestamp = Timestamp(1_717_232_400_000);

    fn made(seed: u64, kind: Kind) -> Vec<Fix> {
        drive(seed, Options { start: START, minutes: 30, kind })
    }

    fn length_km(fixes: &[Fix]) -> f64 {
        fixes.windows(2).map(|w| distance_m(Position::from(&w[0]), Position::from(&w[1]))).sum::<f64>() / 1000.0
    }

    #[test]
    fn the_same_seed_makes_the_same_drive_and_another_seed_another() {
        for kind in [Kind::Mountain, Kind::Lane, Kind::Town, Kind::Motorway] {
            assert_eq!(made(7, kind), made(7, kind));
            assert_ne!(made(7, kind), made(8, kind));
        }
    }

    #[test]
    fn two_who_take_one_road_drive_beside_each_other_and_measure_it_each_for_themselves() {
        let along = |seed, minutes| drive_along(7, seed, Options { start: START, minutes, kind: Kind::Mountain });
        let (short, long) = (along(1, 12), along(2, 30));
        assert_ne!(short[..100], long[..100]);
        let near = |fix: &Fix| long.iter().any(|other| distance_m(Position::from(fix), Position::from(other)) < 40.0);
        assert!(short.iter().filter(|fix| near(fix)).count() * 100 > short.len() * 95);
        assert!(short.len() < long.len());
    }

    #[test]
    fn every_fix_has_all_its_values_and_is_later_than_the_one_before() {
        for kind in [Kind::Mountain, Kind::Lane, Kind::Town, Kind::Motorway] {
            let fixes = made(1, kind);
            assert_eq!(fixes[0].fixed_at, START);
            assert!(fixes.windows(2).all(|pair| pair[0].fixed_at < pair[1].fixed_at));
            for fix in &fixes {
                assert!(fix.quantised().is_ok() && fix.recorded_at > fix.fixed_at);
                assert!(fix.accuracy_m.is_some() && fix.altitude_m.is_some() && fix.altitude_accuracy_m.is_some());
                let speed_mps = fix.speed_mps.unwrap();
                assert!((0.0..50.0).contains(&speed_mps));
                assert_eq!(fix.heading_deg.is_some(), speed_mps >= 0.5);
            }
        }
    }

    #[test]
    fn each_device_has_its_own_rhythm_and_values() {
        let intervals = |fixes: &[Fix]| -> Vec<i64> {
            let mut all: Vec<i64> = fixes.windows(2).map(|w| w[1].fixed_at.millis_since(w[0].fixed_at)).collect();
            all.sort_unstable();
            all
        };
        let options = Options { start: START, minutes: 30, kind: Kind::Mountain };
        let made = |device| {
            let fixes = drive_with(device, 3, options);
            assert_eq!(fixes, drive_with(device, 3, options));
            assert!(fixes.windows(2).all(|pair| pair[0].fixed_at < pair[1].fixed_at), "{device:?}");
            assert!(fixes.iter().all(|fix| fix.quantised().is_ok()), "{device:?}");
            fixes
        };
        let android = made(Device::Android);
        let [all, regular] = [|_: &i64| true, |ms: &i64| (980..=1020).contains(ms)]
            .map(|is| intervals(&android).into_iter().filter(is).count());
        assert!(regular * 100 > all * 70 && regular * 100 < all * 95, "{regular} of {all}");
        let repeated = android.windows(2).filter(|pair| pair[0].accuracy_m == pair[1].accuracy_m).count();
        assert!(repeated * 2 > android.len());
        let iphone = intervals(&made(Device::Iphone));
        assert!(iphone[0] >= 999 && iphone[iphone.len() - 1] <= 1001);
        let logger = intervals(&made(Device::Logger { interval_s: 15 }));
        assert!(logger.iter().all(|ms| [14_000, 15_000, 16_000].contains(ms)), "{logger:?}");
        let receiver = intervals(&made(Device::Receiver { rate_hz: 18 }));
        assert!(receiver.iter().all(|ms| [55, 56].contains(ms)));
    }

    #[test]
    fn each_road_is_driven_at_its_own_pace() {
        for seed in 0..5 {
            let [mountain, town, motorway] =
                [Kind::Mountain, Kind::Town, Kind::Motorway].map(|kind| length_km(&made(seed, kind)));
            assert!((12.0..35.0).contains(&mountain), "seed {seed}: {mountain} km");
            assert!((5.0..18.0).contains(&town), "seed {seed}: {town} km");
            assert!((45.0..66.0).contains(&motorway), "seed {seed}: {motorway} km");
        }
    }

    #[test]
    fn a_mountain_has_height_and_a_tunnel_and_a_town_has_red_lights() {
        for seed in 0..5 {
            let mountain = made(seed, Kind::Mountain);
            let altitudes_m = mountain.iter().filter_map(|fix| fix.altitude_m);
            let (low_m, high_m) = altitudes_m.fold((f64::MAX, f64::MIN), |(low, high), m| (low.min(m), high.max(m)));
            assert!(high_m - low_m > 150.0, "seed {seed}: {low_m} to {high_m} m");
            let longest_ms = mountain.windows(2).map(|w| w[1].fixed_at.millis_since(w[0].fixed_at)).max();
            assert!(longest_ms > Some(20_000), "seed {seed}");
            let standing = made(seed, Kind::Town).iter().filter(|fix| fix.speed_mps < Some(0.4)).count();
            assert!(standing > 60, "seed {seed}: {standing} s");
        }
    }
}
