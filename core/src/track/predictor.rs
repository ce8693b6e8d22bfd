//! Predicts each row of a track from the rows before it, and codes the prediction errors.
//!
//! The same code encodes and decodes: it gets the row to encode, or any row when decoding, and continues with the row
//! that the coder returns. This module must not depend on blocks.
//!
//! All arithmetic uses integers and cannot overflow with any input of a decoder: every row that enters the state has
//! passed [`QuantisedFix::check`], and a residual has at most 44 bits.

use super::block::{BlockError, Field};
use super::few_values::FewValues;
use super::grid::GridModel;
use super::interval_model::IntervalModel;
use super::predictor_v1::{LONGITUDE_SPAN_UDEG, TURN_DEG, code_first_place, code_in_range, wrapped};
use super::quantised_fix::{QuantisedFix, ranges};
use super::range_coder::{BitCoder, Probability};
use super::reckoning::Reckoning;
use super::residual::ResidualModel;

/// The model of a track so far.
///
/// Speed and heading are coded before the position, because they improve its prediction.
#[derive(Clone, Debug)]
pub(super) struct Predictor {
    presence: Presence,
    last_ms: i64,
    last: Option<Reckoning>,
    rhythm: IntervalModel,
    latitude: GridModel,
    longitude: GridModel,
    speed: Column<ResidualModel>,
    heading: Column<ResidualModel>,
    altitude: Column<GridModel>,
    accuracy: Option<FewValues>,
    altitude_accuracy: Option<FewValues>,
    delay: ResidualModel,
    last_delay_ms: i64,
}

impl Predictor {
    /// Returns the initial model. The expected magnitudes of residuals are those of a phone in a car at 1 Hz.
    pub(super) fn new() -> Predictor {
        Predictor {
            presence: Presence::new(),
            last_ms: 0,
            last: None,
            rhythm: IntervalModel::new(),
            latitude: GridModel::new(8),
            longitude: GridModel::new(8),
            speed: Column::new(ranges::SPEED_DMPS, None, ResidualModel::new(3)),
            heading: Column::new(ranges::HEADING_DEG, Some(TURN_DEG), ResidualModel::new(2)),
            altitude: Column::new(ranges::ALTITUDE_DM, None, GridModel::new(3)),
            accuracy: None,
            altitude_accuracy: None,
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
        let [speed, heading, altitude, accuracy, altitude_accuracy] = self.presence.code(coder, row);
        let mut coded = QuantisedFix::default();
        if speed {
            coded.speed_dmps = Some(self.speed.code(coder, row.speed_dmps, Field::Speed)?);
        }
        if heading {
            coded.heading_deg = Some(self.heading.code(coder, row.heading_deg, Field::Heading)?);
        }
        match self.last {
            None => {
                (coded.fixed_at_ms, coded.lat_udeg, coded.lon_udeg) = code_first_place(coder, row);
                coded.check()?;
                self.last = Some(Reckoning::at(&coded));
            }
            Some(last) => self.last = Some(self.code_next_place(coder, row, last, &mut coded)?),
        }
        self.last_ms = coded.fixed_at_ms;
        if altitude {
            coded.altitude_dm = Some(self.altitude.code(coder, row.altitude_dm, Field::Altitude)?);
        }
        if accuracy {
            coded.accuracy_m = Some(code_accuracy(&mut self.accuracy, coder, row.accuracy_m));
        }
        if altitude_accuracy {
            coded.altitude_accuracy_m =
                Some(code_accuracy(&mut self.altitude_accuracy, coder, row.altitude_accuracy_m));
        }
        coded.check()?;
        Ok(coded)
    }

    fn code_next_place(
        &mut self,
        coder: &mut impl BitCoder,
        row: &QuantisedFix,
        mut last: Reckoning,
        coded: &mut QuantisedFix,
    ) -> Result<Reckoning, BlockError> {
        let interval_ms = self.rhythm.code(coder, row.fixed_at_ms - self.last_ms);
        coded.fixed_at_ms = self.last_ms + interval_ms;
        let expected = last.expect(interval_ms, coded.speed_dmps, coded.heading_deg);
        let way = expected.way();
        let (min, max) = ranges::LATITUDE_UDEG;
        let lat_predicted = (last.lat_udeg + way.0).clamp(min, max);
        coded.lat_udeg = self.latitude.code(coder, row.lat_udeg, lat_predicted);
        let lon_predicted = wrapped(last.lon_udeg + way.1, LONGITUDE_SPAN_UDEG);
        let nearest = lon_predicted + wrapped(row.lon_udeg - lon_predicted, LONGITUDE_SPAN_UDEG);
        coded.lon_udeg = wrapped(self.longitude.code(coder, nearest, lon_predicted), LONGITUDE_SPAN_UDEG);
        coded.check()?;
        last.step_to(coded, interval_ms, &expected);
        Ok(last)
    }
}

/// Codes an accuracy; the first one without a model.
fn code_accuracy(model: &mut Option<FewValues>, coder: &mut impl BitCoder, value: Option<i64>) -> i64 {
    let value = value.unwrap_or_default();
    match model {
        Some(model) => model.code(coder, value),
        None => {
            let first = code_in_range(coder, value, ranges::ACCURACY_M);
            *model = Some(FewValues::new(first));
            first
        }
    }
}

/// The values that are present in a row: mostly those of the row before.
#[derive(Clone, Debug)]
struct Presence {
    is_same: Probability,
    were_present: [bool; 5],
    /// The bit whether a value is present, by whether it was in the row before.
    is_present: [[Probability; 2]; 5],
}

impl Presence {
    fn new() -> Presence {
        Presence { is_same: Probability::EVEN, were_present: [true; 5], is_present: [[Probability::EVEN; 2]; 5] }
    }

