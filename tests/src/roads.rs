//! What the score of a road says of drives that are known, and what it must not mind: the direction, the receiver's noise,
//! how often it measures.

use std::fmt::Write as _;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tourismo_core::fix::Fix;
use tourismo_core::roads::Survey;
use tourismo_core::time::Timestamp;

use crate::made::{self, Kind, Options};
use crate::real_drives;

/// A drive, and what is known of its road.
#[derive(Clone, Debug)]
pub struct Known {
    /// How the tables name it.
    pub name: String,
    /// What road it is.
    pub road: Road,
    /// Its fixes, quantised, strictly increasing in time.
    pub fixes: Vec<Fix>,
}

/// What people would call a road.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Road {
    /// A made mountain pass.
    Mountain,
    /// A made country lane.
    Lane,
    /// A made town.
    Town,
    /// A made motorway.
    Motorway,
    /// Real drives around a town in the plains: suburbs, commutes, motorways.
    RealSuburb,
    /// A real drive on a road that winds, found by its score: drive 9. Drive 15, on another day, has its best stretch there.
    RealWinding,
    /// Real drives of cars and buses in a city, a fix every 5 s.
    RealCity,
}

impl Road {
    /// How the tables name it.
    fn name(self) -> &'static str {
        match self {
            Road::Mountain => "made mountain",
            Road::Lane => "made lane",
            Road::Town => "made town",
            Road::Motorway => "made motorway",
            Road::RealSuburb => "omaha: suburb, commute, motorway",
            Road::RealWinding => "omaha 9: a winding road",
            Road::RealCity => "aracaju: city",
        }
    }
}

/// What is done to a drive before it is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    AsDriven,
    /// Driven from its end to its beginning.
    Reversed,
    /// Measured by a worse receiver: an error that wanders slowly, 5 m north and 5 m east (standard deviation).
    Noisy,
    /// Both.
    ReversedAndNoisy,
    /// Measured every 5 s.
    EveryFiveSeconds,
}

impl Change {
    /// All of them.
    pub const ALL: [Change; 5] =
        [Change::AsDriven, Change::Reversed, Change::Noisy, Change::ReversedAndNoisy, Change::EveryFiveSeconds];

    /// The drive after this.
    pub fn of(self, fixes: &[Fix], seed: u64) -> Vec<Fix> {
        match self {
            Change::AsDriven => fixes.to_vec(),
            Change::Reversed => reversed(fixes),
            Change::Noisy => noisy(fixes, seed),
            Change::ReversedAndNoisy => noisy(&reversed(fixes), seed),
            Change::EveryFiveSeconds => thinned(fixes, 5_000),
        }
    }
}

/// Made drives of every road, and real ones if they are there.
///
/// # Errors
/// A real drive that cannot be read.
pub fn known() -> anyhow::Result<Vec<Known>> {
    let kinds = [
        (Kind::Mountain, Road::Mountain),
        (Kind::Lane, Road::Lane),
        (Kind::Town, Road::Town),
        (Kind::Motorway, Road::Motorway),
    ];
    let made = |seed: u64, (kind, road): (Kind, Road)| Known {
        name: format!("{} {seed}", road.name()),
        road,
        fixes: real_drives::ordered(&made::drive(seed, Options { start: START, minutes: 30, kind })),
    };
    let mut all: Vec<Known> = kinds.iter().flat_map(|&kind| (1..=6).map(move |seed| made(seed, kind))).collect();
    for (index, fixes) in real_drives::omaha()?.into_iter().enumerate() {
        let road = if index + 1 == 9 { Road::RealWinding } else { Road::RealSuburb };
        all.push(Known { name: format!("omaha {}", index + 1), road, fixes });
    }
    for (name, fixes) in real_drives::aracaju()? {
        all.push(Known { name, road: Road::RealCity, fixes });
    }
    Ok(all)
}

const START: Timestamp = Timestamp(1_717_232_400_000);

fn reversed(fixes: &[Fix]) -> Vec<Fix> {
    let Some(last) = fixes.last() else { return Vec::new() };
    let turned = |fix: &Fix| Fix {
        fixed_at: START + last.fixed_at.millis_since(fix.fixed_at),
        recorded_at: START + last.fixed_at.millis_since(fix.fixed_at),
        heading_deg: fix.heading_deg.map(|deg| (deg + 180.0) % 360.0),
        ..*fix
    };
    fixes.iter().rev().map(turned).collect()
}

/// An error with a memory of a minute (a first-order Gauss–Markov process), which is what receivers have.
fn noisy(fixes: &[Fix], seed: u64) -> Vec<Fix> {
    const DEVIATION_M: f64 = 5.0;
    const MEMORY_S: f64 = 60.0;
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut normal = move || (0..12).map(|_| f64::from(random.next_u32()) / f64::from(u32::MAX)).sum::<f64>() - 6.0;
    let (mut east_m, mut north_m) = (DEVIATION_M * normal(), DEVIATION_M * normal());
    let mut last_at = None;
    let disturbed = |fix: &Fix| {
        let elapsed_s = last_at.map_or(0.0, |last_at| fix.fixed_at.millis_since(last_at) as f64 / 1000.0);
        last_at = Some(fix.fixed_at);
        let kept = libm::exp(-elapsed_s / MEMORY_S);
        let fresh_m = DEVIATION_M * (1.0 - kept * kept).sqrt();
        east_m = kept * east_m + fresh_m * normal();
        north_m = kept * north_m + fresh_m * normal();
        let parallel_m = 111_195.0 * libm::cos(fix.lat_deg.to_radians());
        Fix { lat_deg: fix.lat_deg + north_m / 111_195.0, lon_deg: fix.lon_deg + east_m / parallel_m, ..*fix }
    };
    fixes.iter().map(disturbed).collect()
}

