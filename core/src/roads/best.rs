//! The best stretches of a drive.

use std::ops::Range;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::score::{RoadScore, Tally};
use super::{Bend, STEP_M, Step};
use crate::geodesy::Position;
use crate::time::Timestamp;

/// The length of the window that finds stretches, metres: long enough to be worth a detour and to have a meaningful
/// score.
const WINDOW_M: u32 = 2_000;
const WINDOW: usize = (WINDOW_M / STEP_M) as usize;
/// Minimum score of a listed stretch.
const LOWEST_SCORE: u8 = 30;
/// A stretch continues while the road has at least this percentage of the stretch's best score.
const KEEPS_PERCENT: u32 = 85;
/// Maximum number of stretches of a drive.
const MOST: usize = 5;

/// A good stretch of a drive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Encode, Decode)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RoadStretch {
    /// The time at its start.
    #[n(0)]
    pub from_at: Timestamp,
    /// The time at its end.
    #[n(1)]
    pub to_at: Timestamp,
    /// The position of its start: longitude and latitude, degrees.
    #[n(2)]
    pub from: [f64; 2],
    /// The position of its end: longitude and latitude, degrees.
    #[n(3)]
    pub to: [f64; 2],
    /// Its score.
    #[n(4)]
    pub score: RoadScore,
}

/// Returns the best stretches of measured road, the best first; of equally good ones the one that was driven first.
pub(super) fn stretches(steps: &[Step]) -> Vec<RoadStretch> {
    // The score of the window that begins at each step; 0 where no window may begin.
    let mut scores = window_scores(steps);
    let mut stretches: Vec<RoadStretch> = Vec::new();
    while stretches.len() < MOST {
        let mut best = 0;
        for (place, &score) in scores.iter().enumerate() {
            if score > scores[best] {
                best = place;
            }
        }
        let Some(&peak) = scores.get(best).filter(|&&score| score >= LOWEST_SCORE) else { break };
        let keeps = |score: u8| u32::from(score) * 100 >= u32::from(peak) * KEEPS_PERCENT;
        let first = best - scores[..best].iter().rev().take_while(|&&score| keeps(score)).count();
        let last = best + scores[best + 1..].iter().take_while(|&&score| keeps(score)).count();
        let range = first..last + WINDOW;
        stretches.extend(stretch(&steps[range.clone()]));
        // Windows that touch this stretch are excluded.
        let touching = range.start.saturating_sub(WINDOW - 1)..range.end.min(scores.len());
        scores[touching].fill(0);
    }
    crate::sorting::sort_by_key(&mut stretches, |stretch| std::cmp::Reverse(stretch.score.score));
    stretches
}

/// The stretch is trimmed to its first and last bend.
fn stretch(steps: &[Step]) -> Option<RoadStretch> {
    let bends = |step: &Step| step.flows && step.bend != Bend::Straight;
    let steps = &steps[steps.iter().position(bends)?..=steps.iter().rposition(bends)?];
    let (first, last) = (steps.first()?, steps.last()?);
    let lon_lat = |step: &Step| {
        let Position { lat_deg, lon_deg } = step.position();
        // Rounded to the precision of tracks.
        [(lon_deg * 1e6).round() / 1e6, (lat_deg * 1e6).round() / 1e6]
    };
    let score = steps.iter().collect::<Tally>().score()?;
    Some(RoadStretch { from_at: first.at, to_at: last.at, from: lon_lat(first), to: lon_lat(last), score })
}

fn window_scores(steps: &[Step]) -> Vec<u8> {
    let mut scores = vec![0; steps.len()];
    for section in sections(steps) {
        let mut tally = Tally::default();
        for (place, step) in steps[section.clone()].iter().enumerate() {
            tally.count(step);
            let Some(first) = (place + 1).checked_sub(WINDOW).map(|first| section.start + first) else { continue };
            scores[first] = tally.score().map_or(0, |score| score.score);
            tally.subtract(&[steps[first]].iter().collect());
        }
    }
    scores
}

fn sections(steps: &[Step]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let rest = steps.get(start + 1..)?;
        let end = start + 1 + rest.iter().position(|step| step.begins_section).unwrap_or(rest.len());
        let section = start..end;
        start = end;
        Some(section)
    })
}
