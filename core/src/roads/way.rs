//! Samples a drive every 20 m of way, and marks the samples at which the car flowed.
//!
//! The way is split into sections at unmeasured spans.

use super::STEP_M;
use crate::fix::Fix;
use crate::geodesy::{Ecef, Position};
use crate::stats::known_altitude_m;
use crate::time::Timestamp;

/// Fixes nearer to the last one than this are mostly noise, metres.
const SHORTEST_SPAN_M: f64 = 5.0;
/// Maximum length of a measured span, metres.
const LONGEST_SPAN_M: f64 = 60.0;
/// Maximum duration of a measured span, milliseconds.
const LONGEST_SPAN_MS: i64 = 10_000;
/// The distance before and after a sample over which the car must flow, metres.
const GATE_REACH_M: f64 = 40.0;
/// The minimum flowing speed, 30 km/h, metres per second.
const GATE_MPS: f64 = 30.0 / 3.6;
/// The slope is unknown if altitudes are missing over this way, metres.
const LONGEST_LEVEL_M: f64 = 300.0;
/// The tolerated error of an altitude, metres, to which the maximum climb of a road is added.
const JUMP_M: f64 = 20.0;
const STEEPEST: f64 = 0.25;
/// The minimum time base of a speed computed from positions, milliseconds.
const SPEED_OVER_MS: i64 = 3_000;

/// A position on the way, at a multiple of the step from the beginning of its section.
#[derive(Clone, Copy, Debug)]
pub(super) struct RoadSample {
    pub(super) place: Ecef,
    pub(super) at: Timestamp,
    pub(super) altitude_m: Option<f64>,
    pub(super) flows: bool,
}

/// A fix that was kept.
#[derive(Clone, Copy)]
struct Knot {
    place: Ecef,
    at: Timestamp,
    altitude_m: Option<f64>,
    /// Way from the beginning of the section.
    along_m: f64,
    /// The slowest Doppler speed since the last knot, if there is one.
    slowest_mps: Option<f64>,
}

/// Calls `each` with the samples of every section, one after the other. Returns the sum of the straight lines over
/// everything between them, metres.
pub(super) fn sections<'a>(fixes: impl IntoIterator<Item = &'a Fix>, mut each: impl FnMut(&[RoadSample])) -> f64 {
    let mut unknown_m = 0.0;
    let mut section = Section::default();
    let mut last_at = None;
    let mut slowest_mps: Option<f64> = None;
    for fix in fixes.into_iter().filter_map(|fix| fix.quantised().ok()) {
        if last_at.is_some_and(|last_at| fix.fixed_at <= last_at) {
            continue;
        }
        last_at = Some(fix.fixed_at);
        slowest_mps = slower(slowest_mps, fix.speed_mps);
        let mut knot = Knot {
            place: Ecef::from(Position::from(&fix)),
            at: fix.fixed_at,
            altitude_m: known_altitude_m(&fix),
            along_m: 0.0,
            slowest_mps,
        };
        if let Some(last) = section.knots.last() {
            let span_m = last.place.chord_m(knot.place);
            if span_m < SHORTEST_SPAN_M {
                continue;
            }
            if span_m > LONGEST_SPAN_M || knot.at.millis_since(last.at) > LONGEST_SPAN_MS {
                // A long time on a short way: the car stood.
                let stood = span_m <= LONGEST_SPAN_M;
                section.ends_standing = stood;
                unknown_m += span_m;
                section.fill_altitudes();
                each(&section.samples());
                section = Section { begins_standing: stood, ..Section::default() };
                knot.slowest_mps = fix.speed_mps;
            } else {
                knot.along_m = last.along_m + span_m;
            }
        }
        section.knots.push(knot);
        slowest_mps = None;
    }
    section.fill_altitudes();
    each(&section.samples());
    unknown_m
}

fn slower(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (speed, None) | (None, speed) => speed,
    }
}

/// Consecutive knots without an unmeasured span.
#[derive(Default)]
struct Section {
    knots: Vec<Knot>,
    begins_standing: bool,
    ends_standing: bool,
}

