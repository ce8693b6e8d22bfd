//! The recorder with drives of real people, if their folder exists beside the repository.

#![expect(clippy::print_stdout, reason = "says what was found, and whether there was anything to check")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tourismo_core::display::{Line, MAX_SAMPLES, Profile};
use tourismo_core::fix::Fix;
use tourismo_core::geodesy::{Position, distance_m};
use tourismo_core::id::DocId;
use tourismo_core::privacy::places::{
    ALWAYS_HIDDEN_M, Place, PlaceKind, PlaceSecret, SAME_PLACE_M, ZoneSize, unknown_stops,
};
use tourismo_core::privacy::redact;
use tourismo_core::privacy::stops::stops;
use tourismo_core::recorder::{Recorder, Verdict};
use tourismo_core::stats::DriveStats;
use tourismo_core::time::Timestamp;
use tourismo_core::track::parts::{RecentIntervals, parts};
use tourismo_core::track::{Refusal, Stretch};
use tourismo_import::gpx;
use tourismo_tests::synthetic;

/// The tracks and their names, sorted; none without the folder, which is printed.
fn real_drives() -> Vec<(String, Vec<Fix>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tracks");
    let Ok(sources) = fs::read_dir(&folder) else {
        println!("no real drives beside the repository: nothing to check");
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = sources
        .filter_map(|source| fs::read_dir(source.ok()?.path()).ok())
        .flat_map(|files| files.filter_map(|file| Some(file.ok()?.path())))
        .collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    paths
        .iter()
        .filter_map(|path| match path.extension()?.to_str()? {
            "gpx" => match gpx::read(&fs::read(path).unwrap()) {
                Ok(file) => Some((name(path), file.fixes)),
                Err(error) => {
                    println!("{}: {error}", name(path));
                    None
                }
            },
            "csv" => Some((name(path), csv_fixes(&fs::read_to_string(path).unwrap()))),
            _ => None,
        })
        .collect()
}

/// Lines of `t,lat,lon` under a heading; t in seconds since 1970.
fn csv_fixes(text: &str) -> Vec<Fix> {
    let fix = |line: &str| {
        let values: Vec<f64> = line.split(',').map(|value| value.parse().unwrap()).collect();
        let fixed_at = Timestamp((values[0] * 1000.0) as i64);
        Fix {
            fixed_at,
            recorded_at: fixed_at,
            lat_deg: values[1],
            lon_deg: values[2],
            accuracy_m: None,
            altitude_m: None,
            altitude_accuracy_m: None,
            heading_deg: None,
            speed_mps: None,
        }
    };
    text.lines().skip(1).map(fix).collect()
}

struct Recorded {
    stretch: Stretch,
    stats: DriveStats,
    refusals: BTreeMap<Refusal, u32>,
}

fn record(fixes: &[Fix]) -> Recorded {
    let mut recorder = Recorder::new(fixes.first().map_or(Timestamp(0), |fix| fix.fixed_at));
    let mut stretch = Stretch::default();
    let mut refusals = BTreeMap::new();
    let mut file = |verdict: Verdict| match verdict {
        Verdict::Accepted(fix) => stretch.fixes.push(fix),
        Verdict::Refused(refused) => {
            *refusals.entry(refused.refusal).or_insert(0) += 1;
            stretch.refused.push(refused);
        }
        Verdict::Invalid(_) => stretch.invalid_count += 1,
    };
    for fix in fixes {
        recorder.take(fix).into_iter().for_each(&mut file);
    }
    recorder.settle().into_iter().for_each(&mut file);
    Recorded { stretch, stats: recorder.stats(), refusals }
}

fn way_m(pair: &[Fix]) -> f64 {
    distance_m(Position::from(&pair[0]), Position::from(&pair[1]))
}

/// The sum over all steps that are no gaps, in metres.
fn bare_way_m(fixes: &[Fix]) -> f64 {
    let mut rhythm = RecentIntervals::default();
    let is_step = |pair: &&[Fix]| !rhythm.is_gap(&pair[0], &pair[1], way_m(pair));
    fixes.windows(2).filter(is_step).map(way_m).sum()
}

#[test]
fn real_drives_are_recorded_without_loss_and_with_plausible_sums() {
    for (name, fixes) in real_drives() {
        let Recorded { stretch, stats, refusals } = record(&fixes);
        println!(
            "{name}: {} fixes, {:.1} km and {:.1} km over {} gaps, moving {} of {} min, at most {} m/s, \
             {} m up, {} m down, refused {refusals:?}",
            fixes.len(),
            stats.distance_m / 1000.0,
            stats.gap_distance_m / 1000.0,
            stats.gaps,
            stats.moving_ms / 60_000,
            stats.duration_ms / 60_000,
            stats.max_speed_mps,
            stats.ascent_m,
            stats.descent_m,
        );
        let kept = stretch.fixes.len() + stretch.refused.len() + stretch.invalid_count as usize;
        assert_eq!(kept, fixes.len(), "{name}: every fix is accepted or refused");
        // A file of three places, a second and half a kilometre apart, contains an impossible one.
        assert!(
            stretch.refused.len().saturating_sub(1) * 20 <= fixes.len(),
            "{name}: {refusals:?} of real fixes are refused"
        );
        assert!(stretch.fixes.windows(2).all(|pair| pair[0].fixed_at < pair[1].fixed_at), "{name}");
        // Standing still only shortens the distance; figures are rounded to a metre.
        let bare_m = bare_way_m(&stretch.fixes);
        assert!(stats.distance_m <= bare_m + 1.0, "{name}: {} of {bare_m} m", stats.distance_m);
        if stats.moving_ms * 10 > stats.duration_ms * 9 {
            assert!(stats.distance_m >= 0.97 * bare_m - 1.0, "{name}: {} of {bare_m} m", stats.distance_m);
        }
        assert!(stats.moving_ms <= stats.duration_ms && stats.max_speed_mps < 60.0, "{name}");
        let parts = parts(std::slice::from_ref(&stretch));
        assert_eq!(parts.len(), stats.gaps as usize + 1, "{name}");
        assert_eq!(Recorder::resume(fixes[0].fixed_at, &[stretch]).stats(), stats, "{name}");
        if name == "drive30.gpx" {
            let way_km = (stats.distance_m + stats.gap_distance_m) / 1000.0;
            assert!((way_km - 234.0).abs() < 1.0, "{way_km} km");
        }
    }
}

#[test]
fn real_and_made_drives_are_published_without_their_ends_and_shown_in_few_points() {
    let made = [synthetic::Kind::Mountain, synthetic::Kind::Town, synthetic::Kind::Motorway].map(|kind| {
        let options = synthetic::Options { start: Timestamp(1_717_232_400_000), minutes: 60, kind };
        (format!("made {kind:?}"), synthetic::drive(1, options))
    });
    let mut published = 0;
    for (name, fixes) in real_drives().into_iter().chain(made) {
        let Recorded { stretch, stats, .. } = record(&fixes);
        let parts = parts(std::slice::from_ref(&stretch));
        let points: usize = Line::simplified(&parts, 20.0).parts.iter().map(Vec::len).sum();
        assert!(points <= stretch.fixes.len() && Profile::of(&parts).elapsed_s.len() <= MAX_SAMPLES, "{name}");
        let (Some(first), Some(last)) = (stretch.fixes.first(), stretch.fixes.last()) else { continue };
        let ends = [Position::from(first), Position::from(last)];
        let place = |position| Place {
            id: DocId::from_bytes([1; 16]),
            position,
            secret: PlaceSecret([7; 16]),
            is_found: true,
            kind: PlaceKind::Stop,
            size: ZoneSize::Standard,
        };
        let places: Vec<Place> = unknown_stops(&stops(&stretch.fixes), &[]).into_iter().map(place).collect();
        match redact(std::slice::from_ref(&stretch), &places) {
            Ok(shown) => {
                published += 1;
                let is_far = |fix: &Fix| {
                    ends.iter().all(|&end| distance_m(end, Position::from(fix)) >= ALWAYS_HIDDEN_M - SAME_PLACE_M)
                };
                assert!(shown.fixes.iter().all(is_far), "{name}");
                let whole_m = |stats: &DriveStats| stats.distance_m + stats.gap_distance_m;
                assert!(whole_m(&shown.stats) < whole_m(&stats), "{name}");
                println!("{name}: {points} points, {:.1} km shown", shown.stats.distance_m / 1000.0);
            }
            Err(error) => println!("{name}: {points} points, {error}"),
        }
    }
    assert!(published >= 3, "at least the made drives are long enough");
}
