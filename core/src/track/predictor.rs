//! Predicts each row of a track from those before it, and codes what the prediction got wrong.
//!
//! The same code runs for packing and for unpacking: it is given the row to pack, or any row, and goes on with the row
//! that the coder returns. It knows nothing of blocks.
//!
//! Speed comes before position: a position is predicted by the last displacement, scaled by the ratios of the intervals
//! and of the speeds. Arithmetic is in whole numbers and cannot overflow, whatever a decoder is fed: every row that
//! enters the state has passed [`Row::check`].

use super::block::BlockError;
use super::range_coder::{BitCoder, Probability};
use super::residual::ResidualModel;
use super::row::{Row, ranges};

/// What was learnt of a track so far.
#[derive(Clone, Debug)]
pub(super) struct Predictor {
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

/// The last row and the way to it.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    fixed_at_ms: i64,
    lat_udeg: i64,
    lon_udeg: i64,
    /// The last displacement.
    lat_step_udeg: i64,
    lon_step_udeg: i64,
    /// The last three intervals, ms.
    intervals_ms: [i64; 3],
    /// The last known speed, 0.1 m/s; 0 if none is known.
    speed_dmps: i64,
}

/// Beyond this an interval says nothing about where the car is; bounds the products below.
const MAX_INTERVAL_MS: i64 = 1 << 20;
/// A degree of longitude and a turn close on themselves. One more than the turn, as -180 and 180 are both kept apart.
const LONGITUDE_SPAN_UDEG: i64 = 360_000_001;

impl Predictor {
    /// Nothing is learnt. The expected sizes of the residuals are those of a phone at 1 Hz.
    pub(super) fn new() -> Predictor {
        Predictor {
            last: None,
            interval: ResidualModel::new(0),
            latitude: ResidualModel::new(8),
            longitude: ResidualModel::new(8),
            speed: OptionalModel::new(ranges::SPEED_DMPS, 3, Wraps::Never),
            heading: OptionalModel::new(ranges::HEADING_DEG, 2, Wraps::Always),
            altitude: OptionalModel::new(ranges::ALTITUDE_DM, 3, Wraps::Never),
            accuracy: OptionalModel::new(ranges::ACCURACY_M, 1, Wraps::Never),
            altitude_accuracy: OptionalModel::new(ranges::ACCURACY_M, 1, Wraps::Never),
            delay: ResidualModel::new(32),
            last_delay_ms: 0,
        }
    }

