//! The quality of the road of a drive, computed from the drive itself, without a map.
//!
//! Curvature as computed from maps fails on measured tracks: a suburb with its right-angled corners scores like an
//! Alpine climb. The difference is whether the road *flows*: corners count only where the driver did not have to slow
//! down to a crawl. Speed is used for this gate only: driving faster gives no higher score, and no value here reveals a
//! speed.
//!
//! The steps are `fixes → way (cleaned, every 20 m) → bends, grade → steps → tally → score`. A step is 20 m of measured
//! road. A [`Tally`] counts in whole numbers, so sums do not depend on the order of drives. A [`RoadScore`] is computed
//! from a tally only. Unmeasured spans have no steps, and nothing is computed across them.
//!
//! Phone and relay compute the same bits: sums, products, quotients and square roots are exact in IEEE 754, and all
//! other functions are those of the crate `libm`.
//!
//! This module must not depend on documents, maps or cells.

mod bends;
mod best;
mod grade;
mod score;
mod way;

use minicbor::{Decode, Encode};
use serde::Serialize;

use crate::fix::Fix;
use crate::geodesy::{Ecef, Position};
use crate::time::Timestamp;

pub use best::RoadStretch;
pub use score::{RoadParts, RoadScore, Tally};

/// The length of a step along the way, metres.
pub const STEP_M: u32 = 20;

/// The minimum length that is scored alone, metres.
pub const SHORTEST_SCORED_M: u32 = 1_000;

/// The sharpness of a bend, by the radius of the circle through three samples 20 m apart.
///
/// Bands and weights are those of Adam Franco's Curvature for roads in OpenStreetMap (roadcurvature.com, "How it
/// works").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bend {
    /// 175 m and more.
    Straight = 0,
    /// Under 175 m.
    Broad = 1,
    /// Under 100 m.
    Medium = 2,
    /// Under 60 m.
    Tight = 3,
    /// Under 30 m.
    Hairpin = 4,
}

/// A measured road of length [`STEP_M`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    place: Ecef,
    /// The time at which the car was there, interpolated between two fixes by distance.
    pub at: Timestamp,
    /// The sharpness of its bend.
    pub bend: Bend,
    /// Whether the speed stayed at 30 km/h or more for 40 m before and after.
    pub flows: bool,
    /// Whether this is the middle of a flowing corner.
    pub is_corner: bool,
    /// The mean slope of the surrounding 300 m, up or down, metres per kilometre; `None` without altitudes.
    pub grade_m_per_km: Option<u32>,
    /// Whether the way before the step was not measured.
    pub begins_section: bool,
}

impl Step {
    /// Returns its position.
    pub fn position(&self) -> Position {
        self.place.into()
    }
}

/// The measured road of one drive.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoadSteps {
    steps: Vec<Step>,
    /// The sum of the straight lines over all unmeasured spans, metres.
    unknown_m: f64,
}

impl RoadSteps {
    /// Returns the road under fixes, ordered by time. Invalid fixes, and fixes that are not later than the one before,
    /// are left out.
    ///
    /// # Examples
    /// A winding road scores higher than a straight one:
    /// ```
    /// use tourismo_core::fix::Fix;
    /// use tourismo_core::roads::RoadSteps;
    /// use tourismo_core::time::Timestamp;
    ///
    /// // Two and a half minutes to the north; the road swings from side to side by this many degrees.
    /// let road = |swing_deg: f64| {
    ///     let fix = |second: i32| Fix {
    ///         fixed_at: Timestamp(1_700_000_000_000) + 1_000 * i64::from(second),
    ///         recorded_at: Timestamp(1_700_000_000_000) + 1_000 * i64::from(second),
    ///         lat_deg: 46.5 + 1.2e-4 * f64::from(second),
    ///         lon_deg: 10.4 + swing_deg * (f64::from(second) / 5.0).sin(),
    ///         accuracy_m: Some(5.0),
    ///         altitude_m: None,
    ///         altitude_accuracy_m: None,
    ///         heading_deg: None,
    ///         speed_mps: None,
    ///     };
    ///     (0..150).map(fix).collect::<Vec<_>>()
    /// };
    /// let score = |swing_deg| RoadSteps::of(&road(swing_deg)).score().expect("more than a kilometre").score;
    /// assert!(score(0.0006) > 50 + score(0.0));
    /// ```
    pub fn of<'a>(fixes: impl IntoIterator<Item = &'a Fix>) -> RoadSteps {
        let mut steps = Vec::new();
        let unknown_m = way::sections(fixes, |samples| {
            let bends = bends::along(samples);
            let grades = grade::along(samples);
            // There is no circle through the ends.
            for (index, bend) in bends.into_iter().enumerate() {
                let sample = &samples[index + 1];
                steps.push(Step {
                    place: sample.place,
                    at: sample.at,
                    bend: bend.bend,
                    flows: sample.flows,
                    is_corner: bend.is_corner,
                    grade_m_per_km: grades[index + 1],
                    begins_section: index == 0,
                });
            }
        });
        RoadSteps { steps, unknown_m }
    }

    /// Returns the measured steps, in the order of the drive.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns the sum of the straight lines over all unmeasured spans, metres.
    pub fn unknown_m(&self) -> f64 {
        self.unknown_m
    }

    /// Returns the counts of all steps.
    pub fn tally(&self) -> Tally {
        self.steps.iter().collect()
    }

    /// Returns the score of all steps; `None` if less than [`SHORTEST_SCORED_M`] was measured, or less than three quarters:
    /// a slow receiver misses the fast parts, so that the measured ones do not represent the drive.
    pub fn score(&self) -> Option<RoadScore> {
        let tally = self.tally();
        let measured_m = f64::from(tally.measured_m());
        tally.score().filter(|_| measured_m >= 3.0 * self.unknown_m)
    }

    /// Returns the best stretches without a break, best first. They do not touch.
    pub fn best_stretches(&self) -> Vec<RoadStretch> {
        best::stretches(&self.steps)
    }

    /// Returns the view of the road.
    pub fn view(&self) -> RoadView {
        RoadView { score: self.score(), stretches: self.best_stretches() }
    }
}

/// How good the road of a drive is, as its owner sees it: computed on the phone, from the whole track.
#[derive(Clone, Debug, PartialEq, Serialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RoadView {
    /// The whole; absent if too little of it was measured.
    #[n(0)]
    pub score: Option<RoadScore>,
    /// Its best stretches, the best first.
    #[n(1)]
    pub stretches: Vec<RoadStretch>,
}

#[cfg(test)]
mod tests;
