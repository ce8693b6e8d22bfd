//! Real drives, for those who have them: `../shared/tracks` beside the repository. The project itself contains only
//! synthetic drives, and needs no others.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;
use tourismo_import::gpx;

/// Returns the drives of `omaha/` in the order of their names, quantised, with strictly increasing times; none if the
/// folder does not exist. They are cars at 1 Hz with altitude, speed and heading, without accuracies.
///
/// # Errors
/// If a file cannot be read, or is not GPX.
pub fn omaha() -> anyhow::Result<Vec<Vec<Fix>>> {
    files("omaha", "gpx")?.iter().map(|path| Ok(ordered(&gpx::read(&std::fs::read(path)?)?.fixes))).collect()
}

/// Returns the drives of `aracaju/` in the same way, with the names of their files: cars and buses in a city, a fix
/// about every 5 s, with position and time only.
///
/// # Errors
/// If a file cannot be read, or is not a table of times, latitudes and longitudes.
pub fn aracaju() -> anyhow::Result<Vec<(String, Vec<Fix>)>> {
    let paths = files("aracaju", "csv")?;
    let drive = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let table = std::fs::read_to_string(path)?;
        Ok((name, ordered(&table.lines().skip(1).map(row).collect::<anyhow::Result<Vec<Fix>>>()?)))
    };
    paths.iter().map(drive).collect()
}

/// Returns the GPX files of `import/` in the same way: written by other programs, with their peculiarities.
///
/// # Errors
/// If a file cannot be read, or is not GPX.
pub fn imported() -> anyhow::Result<Vec<Vec<Fix>>> {
    files("import", "gpx")?.iter().map(|path| Ok(ordered(&gpx::read(&std::fs::read(path)?)?.fixes))).collect()
}

/// Seconds since 1970, latitude and longitude.
fn row(line: &str) -> anyhow::Result<Fix> {
    let mut numbers = line.split(',').map(str::parse::<f64>);
    let mut next = || numbers.next().context("three columns")?.context("a number");
    let fixed_at = Timestamp((next()? * 1000.0) as i64);
    Ok(Fix {
        fixed_at,
        recorded_at: fixed_at,
        lat_deg: next()?,
        lon_deg: next()?,
        accuracy_m: None,
        altitude_m: None,
        altitude_accuracy_m: None,
        heading_deg: None,
        speed_mps: None,
    })
}

/// Returns the files of a folder in the order of their names; none if it does not exist.
fn files(folder: &str, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tracks").join(folder);
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = folder.read_dir()?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|found| found == extension));
    paths.sort();
    Ok(paths)
}

/// Returns the valid fixes that are later than all before them, quantised.
pub fn ordered(fixes: &[Fix]) -> Vec<Fix> {
    let mut kept: Vec<Fix> = Vec::with_capacity(fixes.len());
    for fix in fixes.iter().filter_map(|fix| fix.quantised().ok()) {
        if kept.last().is_none_or(|last| last.fixed_at < fix.fixed_at) {
            kept.push(fix);
        }
    }
    kept
}

/// Adds the missing accuracies of a drive, as slow drifts around 5 and 7 m, and delays of 80 to 180 ms, as a phone
/// would report them. The same seed gives the same values.
pub fn complete(fixes: &mut [Fix], seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut unit = move || f64::from(random.next_u32()) / f64::from(u32::MAX);
    let (mut horizontal_m, mut vertical_m) = (5.0_f64, 7.0_f64);
    for fix in fixes {
        horizontal_m = (horizontal_m + 0.02 * (5.0 - horizontal_m) + 0.8 * (unit() - 0.5)).max(2.0);
        vertical_m = (vertical_m + 0.02 * (7.0 - vertical_m) + 0.8 * (unit() - 0.5)).max(2.0);
        fix.accuracy_m.get_or_insert(horizontal_m.round());
        fix.altitude_accuracy_m.get_or_insert(vertical_m.round());
        if fix.recorded_at == fix.fixed_at {
            fix.recorded_at = fix.fixed_at + 80 + (unit() * 100.0) as i64;
        }
    }
}
