//! Drives that people drove, for those who have them: `../shared/tracks` beside the repository. The project itself holds
//! only drives that it made, and needs no other.

use std::path::Path;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tourismo_core::fix::Fix;

use crate::gpx_file;

/// The drives of `omaha/` in the order of their names, quantised, strictly increasing in time; none if the folder is not
/// there. They are cars at 1 Hz with altitude, speed and heading, without accuracies.
///
/// # Errors
/// A file that cannot be read, or is no GPX.
pub fn omaha() -> anyhow::Result<Vec<Vec<Fix>>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/tracks/omaha");
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut paths = folder.read_dir()?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "gpx"));
    paths.sort();
    paths.iter().map(|path| Ok(ordered(&gpx_file::read(&std::fs::read(path)?)?.fixes))).collect()
}

/// The fixes that are a position and later than all before them, quantised.
pub fn ordered(fixes: &[Fix]) -> Vec<Fix> {
    let mut kept: Vec<Fix> = Vec::with_capacity(fixes.len());
    for fix in fixes.iter().filter_map(|fix| fix.quantised().ok()) {
        if kept.last().is_none_or(|last| last.fixed_at < fix.fixed_at) {
            kept.push(fix);
        }
    }
    kept
}

/// Fills in the accuracies that a drive lacks, as slow drifts around 5 and 7 m, and delays of 80 to 180 ms: what a phone
/// adds to such a drive. The same seed gives the same values.
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
