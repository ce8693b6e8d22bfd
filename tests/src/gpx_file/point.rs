//! A track point of a GPX file, and its fix.

use quick_xml::XmlVersion;
use quick_xml::events::BytesStart;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tourismo_core::fix::{Fix, InvalidFix};
use tourismo_core::time::Timestamp;

use super::Fault;

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

fn number_of(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// ISO 8601 with a zone; without one it is UTC, as GPX prescribes. Programs also write a space for the `T`, a comma before
/// fractions, and zones of hours and minutes without a colon.
pub(super) fn time_of(text: &str) -> Option<Timestamp> {
    let text = text.trim().replacen(' ', "T", 1).replacen(',', ".", 1);
    let time_at = text.find(['T', 't'])?;
    let zone_at = text[time_at..].find(['Z', 'z', '+', '-']).map_or(text.len(), |at| time_at + at);
    let (time, zone) = text.split_at(zone_at);
    let zone = match (zone, zone.len()) {
        ("", _) => "Z".to_owned(),
        (zone, 5) if zone.is_ascii() && !zone.contains(':') => format!("{}:{}", &zone[..3], &zone[3..]),
        (zone, 3) => format!("{zone}:00"),
        (zone, _) => zone.to_owned(),
    };
    let instant = OffsetDateTime::parse(&format!("{time}{zone}"), &Rfc3339).ok()?;
    i64::try_from(instant.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_programs_write_them() {
        for (text, millis) in [
            ("2024-06-01T09:00:00Z", 0),
            ("2024-06-01t09:00:00z", 0),
            (" 2024-06-01T11:00:00.250+02:00 ", 250),
            ("2024-06-01T09:00:00", 0),
            ("2024-06-01 09:00:00", 0),
            ("2024-06-01 09:00:00,5Z", 500),
            ("2024-06-01T09:00:00+0000", 0),
            ("2024-06-01T04:30:00-0430", 0),
            ("2024-06-01T11:00:00+02", 0),
        ] {
            assert_eq!(time_of(text), Some(Timestamp(1_717_232_400_000 + millis)), "{text}");
        }
        for text in ["", "yesterday", "0", "2024-06-01", "2024-06-01T25:00:00Z", "2024-06-01T09:00:00+é0", "T+ü"] {
            assert_eq!(time_of(text), None, "{text}");
        }
    }
}