    /// Codes one row; see [`BitCoder::code`] for which of the values counts.
    ///
    /// # Errors
    /// [`BlockError::OutOfRange`] if a decoder reads what no quantised fix has; the state is useless then.
    pub(super) fn code(&mut self, coder: &mut impl BitCoder, row: &Row) -> Result<Row, BlockError> {
        let speed_dmps = self.speed.code(coder, row.speed_dmps);
        let heading_deg = self.heading.code(coder, row.heading_deg);
        let (fixed_at_ms, lat_udeg, lon_udeg) = match self.last {
            None => code_first_position(coder, row),
            Some(last) => self.code_position(coder, row, &last),
        };
        let row = Row {
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
        self.last = Some(match self.last {
            None => Anchor {
                fixed_at_ms,
                lat_udeg,
                lon_udeg,
                lat_step_udeg: 0,
                lon_step_udeg: 0,
                intervals_ms: [1000; 3],
                speed_dmps: self.speed.last,
            },
            Some(last) => Anchor {
                fixed_at_ms,
                lat_udeg,
                lon_udeg,
                lat_step_udeg: lat_udeg - last.lat_udeg,
                lon_step_udeg: wrapped(lon_udeg - last.lon_udeg, LONGITUDE_SPAN_UDEG),
                intervals_ms: [fixed_at_ms - last.fixed_at_ms, last.intervals_ms[0], last.intervals_ms[1]],
                speed_dmps: self.speed.last,
            },
        });
        Ok(row)
    }

    /// Codes the delay of a block.
    pub(super) fn code_delay(&mut self, coder: &mut impl BitCoder, delay_ms: i64) -> i64 {
        let residual = self.delay.code(coder, delay_ms.wrapping_sub(self.last_delay_ms));
        self.last_delay_ms = self.last_delay_ms.saturating_add(residual);
        self.last_delay_ms
    }

    fn code_position(&mut self, coder: &mut impl BitCoder, row: &Row, last: &Anchor) -> (i64, i64, i64) {
        let usual_ms = median(last.intervals_ms);
        let interval_ms = usual_ms + self.interval.code(coder, row.fixed_at_ms - last.fixed_at_ms - usual_ms);
        let scale = |step: i64| {
            let by = interval_ms.clamp(0, MAX_INTERVAL_MS) * (self.speed.last + SPEED_FLOOR);
            let of = last.intervals_ms[0].clamp(1, MAX_INTERVAL_MS) * (last.speed_dmps + SPEED_FLOOR);
            // At most 2^29 · 2^20 / 2^... each: in i128 only because a hostile step may be as large.
            divide_rounded(i128::from(step) * i128::from(by), i128::from(of))
        };
        let lat_predicted = last.lat_udeg + scale(last.lat_step_udeg);
        let lat_udeg = lat_predicted + self.latitude.code(coder, row.lat_udeg - lat_predicted);
        let lon_predicted = last.lon_udeg + scale(last.lon_step_udeg);
        let lon_residual = wrapped(row.lon_udeg - lon_predicted, LONGITUDE_SPAN_UDEG);
        let lon_udeg = wrapped(lon_predicted + self.longitude.code(coder, lon_residual), LONGITUDE_SPAN_UDEG);
        (last.fixed_at_ms + interval_ms, lat_udeg, lon_udeg)
    }
}

const SPEED_FLOOR: i64 = 2;

fn divide_rounded(n: i128, d: i128) -> i64 {
    let half = if n < 0 { -d / 2 } else { d / 2 };
    ((n + half) / d).clamp(-360_000_000, 360_000_000) as i64
}

fn code_first_position(coder: &mut impl BitCoder, row: &Row) -> (i64, i64, i64) {
    let fixed_at_ms = coder.code_plain(row.fixed_at_ms as u64, 43) as i64;
    let lat_udeg = coder.code_plain((row.lat_udeg + 90_000_000) as u64, 28) as i64 - 90_000_000;
    let lon_udeg = coder.code_plain((row.lon_udeg + 180_000_000) as u64, 29) as i64 - 180_000_000;
    (fixed_at_ms, lat_udeg, lon_udeg)
}

/// The representative of `value` modulo `span` that is nearest to zero.
fn wrapped(value: i64, span: i64) -> i64 {
    (value + span / 2).rem_euclid(span) - span / 2
}

fn median([a, b, c]: [i64; 3]) -> i64 {
    a.max(b).min(a.min(b).max(c))
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Wraps {
    Never,
    Always,
}

/// A value that may be absent.
#[derive(Clone, Debug)]
struct OptionalModel {
    min: i64,
    max: i64,
    wraps: Wraps,
    is_present: [Probability; 2],
    was_present: bool,
    known: bool,
    last: i64,
    trend: i64,
    residual: ResidualModel,
}

impl OptionalModel {
    fn new((min, max): (i64, i64), mean: u64, wraps: Wraps) -> OptionalModel {
        OptionalModel {
            min,
            max,
            wraps,
            is_present: [Probability::EVEN; 2],
            was_present: true,
            known: false,
            last: 0,
            trend: 0,
            residual: ResidualModel::new(mean),
        }
    }

    fn code(&mut self, coder: &mut impl BitCoder, value: Option<i64>) -> Option<i64> {
        let is_present = coder.code(&mut self.is_present[usize::from(self.was_present)], value.is_some());
        self.was_present = is_present;
        if !is_present {
            return None;
        }
        let wanted = value.unwrap_or(0);
        let value = if !self.known {
            self.known = true;
            let bits = 64 - ((self.max - self.min) as u64).leading_zeros();
            coder.code_plain(wanted.wrapping_sub(self.min) as u64, bits) as i64 + self.min
        } else {
            let predicted = self.last + self.trend / 2;
            let value = match self.wraps {
                Wraps::Never => predicted + self.residual.code(coder, wanted - predicted),
                Wraps::Always => {
                    (predicted + self.residual.code(coder, wrapped(wanted - predicted, 360))).rem_euclid(360)
                }
            };
            self.trend = value - self.last;
            if self.wraps == Wraps::Always {
                self.trend = wrapped(self.trend, 360);
            }
            value
        };
        self.last = value;
        Some(value)
    }
}