    /// Codes which of [`QuantisedFix::optional_values`] are present; [`BitCoder`] explains which values count.
    fn code(&mut self, coder: &mut impl BitCoder, row: &QuantisedFix) -> [bool; 5] {
        let wanted = row.optional_values().map(|value| value.is_some());
        if !coder.code(&mut self.is_same, wanted == self.were_present) {
            for ((was, model), is) in self.were_present.iter_mut().zip(&mut self.is_present).zip(wanted) {
                *was = coder.code(&mut model[usize::from(*was)], is);
            }
        }
        self.were_present
    }
}

/// A column that is predicted by the last value and three quarters of its last change.
#[derive(Clone, Debug)]
struct Column<M> {
    range: (i64, i64),
    /// The span after which the value wraps around, for headings.
    span: Option<i64>,
    last: i64,
    /// The last change; `None` before the first value.
    change: Option<i64>,
    model: M,
}

/// A model of prediction errors.
trait Residuals {
    /// Codes a value near the predicted one; [`BitCoder`] explains which values count.
    fn code_near(&mut self, coder: &mut impl BitCoder, value: i64, predicted: i64) -> i64;
}

impl Residuals for ResidualModel {
    fn code_near(&mut self, coder: &mut impl BitCoder, value: i64, predicted: i64) -> i64 {
        predicted + self.code(coder, value - predicted)
    }
}

impl Residuals for GridModel {
    fn code_near(&mut self, coder: &mut impl BitCoder, value: i64, predicted: i64) -> i64 {
        self.code(coder, value, predicted)
    }
}

impl<M: Residuals> Column<M> {
    fn new(range: (i64, i64), span: Option<i64>, model: M) -> Column<M> {
        Column { range, span, last: 0, change: None, model }
    }

    /// # Errors
    /// [`BlockError::OutOfRange`] with this field if a decoder reads a value that no quantised fix has.
    fn code(&mut self, coder: &mut impl BitCoder, value: Option<i64>, field: Field) -> Result<i64, BlockError> {
        let value = value.unwrap_or_default();
        let nearest = |change: i64, span: Option<i64>| span.map_or(change, |span| wrapped(change, span));
        self.last = match self.change {
            None => {
                self.change = Some(0);
                code_in_range(coder, value, self.range)
            }
            Some(change) => {
                let predicted = self.last + change * 3 / 4;
                let coded = self.model.code_near(coder, predicted + nearest(value - predicted, self.span), predicted);
                let coded = self.span.map_or(coded, |span| coded.rem_euclid(span));
                self.change = Some(nearest(coded - self.last, self.span));
                coded
            }
        };
        if (self.range.0..=self.range.1).contains(&self.last) {
            Ok(self.last)
        } else {
            Err(BlockError::OutOfRange { field })
        }
    }
}
