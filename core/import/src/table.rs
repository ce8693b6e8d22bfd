//! Tables of comma-separated values with a row of names: of RaceChrono (versions 2 and 3), of Tourismo, and of other programs
//! with the same names of columns.

use tourismo_core::fix::Fix;
use tourismo_core::time::Timestamp;

use crate::found::{Draft, FileError};
use crate::numbers::{bare_fix, number_of, time_of, unix_time};

/// The row of names is searched in this number of rows.
const HEAD_ROWS: usize = 100;

/// The columns with their possible names, in lower case and without units.
const COLUMNS: [(Column, &[&str]); 8] = [
    (Column::Time, &["timestamp", "time", "utc time", "unix time", "datetime", "date", "t"]),
    (Column::Latitude, &["latitude", "lat"]),
    (Column::Longitude, &["longitude", "lon", "lng", "long"]),
    (Column::Accuracy, &["accuracy", "horizontal accuracy", "accuracy_m"]),
    (Column::Altitude, &["altitude", "alt", "elevation", "altitude_m"]),
    (Column::AltitudeAccuracy, &["altitude accuracy", "vertical accuracy", "altitude_accuracy_m"]),
    (Column::Heading, &["bearing", "heading", "course", "heading_deg"]),
    (Column::Speed, &["speed", "speed_mps"]),
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Column {
    Time,
    Latitude,
    Longitude,
    Accuracy,
    Altitude,
    AltitudeAccuracy,
    Heading,
    Speed,
}

/// The indices of the columns.
#[derive(Default)]
struct Head {
    places: [Option<usize>; COLUMNS.len()],
    /// Metres per second of a unit of the speed.
    speed_unit: f64,
}

impl Head {
    /// Returns the indices of the columns, if this is a row of names. Of two columns with one name the first counts.
    fn of(row: &csv::StringRecord) -> Option<Head> {
        let mut head = Head { speed_unit: 1.0, ..Head::default() };
        for (index, cell) in row.iter().enumerate() {
            let cell = cell.trim().to_lowercase();
            let (name, unit) = cell.split_once('(').unwrap_or((&cell, ""));
            let Some((column, _)) = COLUMNS.iter().find(|(_, names)| names.contains(&name.trim())) else { continue };
            if head.places[*column as usize].is_none() {
                head.places[*column as usize] = Some(index);
                if *column == Column::Speed {
                    head.speed_unit = speed_unit(unit.trim_end_matches(')'));
                }
            }
        }
        let has = |column: Column| head.places[column as usize].is_some();
        (has(Column::Time) && has(Column::Latitude) && has(Column::Longitude)).then_some(head)
    }

    fn cell<'a>(&self, row: &'a csv::StringRecord, column: Column) -> Option<&'a str> {
        row.get(self.places[column as usize]?).map(str::trim).filter(|cell| !cell.is_empty())
    }
}

/// Returns metres per second of a unit of speed.
fn speed_unit(name: &str) -> f64 {
    match name.trim() {
        "km/h" | "kph" | "kmh" => 1.0 / 3.6,
        "mph" => 0.447_04,
        "kn" | "knots" => 1852.0 / 3600.0,
        _ => 1.0,
    }
}

/// Returns whether a text begins like a table that [`read`] reads.
pub(crate) fn is_table(start: &str) -> bool {
    reader(start.as_bytes()).into_records().take(HEAD_ROWS).flatten().any(|row| Head::of(&row).is_some())
}

fn reader(bytes: &[u8]) -> csv::Reader<&[u8]> {
    let rows = String::from_utf8_lossy(&bytes[..bytes.len().min(4_096)]);
    let count = |separator: char| rows.matches(separator).count();
    let separator = if count(';') > count(',') { b';' } else { b',' };
    csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(bytes)
}

/// Reads a table.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Draft>, FileError> {
    let mut draft = Draft::default();
    let mut head: Option<Head> = None;
    for (index, row) in reader(bytes).into_byte_records().enumerate() {
        let row = match row {
            Ok(row) => csv::StringRecord::from_byte_record_lossy(row),
            Err(error) if head.is_none() => return Err(FileError::damaged(error)),
            Err(error) => {
                draft.note(|| format!("row {}: {error}", index + 1));
                break;
            }
        };
        match &mut head {
            Some(head) => take(&mut draft, head, &row, index + 1),
            None => {
                head = Head::of(&row);
                if head.is_none() && index == HEAD_ROWS {
                    break;
                }
                if let ("session title", Some(title)) =
                    (row.get(0).unwrap_or_default().to_lowercase().as_str(), row.get(1))
                {
                    draft.title = Some(title.to_owned());
                }
            }
        }
    }
    if head.is_none() {
        return Err(FileError::damaged("no row names a time, a latitude and a longitude"));
    }
    Ok(vec![draft])
}

fn take(draft: &mut Draft, head: &mut Head, row: &csv::StringRecord, line: usize) {
    let number = |column: Column| head.cell(row, column).and_then(number_of);
    let (Some(lat_deg), Some(lon_deg)) = (number(Column::Latitude), number(Column::Longitude)) else {
        // RaceChrono writes a row of units below that of names.
        if draft.points == 0
            && let Some(unit) = head.cell(row, Column::Speed)
        {
            head.speed_unit = speed_unit(unit);
        }
        return;
    };
    draft.points += 1;
    let Some(at) = head.cell(row, Column::Time).and_then(time) else {
        draft.without_time += 1;
        return draft.note(|| format!("row {line}: its time cannot be read"));
    };
    let fix = Fix {
        accuracy_m: number(Column::Accuracy),
        altitude_m: number(Column::Altitude),
        altitude_accuracy_m: number(Column::AltitudeAccuracy),
        heading_deg: number(Column::Heading),
        speed_mps: number(Column::Speed).map(|speed| speed * head.speed_unit),
        ..bare_fix(at, lat_deg, lon_deg)
    };
    draft.add(fix, || format!("row {line}"));
}

fn time(text: &str) -> Option<Timestamp> {
    time_of(text).or_else(|| unix_time(number_of(text)?))
}
