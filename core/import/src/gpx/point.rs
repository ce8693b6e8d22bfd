//! A track point of a GPX file, and its fix.

use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;
use tourismo_core::fix::{Fix, InvalidFix};

use super::Fault;
use crate::numbers::{number_of, time_of};

/// The values of a point, in the order of [`PointText::own`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value {
    Time,
    Elevation,
    Speed,
    Course,
    HorizontalAccuracy,
    VerticalAccuracy,
}

impl Value {
    /// Returns the element's name without its prefix.
    fn name(self) -> &'static str {
        match self {
            Value::Time => "time",
            Value::Elevation => "ele",
            Value::Speed => "speed",
            Value::Course => "course",
            Value::HorizontalAccuracy => "accuracy_horizontal",
            Value::VerticalAccuracy => "accuracy_vertical",
        }
    }
}

/// The texts of a track point in the file.
#[derive(Default)]
pub(super) struct PointText {
    /// The position of its tag in the text.
    pub(super) place: usize,
    lat: Option<String>,
    lon: Option<String>,
    own: [Option<String>; 6],
    extended: [Option<String>; 6],
}

impl PointText {
    /// Creates a point from its tag.
    pub(super) fn of(tag: &BytesStart<'_>, place: usize) -> PointText {
        let attribute = |name: &str| {
            let attribute = tag.try_get_attribute(name).ok().flatten()?;
            Some(attribute.normalized_value(XmlVersion::Implicit1_0).ok()?.into_owned())
        };
        PointText { place, lat: attribute("lat"), lon: attribute("lon"), ..PointText::default() }
    }

    /// Stores a value of the point itself.
    pub(super) fn set_own(&mut self, value: Value, content: &str) {
        keep(&mut self.own[value as usize], content);
    }

    /// Stores a value of the point's extensions, which counts only if the point itself has none.
    pub(super) fn set_extended(&mut self, value: Value, content: &str) {
        keep(&mut self.extended[value as usize], content);
    }

    fn text(&self, value: Value) -> Option<&str> {
        self.own[value as usize].as_deref().or(self.extended[value as usize].as_deref())
    }

    /// Returns the fix, and which of its values were unreadable and are absent.
    ///
    /// # Errors
    /// [`Fault`] if the point has no valid position or time.
    pub(super) fn fix(&self) -> Result<(Fix, Vec<Fault>), Fault> {
        let degrees = |text: &Option<String>| text.as_deref().and_then(number_of).ok_or(Fault::NoPosition);
        let (lat_deg, lon_deg) = (degrees(&self.lat)?, degrees(&self.lon)?);
        let fixed_at = match self.text(Value::Time) {
            Some(text) => time_of(text).ok_or(Fault::NotATime)?,
            None => return Err(Fault::NoTime),
        };
        let mut faults = Vec::new();
        let mut number = |value: Value| {
            let text = self.text(value)?;
            let number = number_of(text);
            if number.is_none() {
                faults.push(Fault::NotANumber { element: value.name() });
            }
            number
        };
        let fix = Fix {
            fixed_at,
            recorded_at: fixed_at,
            lat_deg,
            lon_deg,
            accuracy_m: number(Value::HorizontalAccuracy),
            altitude_m: number(Value::Elevation),
            altitude_accuracy_m: number(Value::VerticalAccuracy),
            heading_deg: number(Value::Course),
            speed_mps: number(Value::Speed),
        };
        match fix.quantised() {
            // The recorder counts such a fix as invalid; other readers treat it like any position.
            Ok(_) | Err(InvalidFix::NullIsland) => Ok((fix, faults)),
            Err(invalid) => Err(Fault::Invalid(invalid)),
        }
    }
}

/// The first element of a name counts, and an empty one is absent.
fn keep(value: &mut Option<String>, content: &str) {
    if !content.is_empty() {
        value.get_or_insert_with(|| content.to_owned());
    }
}
