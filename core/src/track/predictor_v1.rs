//! The predictor of blocks of version 1, which are read but not written. Its results must never change.
//!
//! It predicts each row of a track from the rows before it, and codes the prediction errors.
//!
//! The same code encodes and decodes: it gets the row to encode, or any row when decoding, and continues with the row
//! that the coder returns. This module must not depend on blocks.
//!
//! All arithmetic uses integers and cannot overflow with any input of a decoder: every row that enters the state has
//! passed [`QuantisedFix::check`], and a residual has at most 44 bits.

use super::block::BlockError;
use super::quantised_fix::{QuantisedFix, ranges};
use super::range_coder::{BitCoder, Probability};
use super::residual::ResidualModel;

/// The model of a track so far.
///
/// The speed is coded before the position, because it improves the prediction: the last displacement, scaled by the
/// ratios of the intervals and of the speeds. Measured on real drives at 1 Hz, nothing is gained by rotating it by the
/// change of heading, by smoothing it, or by the mean speed over the interval.
#[derive(Clone, Debug)]
pub(super) struct PredictorV1 {
    last: Option<Anchor>,
    interval: ResidualModel,
    latitude: ResidualModel,
    longitude: ResidualModel,
    speed: OptionalModel,
    heading: OptionalModel,
    altitude: OptionalModel,
    accuracy: OptionalModel,
    altitude_accuracy: OptionalModel,
    delay: ResidualModel,
    last_delay_ms: i64,
}

/// The last row and its displacement.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    fixed_at_ms: i64,
    lat_udeg: i64,
    lon_udeg: i64,
    lat_step_udeg: i64,
    lon_step_udeg: i64,
    /// The last known speed; 0 if none is known.
    speed_dmps: i64,
    /// The last three intervals, the latest first.
    intervals_ms: [i64; 3],
}

/// Longer intervals do not improve the prediction. Bounds `Anchor::scaled`.
const MAX_INTERVAL_MS: i64 = 1 << 20;
/// Added to both speeds of a ratio: near standstill the ratio of two speeds is mostly rounding.
const SPEED_FLOOR_DMPS: i64 = 10;
/// The span after which longitudes wrap around; one more than the full turn, because -180 and 180 degrees are different
/// values.
pub(super) const LONGITUDE_SPAN_UDEG: i64 = 360_000_001;
pub(super) const TURN_DEG: i64 = 360;

impl PredictorV1 {
    /// Returns the initial model. The expected magnitudes of residuals are those of a phone in a car at 1 Hz.
    pub(super) fn new() -> PredictorV1 {
        PredictorV1 {
            last: None,
            interval: ResidualModel::new(0),
            latitude: ResidualModel::new(8),
            longitude: ResidualModel::new(8),
            speed: OptionalModel::new(ranges::SPEED_DMPS, None, 3),
            heading: OptionalModel::new(ranges::HEADING_DEG, Some(TURN_DEG), 2),
            altitude: OptionalModel::new(ranges::ALTITUDE_DM, None, 3),
            accuracy: OptionalModel::new(ranges::ACCURACY_M, None, 1),
            altitude_accuracy: OptionalModel::new(ranges::ACCURACY_M, None, 1),
            delay: ResidualModel::new(32),
            last_delay_ms: 0,
        }
    }

    /// Codes the delay of a block's last fix; [`BitCoder`] explains which values count.
    pub(super) fn code_delay(&mut self, coder: &mut impl BitCoder, delay_ms: i64) -> i64 {
        let residual = self.delay.code(coder, delay_ms.saturating_sub(self.last_delay_ms));
        self.last_delay_ms = self.last_delay_ms.saturating_add(residual);
        self.last_delay_ms
    }

    /// Codes one row; [`BitCoder`] explains which values count.
    ///
    /// # Errors
    /// [`BlockError::OutOfRange`] if a decoder reads values that no quantised fix has; the state is unusable then.
    pub(super) fn code(&mut self, coder: &mut impl BitCoder, row: &QuantisedFix) -> Result<QuantisedFix, BlockError> {
        let speed_dmps = self.speed.code(coder, row.speed_dmps);
        let heading_deg = self.heading.code(coder, row.heading_deg);
        let (fixed_at_ms, lat_udeg, lon_udeg) = match self.last {
            None => code_first_place(coder, row),
            Some(last) => self.code_next_place(coder, row, &last),
        };
        let row = QuantisedFix {
            fixed_at_ms,
            lat_udeg,
            lon_udeg,
            speed_dmps,
            heading_deg,
            altitude_dm: self.altitude.code(coder, row.altitude_dm),
            accuracy_m: self.accuracy.code(coder, row.accuracy_m),
            altitude_accuracy_m: self.altitude_accuracy.code(coder, row.altitude_accuracy_m),
        };
        row.check()?;
        self.last = Some(Anchor::at(&row, self.speed.last, self.last));
        Ok(row)
    }

    fn code_next_place(&mut self, coder: &mut impl BitCoder, row: &QuantisedFix, last: &Anchor) -> (i64, i64, i64) {
        let usual_ms = median(last.intervals_ms);
        let interval_ms = usual_ms + self.interval.code(coder, row.fixed_at_ms - last.fixed_at_ms - usual_ms);

        // The decoded value is not checked yet.
        let (slowest, fastest) = ranges::SPEED_DMPS;
        let speed_dmps = self.speed.last.clamp(slowest, fastest);
        let (min, max) = ranges::LATITUDE_UDEG;
        let lat_step_udeg = last.scaled(last.lat_step_udeg, interval_ms, speed_dmps);
        let lat_predicted = (last.lat_udeg + lat_step_udeg).clamp(min, max);
        let lat_udeg = lat_predicted + self.latitude.code(coder, row.lat_udeg - lat_predicted);

        let lon_step_udeg = last.scaled(last.lon_step_udeg, interval_ms, speed_dmps);
        let lon_predicted = last.lon_udeg + lon_step_udeg;
        let lon_residual = self.longitude.code(coder, wrapped(row.lon_udeg - lon_predicted, LONGITUDE_SPAN_UDEG));
        let lon_udeg = wrapped(lon_predicted + lon_residual, LONGITUDE_SPAN_UDEG);
        (last.fixed_at_ms + interval_ms, lat_udeg, lon_udeg)
    }
}

