//! Finds drives of the account by text, car, date and place, and sums them up. Everything is in rows, so a search needs
//! no document, no index and no signal.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::docs::drive::DriveFields;
use crate::docs::{CarFields, Invalid};
use crate::id::DocId;
use crate::letter_case::{fold, fold_into};
use crate::projection::DocumentRow;
use crate::replica::Replica;
use crate::sorted::Map;
use crate::sorting::{sort_by, sort_by_key};
use crate::time::{Timestamp, UtcOffset};

/// Maximum number of characters of the text of a query.
const MAX_TEXT: usize = 200;

/// Which drives are wanted. Every condition must hold; absent ones hold for all drives.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(optional_fields))]
#[serde(rename_all = "camelCase")]
pub struct DriveQuery {
    /// Words, in upper or lower case. Each of them must be part of the title, the notes, or the make, model, nickname,
    /// year or colour of the car. At most 200 characters.
    pub text: Option<String>,
    /// The car.
    pub car: Option<DocId>,
    /// The earliest start, as the time at which a clock in UTC shows what a clock showed at the start: `Date.UTC(2026,
    /// 5, 14)`, or `valueAsNumber` of an input field.
    pub from: Option<Timestamp>,
    /// The same for the latest start, which is not included.
    pub until: Option<Timestamp>,
    /// West, south, east, north, degrees, as in RFC 7946: the drive was measured there, or at most 1.6 km from there. A
    /// drive whose track was never on this device is not found.
    pub area: Option<[f64; 4]>,
}

/// The drives that were found, and their sums.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct FoundDrives {
    /// The drives, newest first. The drive that is being recorded is not among them.
    pub drives: Vec<DocId>,
    /// The sum of all.
    pub total: DriveTotals,
    /// The sums of each year with a drive, the latest first. A period is that of the local time at the start.
    pub years: Vec<PeriodTotals>,
    /// The sums of each month with a drive, the latest first.
    pub months: Vec<PeriodTotals>,
    /// The sums of each car, the longest distance first.
    pub cars: Vec<CarTotals>,
}

/// Sums over drives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DriveTotals {
    /// The number of drives, with unfinished ones.
    pub drives: u32,
    /// The distance, metres.
    pub distance_m: f64,
    /// The duration, milliseconds.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub duration_ms: i64,
    /// The time in motion, milliseconds.
    #[cfg_attr(feature = "ts", ts(type = "number"))]
    pub moving_ms: i64,
    /// The ascent, metres.
    pub ascent_m: f64,
}

/// The sums of a year or a month.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct PeriodTotals {
    /// Such as "2026" or "2026-09".
    pub period: String,
    /// The sums.
    pub totals: DriveTotals,
}

/// The sums of a car.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct CarTotals {
    /// The car; absent for drives without a car.
    pub car: Option<DocId>,
    /// The sums.
    pub totals: DriveTotals,
}

impl Replica {
    /// Finds drives of the account.
    ///
    /// # Errors
    /// [`Invalid`] if the text is too long, or the area is none.
    pub fn find_drives(&self, query: &DriveQuery) -> Result<FoundDrives, Invalid> {
        let search = Search::new(self, query)?;
        let mut found: Vec<(&DocId, &DriveFields)> = Vec::new();
        let mut folded = String::new();
        let recorded = self.recording.as_ref().map(|recording| recording.drive());
        for (id, drive) in self.drive_rows() {
            if recorded != Some(*id) && search.finds(drive, &mut folded) {
                found.push((id, drive));
            }
        }
        sort_by_key(&mut found, |(id, drive)| Reverse((drive.started_at, **id)));
        Ok(self.summed(&found))
    }

    fn summed(&self, found: &[(&DocId, &DriveFields)]) -> FoundDrives {
        let mut total = DriveTotals::default();
        // Months have numbers such as 202609.
        let (mut months, mut years): (Map<i64, DriveTotals>, Map<i64, DriveTotals>) = (Map::new(), Map::new());
        let mut cars: Vec<CarTotals> = Vec::new();
        for (_, drive) in found {
            let (year, month) = self.local_start(drive).year_and_month();
            let car = drive.car.filter(|car| matches!(self.documents.row(car), Some(DocumentRow::Car(..))));
            let place = cars.iter().position(|totals| totals.car == car).unwrap_or(cars.len());
            if place == cars.len() {
                cars.push(CarTotals { car, totals: DriveTotals::default() });
            }
            let month = year * 100 + i64::from(month);
            for totals in [&mut total, months.or_default(month), years.or_default(year), &mut cars[place].totals] {
                totals.add(drive);
            }
        }
        sort_by(&mut cars, |a, b| b.totals.distance_m.total_cmp(&a.totals.distance_m));
        FoundDrives {
            drives: found.iter().map(|(id, _)| **id).collect(),
            total,
            years: periods(&years, |year| format!("{year:04}")),
            months: periods(&months, |month| format!("{:04}-{:02}", month / 100, month % 100)),
            cars,
        }
    }