fn thinned(fixes: &[Fix], interval_ms: i64) -> Vec<Fix> {
    let mut kept: Vec<Fix> = Vec::new();
    for fix in fixes {
        if kept.last().is_none_or(|last| fix.fixed_at.millis_since(last.fixed_at) >= interval_ms) {
            kept.push(*fix);
        }
    }
    kept
}

/// What every part says of every known drive, and what changes the score, as Markdown. Drives of less than a kilometre of
/// measured road are left out.
pub fn table(known: &[Known]) -> String {
    let mut table = String::from(
        "| drive | measured km | of the way % | twist m/km | corners /km | grade m/km | flow | variety | score | reversed \
         | noisy | both | every 5 s | best stretch |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut road = None;
    for drive in known {
        let survey = Survey::of(&drive.fixes);
        let tally = survey.tally();
        if tally.score().is_none() {
            continue;
        }
        if road.replace(drive.road) != Some(drive.road) {
            let _ = writeln!(table, "| **{}** ||||||||||||||", drive.road.name());
        }
        let measured_km = f64::from(tally.measured_m()) / 1000.0;
        let _ = write!(
            table,
            "| {} | {measured_km:.1} | {:.0} | {:.0} | {:.1} | {} | {:.2} | {:.2} |",
            drive.name,
            100.0 * measured_km / (measured_km + survey.unknown_m() / 1000.0),
            tally.twist_m_per_km(),
            tally.corners_per_km(),
            tally.grade_m_per_km().map_or("–".to_owned(), |grade| format!("{grade:.0}")),
            tally.flow(),
            tally.variety(),
        );
        for change in Change::ALL {
            let score = Survey::of(&change.of(&drive.fixes, NOISE_SEED)).score();
            let _ = write!(table, " {} |", score.map_or("–".to_owned(), |score| score.score.to_string()));
        }
        let best =
            survey.best_stretches().first().map(|best| (best.score.score, f64::from(best.score.measured_m) / 1000.0));
        let _ = writeln!(table, " {} |", best.map_or("–".to_owned(), |(score, km)| format!("{score}, {km:.1} km")));
    }
    table
}

/// The seed of the noise in the table.
const NOISE_SEED: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// The score of what was measured, even if that is too little of the way to be shown.
    fn score_of(fixes: &[Fix]) -> Option<u8> {
        Survey::of(fixes).tally().score().map(|score| score.score)
    }

    #[test]
    fn every_made_mountain_and_lane_stands_above_every_town_suburb_and_motorway() {
        let known = known().unwrap();
        eprintln!("{} drives", known.len());
        for change in [Change::AsDriven, Change::Reversed, Change::Noisy, Change::ReversedAndNoisy] {
            for seed in [1, 2] {
                let (mut worst_good, mut best_plain) = ((u8::MAX, ""), (0, ""));
                for drive in &known {
                    let Some(score) = score_of(&change.of(&drive.fixes, seed)) else { continue };
                    match drive.road {
                        Road::Mountain | Road::Lane => worst_good = worst_good.min((score, &drive.name)),
                        Road::Town | Road::Motorway | Road::RealSuburb | Road::RealCity => {
                            best_plain = best_plain.max((score, &drive.name));
                        }
                        Road::RealWinding => {}
                    }
                }
                eprintln!("{change:?}, seed {seed}: {worst_good:?} above {best_plain:?}");
                assert!(worst_good.0 >= best_plain.0 + 10, "{change:?}: {worst_good:?} {best_plain:?}");
            }
        }
    }

    /// How far a change of a drive moves its score, over all known drives of at least 2 km.
    fn largest_shift(change: Change, roads: &[Road]) -> u8 {
        let shift = |drive: &Known| {
            let before = Survey::of(&drive.fixes).score().filter(|score| score.measured_m >= 2_000)?;
            let after = Survey::of(&change.of(&drive.fixes, NOISE_SEED)).score()?;
            Some(before.score.abs_diff(after.score))
        };
        known().unwrap().iter().filter(|drive| roads.contains(&drive.road)).filter_map(shift).max().unwrap_or(0)
    }

    const GOOD: [Road; 3] = [Road::Mountain, Road::Lane, Road::RealWinding];
    const PLAIN: [Road; 4] = [Road::Town, Road::Motorway, Road::RealSuburb, Road::RealCity];

    #[test]
    fn direction_moves_a_score_by_three_points_at_most() {
        assert!(largest_shift(Change::Reversed, &GOOD) <= 3);
        assert!(largest_shift(Change::Reversed, &PLAIN) <= 3);
    }

    #[test]
    fn noise_moves_a_good_score_by_four_points_at_most_and_a_low_one_by_ten() {
        assert!(largest_shift(Change::Noisy, &GOOD) <= 4);
        assert!(largest_shift(Change::Noisy, &PLAIN) <= 10);
    }

    #[test]
    fn a_receiver_of_one_fix_in_five_seconds_gives_the_score_or_none() {
        let shift = largest_shift(Change::EveryFiveSeconds, &[GOOD.as_slice(), &PLAIN].concat());
        assert!(shift <= 12, "{shift}");
    }
}