impl Section {
    /// Interpolates the altitudes of knots without one along the way, because some receivers report them rarely. At a
    /// jump, the altitude is unknown on both sides.
    fn fill_altitudes(&mut self) {
        let mut known: Option<(usize, f64)> = None;
        let mut jumps = Vec::new();
        for index in 0..self.knots.len() {
            let Some(to_m) = self.knots[index].altitude_m else { continue };
            let Some((first, from_m)) = known.replace((index, to_m)) else { continue };
            let (began_m, way_m) = (self.knots[first].along_m, self.knots[index].along_m - self.knots[first].along_m);
            if (to_m - from_m).abs() > JUMP_M + STEEPEST * way_m {
                jumps.extend([first, index]);
            } else if way_m <= LONGEST_LEVEL_M {
                for knot in &mut self.knots[first + 1..index] {
                    knot.altitude_m = Some(from_m + (to_m - from_m) * (knot.along_m - began_m) / way_m);
                }
            }
        }
        jumps.into_iter().for_each(|index| self.knots[index].altitude_m = None);
    }

    fn samples(&self) -> Vec<RoadSample> {
        let length_m = self.knots.last().map_or(0.0, |knot| knot.along_m);
        let mut samples = Vec::with_capacity((length_m / f64::from(STEP_M)) as usize + 1);
        let speeds_mps = self.speeds_mps();
        // The knots of the span that contains the sample, and of the range of the gate.
        let (mut before, mut gate) = (0, 0);
        for index in 0_u32.. {
            let along_m = f64::from(index) * f64::from(STEP_M);
            while self.knots.get(before + 1).is_some_and(|knot| knot.along_m < along_m) {
                before += 1;
            }
            let (Some(from), Some(to)) = (self.knots.get(before), self.knots.get(before + 1)) else { break };
            if along_m > to.along_m {
                break;
            }
            let (gate_from_m, gate_to_m) = (along_m - GATE_REACH_M, along_m + GATE_REACH_M);
            while self.knots[gate].along_m < gate_from_m {
                gate += 1;
            }
            let stood = self.begins_standing && gate_from_m <= 0.0 || self.ends_standing && gate_to_m >= length_m;
            // The speed of a span is stored at its end, so that of the last span is beyond the range.
            let behind = gate + self.knots[gate..].partition_point(|knot| knot.along_m <= gate_to_m);
            let reached_mps = &speeds_mps[gate..speeds_mps.len().min(behind + 1)];
            samples.push(RoadSample {
                flows: !stood && reached_mps.iter().all(|&speed_mps| speed_mps >= GATE_MPS),
                ..between(from, to, (along_m - from.along_m) / (to.along_m - from.along_m))
            });
        }
        samples
    }

    /// Returns the slowest speed of the span that ends at each knot: the Doppler speed, or the way over 3 s.
    fn speeds_mps(&self) -> Vec<f64> {
        let mut from = 0;
        let speed_mps = |(index, knot): (usize, &Knot)| {
            while from + 1 < index && knot.at.millis_since(self.knots[from + 1].at) >= SPEED_OVER_MS {
                from += 1;
            }
            // The first knot has no span before it, so it uses the speed of the second.
            let to = if index == 0 { self.knots.get(1).unwrap_or(knot) } else { knot };
            let way_s = to.at.millis_since(self.knots[from].at) as f64 / 1000.0;
            let way_mps = if way_s > 0.0 { (to.along_m - self.knots[from].along_m) / way_s } else { 0.0 };
            knot.slowest_mps.unwrap_or(way_mps)
        };
        self.knots.iter().enumerate().map(speed_mps).collect()
    }
}

/// Returns the point at this fraction of the way from one knot to the next.
fn between(from: &Knot, to: &Knot, part: f64) -> RoadSample {
    let elapsed_ms = to.at.millis_since(from.at) as f64;
    let altitude_m = |(from_m, to_m): (f64, f64)| from_m + (to_m - from_m) * part;
    RoadSample {
        place: from.place.towards(to.place, part),
        at: from.at + (elapsed_ms * part) as i64,
        altitude_m: from.altitude_m.zip(to.altitude_m).map(altitude_m),
        flows: false,
    }
}
