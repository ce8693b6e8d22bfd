//! The score of a road, computed from counts.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::{Bend, SHORTEST_SCORED_M, STEP_M, Step};

/// Counts of a road, in steps of [`STEP_M`]. Sums of tallies are exact in any order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct Tally {
    /// Measured steps.
    #[n(0)]
    pub steps: u32,
    /// Flowing steps.
    #[n(1)]
    pub flowing: u32,
    /// Flowing steps by [`Bend`], from straight to hairpin.
    #[n(2)]
    pub bends: [u32; 5],
    /// Flowing corners.
    #[n(3)]
    pub corners: u32,
    /// Steps with a known slope.
    #[n(4)]
    pub graded: u32,
    /// The sum of their slopes, metres per kilometre.
    #[n(5)]
    pub grade_sum: u32,
}

/// The quality of a road. Always shown with its parts and the length on which it was computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RoadScore {
    /// 0 to 100: the weighted geometric mean of the parts.
    #[n(0)]
    pub score: u8,
    /// The parts of the score.
    #[n(1)]
    pub parts: RoadParts,
    /// The measured length, metres.
    #[n(2)]
    pub measured_m: u32,
}

/// The parts of a score, each from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct RoadParts {
    /// The amount and sharpness of flowing bends.
    #[n(0)]
    pub twist: u8,
    /// The number of flowing corners.
    #[n(1)]
    pub corners: u8,
    /// The slope; absent without altitudes.
    #[n(2)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relief: Option<u8>,
    /// The flowing share of the road.
    #[n(3)]
    pub flow: u8,
    /// The variety of its bends.
    #[n(4)]
    pub variety: u8,
}

/// The weight of a step of each [`Bend`], tenths (see there).
const BEND_WEIGHTS: [u32; 5] = [0, 10, 13, 16, 20];

/// Weighted metres of bends per kilometre that give the full part. An Alpine climb has about 430.
const FULL_TWIST_M_PER_KM: f64 = 400.0;
/// Flowing corners per kilometre that give the full part. Measured: Alpine climbs 1.8 to 3.0, country lanes 1.5, towns
/// 0 to 1.0, motorways 0.
const FULL_CORNERS_PER_KM: f64 = 3.0;
/// Slopes below this are noise of the receiver, metres per kilometre.
const FLAT_M_PER_KM: f64 = 10.0;
/// The mean slope that gives the full part, metres per kilometre.
const FULL_GRADE_M_PER_KM: f64 = 60.0;
/// The part of a flat road, which may still be good.
const FLAT_RELIEF: f64 = 0.3;

/// The minimum of a part: one corner more or less in ten kilometres is noise, and must not decide between zero and a
/// score.
const LEAST_PART: f64 = 0.03;

/// The weights of the parts; those of the known parts are scaled to 1.
const WEIGHTS: Weights = Weights { twist: 0.3, corners: 0.3, relief: 0.1, flow: 0.2, variety: 0.1 };

struct Weights {
    twist: f64,
    corners: f64,
    relief: f64,
    flow: f64,
    variety: f64,
}

impl Tally {
    /// Adds a step.
    pub fn count(&mut self, step: &Step) {
        self.steps = self.steps.saturating_add(1);
        if step.flows {
            self.flowing = self.flowing.saturating_add(1);
            let bend = &mut self.bends[step.bend as usize];
            *bend = bend.saturating_add(1);
        }
        self.corners = self.corners.saturating_add(step.is_corner.into());
        if let Some(grade) = step.grade_m_per_km {
            self.graded = self.graded.saturating_add(1);
            self.grade_sum = self.grade_sum.saturating_add(grade);
        }
    }

    /// Adds another tally.
    pub fn add(&mut self, other: &Tally) {
        *self = self.combine(other, u32::saturating_add);
    }

    /// Subtracts another tally, which must have been added before.
    pub fn subtract(&mut self, other: &Tally) {
        *self = self.combine(other, u32::saturating_sub);
    }

    fn combine(&self, other: &Tally, each: impl Fn(u32, u32) -> u32) -> Tally {
        let mut bends = self.bends;
        bends.iter_mut().zip(other.bends).for_each(|(bend, other)| *bend = each(*bend, other));
        Tally {
            steps: each(self.steps, other.steps),
            flowing: each(self.flowing, other.flowing),
            bends,
            corners: each(self.corners, other.corners),
            graded: each(self.graded, other.graded),
            grade_sum: each(self.grade_sum, other.grade_sum),
        }
    }