/// Codes time and position of the first row of a key block without a prediction. Latitude and longitude count from -90
/// and -180 degrees, 28 and 29 bits; 43 bits of milliseconds exceed the year 2200.
pub(super) fn code_first_place(coder: &mut impl BitCoder, row: &QuantisedFix) -> (i64, i64, i64) {
    let fixed_at_ms = coder.code_plain(row.fixed_at_ms as u64, 43) as i64;
    (
        fixed_at_ms,
        code_in_range(coder, row.lat_udeg, ranges::LATITUDE_UDEG),
        code_in_range(coder, row.lon_udeg, ranges::LONGITUDE_UDEG),
    )
}

/// Codes a value of a range without a prediction, in as many bits as the range needs.
pub(super) fn code_in_range(coder: &mut impl BitCoder, value: i64, (min, max): (i64, i64)) -> i64 {
    let bit_count = u64::BITS - max.abs_diff(min).leading_zeros();
    coder.code_plain(value.abs_diff(min), bit_count) as i64 + min
}

impl Anchor {
    fn at(row: &QuantisedFix, speed_dmps: i64, before: Option<Anchor>) -> Anchor {
        let QuantisedFix { fixed_at_ms, lat_udeg, lon_udeg, .. } = *row;
        let (lat_step_udeg, lon_step_udeg, intervals_ms) = match before {
            None => (0, 0, [1000; 3]),
            Some(before) => (
                lat_udeg - before.lat_udeg,
                wrapped(lon_udeg - before.lon_udeg, LONGITUDE_SPAN_UDEG),
                [fixed_at_ms - before.fixed_at_ms, before.intervals_ms[0], before.intervals_ms[1]],
            ),
        };
        Anchor { fixed_at_ms, lat_udeg, lon_udeg, lat_step_udeg, lon_step_udeg, speed_dmps, intervals_ms }
    }

    /// Returns the displacement over `interval_ms` at `speed_dmps` that corresponds to a last displacement of
    /// `step_udeg`. The largest product is 2^28 micro-degrees times 2^20 ms times 2^14 dm/s.
    fn scaled(&self, step_udeg: i64, interval_ms: i64, speed_dmps: i64) -> i64 {
        let way = interval_ms.clamp(0, MAX_INTERVAL_MS) * (speed_dmps + SPEED_FLOOR_DMPS);
        let last_way = self.intervals_ms[0].clamp(1, MAX_INTERVAL_MS) * (self.speed_dmps + SPEED_FLOOR_DMPS);
        (step_udeg * way + last_way / 2).div_euclid(last_way)
    }
}

/// A column whose values may be absent, predicted by the last value and three quarters of its last change.
#[derive(Clone, Debug)]
struct OptionalModel {
    range: (i64, i64),
    /// The span after which the value wraps around, for headings.
    span: Option<i64>,
    /// The bit whether a value is present, by whether the one before was.
    is_present: [Probability; 2],
    was_present: bool,
    /// The last known value; 0 before the first.
    last: i64,
    /// The last change; `None` before the first value.
    change: Option<i64>,
    residual: ResidualModel,
}

impl OptionalModel {
    fn new(range: (i64, i64), span: Option<i64>, mean_residual: u64) -> OptionalModel {
        OptionalModel {
            range,
            span,
            is_present: [Probability::EVEN; 2],
            was_present: true,
            last: 0,
            change: None,
            residual: ResidualModel::new(mean_residual),
        }
    }

    fn code(&mut self, coder: &mut impl BitCoder, value: Option<i64>) -> Option<i64> {
        self.was_present = coder.code(&mut self.is_present[usize::from(self.was_present)], value.is_some());
        if !self.was_present {
            return None;
        }
        let value = value.unwrap_or_default();
        let value = match self.change {
            None => {
                self.change = Some(0);
                code_in_range(coder, value, self.range)
            }
            Some(change) => {
                let predicted = self.last + change * 3 / 4;
                let wanted = self.nearest(value - predicted);
                let residual = self.residual.code(coder, wanted);
                let value = self.on_dial(predicted + residual);
                self.change = Some(self.nearest(value - self.last));
                value
            }
        };
        self.last = value;
        Some(value)
    }

    /// Returns the equivalent change that is nearest to zero.
    fn nearest(&self, change: i64) -> i64 {
        self.span.map_or(change, |span| wrapped(change, span))
    }

    fn on_dial(&self, value: i64) -> i64 {
        self.span.map_or(value, |span| value.rem_euclid(span))
    }
}

/// Returns the representative of `value` modulo `span` that is nearest to zero.
pub(super) fn wrapped(value: i64, span: i64) -> i64 {
    (value + span / 2).rem_euclid(span) - span / 2
}

/// The median follows a lasting change of the interval, and ignores a single gap.
pub(super) fn median([a, b, c]: [i64; 3]) -> i64 {
    a.max(b).min(a.min(b).max(c))
}
