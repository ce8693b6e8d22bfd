//! The track of a published drive for the formats: its fixes in a fifth of the memory, and texts that are written from
//! them piece by piece.

use tourismo_core::display::cut_parts;
use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;
use tourismo_core::track::block::decode_all;
use tourismo_core::track::parts::{Gap, Part, parts};

/// The size of a fix in memory after its blocks were read.
pub(crate) const BYTES_PER_FIX: usize = size_of::<TrackFix>();

/// The approximate size of a piece of text, bytes.
const PIECE_BYTES: usize = 64 << 10;

/// An unknown value of a fix.
const UNKNOWN: i32 = i32::MIN;

/// A track in parts, each of at least one fix.
#[derive(Clone, Debug, Default)]
pub(crate) struct Track(pub(super) Vec<TrackPart>);

/// Fixes without a gap between them.
#[derive(Clone, Debug)]
pub(super) struct TrackPart {
    pub(super) after: Option<Gap>,
    pub(super) fixes: Box<[TrackFix]>,
}

/// The shown values of a fix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TrackFix {
    /// Milliseconds since the first fix: the time of day is private.
    pub(super) elapsed_ms: i64,
    lon_microdegrees: i32,
    lat_microdegrees: i32,
    speed_dmps: i32,
    altitude_dm: i32,
}

impl Track {
    /// Returns the track in these blocks.
    pub(crate) fn of_blocks(blocks: &[Vec<u8>]) -> Track {
        Track::of_parts(&parts(&decode_all(blocks.iter().map(Vec::as_slice)).stretches))
    }

    /// Returns the track in these blocks, cut at the date line.
    pub(crate) fn of_blocks_for_maps(blocks: &[Vec<u8>]) -> Track {
        Track::of_parts(&cut_parts(parts(&decode_all(blocks.iter().map(Vec::as_slice)).stretches)))
    }

    /// Returns the track of these parts.
    pub(crate) fn of_parts(parts: &[Part]) -> Track {
        let start = parts.first().and_then(|part| part.fixes.first()).map(|fix| fix.fixed_at).unwrap_or_default();
        let part = |part: &Part| TrackPart {
            after: part.after,
            fixes: part.fixes.iter().map(|fix| TrackFix::of(fix, start)).collect(),
        };
        Track(parts.iter().map(part).collect())
    }
}

impl TrackFix {
    fn of(fix: &Fix, start: Timestamp) -> TrackFix {
        let rounded = |value: f64, factor: f64| (value * factor).round() as i32;
        TrackFix {
            elapsed_ms: fix.fixed_at.millis_since(start),
            lon_microdegrees: rounded(fix.lon_deg, 1e6),
            lat_microdegrees: rounded(fix.lat_deg, 1e6),
            speed_dmps: fix.speed_mps.map_or(UNKNOWN, |speed| rounded(speed, 10.0)),
            altitude_dm: fix.altitude_m.map_or(UNKNOWN, |altitude| rounded(altitude, 10.0)),
        }
    }

    /// Six decimals are a tenth of a metre.
    pub(super) fn lon_deg(&self) -> f64 {
        f64::from(self.lon_microdegrees) / 1e6
    }

    pub(super) fn lat_deg(&self) -> f64 {
        f64::from(self.lat_microdegrees) / 1e6
    }

    pub(super) fn speed_mps(&self) -> Option<f64> {
        tenths(self.speed_dmps)
    }

    pub(super) fn altitude_m(&self) -> Option<f64> {
        tenths(self.altitude_dm)
    }
}

fn tenths(value: i32) -> Option<f64> {
    (value != UNKNOWN).then(|| f64::from(value) / 10.0)
}

/// A text that is written step by step, each of at most some kilobytes.
pub(crate) trait Steps: Send + 'static {
    /// Writes the next step; returns false if nothing is left.
    fn step(&mut self, text: &mut String) -> bool;

    /// Restarts from the beginning.
    fn begin_again(&mut self);
}

/// Returns the length of the text in bytes. The text is written for that, a piece at a time, and discarded.
pub(crate) fn length(steps: &mut impl Steps) -> usize {
    let (mut length, mut piece) = (0, String::new());
    while steps.step(&mut piece) {
        length += piece.len();
        piece.clear();
    }
    steps.begin_again();
    length
}

/// Returns the text in pieces.
pub(crate) fn pieces(mut steps: impl Steps) -> impl Iterator<Item = String> + Send + 'static {
    std::iter::from_fn(move || {
        let mut piece = String::new();
        while piece.len() < PIECE_BYTES && steps.step(&mut piece) {}
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Parts with these numbers of fixes, a second and some metres apart, some with unknown values.
    pub(crate) fn made(counts: &[usize]) -> Vec<Part> {
        let fix = |second: i64| Fix {
            fixed_at: Timestamp(1_790_000_000_000 + second * 1_000),
            recorded_at: Timestamp(1_790_000_000_000 + second * 1_000),
            lat_deg: 47.0 + second as f64 * 0.001,
            lon_deg: -8.5,
            accuracy_m: None,
            altitude_m: (second % 3 != 1).then_some(400.04 - second as f64),
            altitude_accuracy_m: None,
            heading_deg: None,
            speed_mps: (second % 2 == 0).then_some(13.88),
        };
        let mut second = -100;
        let mut parts = Vec::new();
        for count in counts {
            second += 100;
            let fixes = (second..second + *count as i64).map(fix).collect();
            second += *count as i64;
            parts.push(Part { after: (!parts.is_empty()).then_some(Gap::NoSignal), fixes });
        }
        parts
    }

    #[test]
    fn a_fix_is_kept_as_it_is_shown() {
        let parts = made(&[2, 1]);
        let Track(track) = Track::of_parts(&parts);
        let [first, second] = *track[0].fixes else { panic!("two fixes") };
        assert_eq!((first.elapsed_ms, first.lon_deg(), first.lat_deg()), (0, -8.5, 47.0));
        assert_eq!((first.speed_mps(), first.altitude_m()), (Some(13.9), Some(400.0)));
        assert_eq!((second.elapsed_ms, second.speed_mps(), second.altitude_m()), (1_000, None, None));
        assert_eq!((track[1].after, track[1].fixes[0].elapsed_ms), (Some(Gap::NoSignal), 102_000));
        // While blocks are read, a fix is in its stretch and in its part.
        const { assert!(BYTES_PER_FIX * 5 <= 2 * size_of::<Fix>(), "a fifth of the memory") };
    }
}
