//! How good the road of a drive is, found in the drive itself: no map is asked.
//!
//! Curvature as maps have it fails on measured tracks: a suburb with its right-angled corners scores like an Alpine climb.
//! What tells them apart is whether the road *flows*: corners count only where nobody had to slow down to a crawl. Speed is
//! that gate and nothing else: faster scores no higher, and no figure here can be turned into one of speed.
//!
//! The way goes `fixes → way (cleaned, every 20 m) → bends, grade → steps → tally → score`. A step is 20 m of measured road
//! and says of it what is counted; a [`Tally`] only counts, in whole numbers, so that sums come out the same in whatever
//! order drives arrive; a [`RoadScore`] is computed from a tally and nothing else. Spans that were not measured have no
//! steps, and nothing is computed across them.
//!
//! The same on phone and relay, bit for bit: sums, products, quotients and square roots are exact in IEEE 754, and every
//! other function is crate `libm`'s.
//!
//! This file knows nothing of documents, maps or cells.

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

/// Length of a step along the way, metres.
pub const STEP_M: u32 = 20;

/// The least that is scored by itself, metres.
pub const SHORTEST_SCORED_M: u32 = 1_000;

/// How sharply the road bends, by the radius of the circle through three samples 20 m apart.
///
/// The bands and their weights are those of Adam Franco's Curvature (roadcurvature.com, "How it works"), which has them for
/// roads in OpenStreetMap.
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

/// [`STEP_M`] of a measured road.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    place: Ecef,
    /// When the car was there, between two fixes by their distance.
    pub at: Timestamp,
    /// How sharply the road bends.
    pub bend: Bend,
    /// Whether the car stayed at 30 km/h or more for 40 m before and behind.
    pub flows: bool,
    /// Whether this is the middle of a corner that flows.
    pub is_corner: bool,
    /// Mean steepness of the 300 m around, up or down alike, metres per kilometre; `None` where altitudes are missing.
    pub grade_m_per_km: Option<u32>,
    /// Whether what comes before was not measured.
    pub begins_section: bool,
}

impl Step {
    /// Where it is.
    pub fn position(&self) -> Position {
        self.place.into()
    }
}

/// The measured road of one drive.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RoadSteps {
    steps: Vec<Step>,
    /// The straight lines over everything that was not measured, metres.
    unknown_m: f64,
}

impl RoadSteps {
    /// The road under fixes in the order of their time. What is no position, or not later than the fix before, is left out.
    pub fn of<'a>(fixes: impl IntoIterator<Item = &'a Fix>) -> RoadSteps {
        let mut steps = Vec::new();
        let unknown_m = way::sections(fixes, |samples| {
            let bends = bends::along(samples);
            let grades = grade::along(samples);
            // The ends have no circle through them.
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

    /// What was measured, in the order in which it was driven.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The straight lines over everything that was not measured, metres.
    pub fn unknown_m(&self) -> f64 {
        self.unknown_m
    }

    /// What there is to count on all of it.
    pub fn tally(&self) -> Tally {
        self.steps.iter().collect()
    }

    /// The score of the whole; `None` if less than [`SHORTEST_SCORED_M`] of it was measured, or less than three quarters: what
    /// a slow receiver misses are the fast parts, and those it has say nothing of the whole.
    pub fn score(&self) -> Option<RoadScore> {
        let tally = self.tally();
        let measured_m = f64::from(tally.measured_m());
        tally.score().filter(|_| measured_m >= 3.0 * self.unknown_m)
    }

    /// The best stretches without a break, best first; they do not touch.
    pub fn best_stretches(&self) -> Vec<RoadStretch> {
        best::stretches(&self.steps)
    }

    /// What is worth knowing of it.
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