    /// Returns the start of a drive by the clock of its place, else of this phone's.
    fn local_start(&self, drive: &DriveFields) -> Timestamp {
        let offset = drive.utc_offset.or(self.device.utc_offset);
        offset.map_or(drive.started_at, |offset: UtcOffset| offset.local(drive.started_at))
    }
}

impl DriveTotals {
    fn add(&mut self, drive: &DriveFields) {
        let stats = drive.stats.unwrap_or_default();
        self.drives += 1;
        self.distance_m += stats.distance_m;
        self.duration_ms = self.duration_ms.saturating_add(stats.duration_ms);
        self.moving_ms = self.moving_ms.saturating_add(stats.moving_ms);
        self.ascent_m += stats.ascent_m;
    }
}

/// A query that was prepared for many drives.
struct Search<'a> {
    replica: &'a Replica,
    query: &'a DriveQuery,
    /// The words of its text, in one case.
    words: Vec<String>,
    /// The texts of the cars, in one case.
    cars: Vec<(DocId, String)>,
}

impl<'a> Search<'a> {
    fn new(replica: &'a Replica, query: &'a DriveQuery) -> Result<Search<'a>, Invalid> {
        let text = query.text.as_deref().unwrap_or_default();
        Invalid::unless(text.chars().count() <= MAX_TEXT, "text", "at most 200 characters")?;
        Invalid::unless(query.area.is_none_or(is_area), "area", "west, south, east, north in degrees")?;
        let words = text.split_whitespace().map(fold).collect();
        let mut cars = Vec::new();
        for (id, row) in replica.documents.rows() {
            if let DocumentRow::Car(fields, _) = row {
                cars.push((*id, text_of(fields)));
            }
        }
        Ok(Search { replica, query, words, cars })
    }

    /// Returns whether a drive is wanted. `folded` is reused for all drives.
    fn finds(&self, drive: &DriveFields, folded: &mut String) -> bool {
        let DriveQuery { text: _, car, from, until, area } = self.query;
        let start = self.replica.local_start(drive);
        car.is_none_or(|car| drive.car == Some(car))
            && from.is_none_or(|from| start >= from)
            && until.is_none_or(|until| start < until)
            && area.is_none_or(|area| self.was_in(drive, area))
            && (self.words.is_empty() || self.has_words(drive, folded))
    }

    fn has_words(&self, drive: &DriveFields, folded: &mut String) -> bool {
        folded.clear();
        for text in [&drive.title, "\n", &drive.notes, "\n"] {
            fold_into(folded, text);
        }
        for (_, text) in self.cars.iter().filter(|(car, _)| drive.car == Some(*car)) {
            folded.push_str(text);
        }
        self.words.iter().all(|word| folded.contains(word.as_str()))
    }

    fn was_in(&self, drive: &DriveFields, area: [f64; 4]) -> bool {
        match drive.track.and_then(|track| self.replica.documents.row(&track)) {
            Some(DocumentRow::Track(.., squares)) => squares.overlap(area),
            _ => false,
        }
    }
}

/// Returns the texts of a car in one case.
fn text_of(car: &CarFields) -> String {
    let CarFields { make, model, year, nickname, colour, is_public: _ } = car;
    let year = year.map(|year| year.to_string()).unwrap_or_default();
    fold(&[make, model, nickname, colour, year.as_str()].join("\n"))
}

fn is_area([west, south, east, north]: [f64; 4]) -> bool {
    west.abs() <= 180.0 && east.abs() <= 180.0 && -90.0 <= south && south <= north && north <= 90.0
}

fn periods(sums: &Map<i64, DriveTotals>, name: fn(i64) -> String) -> Vec<PeriodTotals> {
    let mut periods: Vec<_> =
        sums.iter().map(|(period, totals)| PeriodTotals { period: name(*period), totals: *totals }).collect();
    periods.reverse();
    periods
}