    /// Returns the measured length, metres.
    pub fn measured_m(&self) -> u32 {
        self.steps.saturating_mul(STEP_M)
    }

    /// Returns the weighted metres of flowing bends per kilometre.
    pub fn twist_m_per_km(&self) -> f64 {
        let tenths = |(steps, weight): (&u32, u32)| f64::from(*steps) * f64::from(weight);
        self.bends.iter().zip(BEND_WEIGHTS).map(tenths).sum::<f64>() / 10.0 * 1000.0 / f64::from(self.steps.max(1))
    }

    /// Returns the flowing corners per kilometre.
    pub fn corners_per_km(&self) -> f64 {
        f64::from(self.corners) * 1000.0 / f64::from(STEP_M) / f64::from(self.steps.max(1))
    }

    /// Returns the mean slope, metres per kilometre; `None` unless it is known on half of the road.
    pub fn grade_m_per_km(&self) -> Option<f64> {
        (self.graded > 0 && self.graded >= self.steps / 2).then(|| f64::from(self.grade_sum) / f64::from(self.graded))
    }

    /// Returns the flowing share of the road, 0 to 1.
    pub fn flow(&self) -> f64 {
        f64::from(self.flowing) / f64::from(self.steps.max(1))
    }

    /// Returns how evenly flowing steps are distributed over the five bends, 0 to 1: Shannon's entropy divided by its
    /// maximum (E. C. Pielou, "The measurement of diversity in different types of biological collections", 1966).
    pub fn variety(&self) -> f64 {
        let share = |steps: &u32| f64::from(*steps) / f64::from(self.flowing.max(1));
        let information = |share: f64| if share > 0.0 { -share * libm::log(share) } else { 0.0 };
        self.bends.iter().map(share).map(information).sum::<f64>() / libm::log(self.bends.len() as f64)
    }

    /// Returns the score; `None` if less than [`SHORTEST_SCORED_M`] was measured.
    ///
    /// It is a geometric mean because a good road needs all parts: no number of corners compensates a road that does
    /// not flow.
    pub fn score(&self) -> Option<RoadScore> {
        if self.measured_m() < SHORTEST_SCORED_M {
            return None;
        }
        let twist = (self.twist_m_per_km() / FULL_TWIST_M_PER_KM).min(1.0);
        let corners = (self.corners_per_km() / FULL_CORNERS_PER_KM).min(1.0);
        let relief = self.grade_m_per_km().map(|grade_m_per_km| {
            let steepness = (grade_m_per_km - FLAT_M_PER_KM) / (FULL_GRADE_M_PER_KM - FLAT_M_PER_KM);
            FLAT_RELIEF + (1.0 - FLAT_RELIEF) * steepness.clamp(0.0, 1.0)
        });
        let (flow, variety) = (self.flow(), self.variety().clamp(0.0, 1.0));
        let factor = |part: f64, weight: f64| libm::pow(part.max(LEAST_PART), weight);
        let mut product = factor(twist, WEIGHTS.twist)
            * factor(corners, WEIGHTS.corners)
            * factor(flow, WEIGHTS.flow)
            * factor(variety, WEIGHTS.variety);
        match relief {
            Some(relief) => product *= factor(relief, WEIGHTS.relief),
            None => product = libm::pow(product, 1.0 / (1.0 - WEIGHTS.relief)),
        }
        let percent = |part: f64| (100.0 * part).round() as u8;
        let parts = RoadParts {
            twist: percent(twist),
            corners: percent(corners),
            relief: relief.map(percent),
            flow: percent(flow),
            variety: percent(variety),
        };
        Some(RoadScore { score: percent(product), parts, measured_m: self.measured_m() })
    }
}

impl<'a> FromIterator<&'a Step> for Tally {
    fn from_iter<I: IntoIterator<Item = &'a Step>>(steps: I) -> Tally {
        let mut tally = Tally::default();
        steps.into_iter().for_each(|step| tally.count(step));
        tally
    }
}

const _: () = assert!(Bend::Hairpin as usize == BEND_WEIGHTS.len() - 1);
