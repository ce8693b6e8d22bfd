//! Searches over rows, compared with a filter that looks at each drive by itself.

use proptest::prelude::*;

use super::*;
use crate::docs::drive::{DriveFields, OpenEnds};
use crate::docs::{CarFields, Visibility};
use crate::geodesy::Position;
use crate::id::DocId;
use crate::projection::{DocumentRow, Squares};
use crate::replica::views::search::{DriveQuery, DriveTotals, FoundDrives};
use crate::roads::RoadView;
use crate::stats::DriveStats;
use crate::time::UtcOffset;

const DAY_MS: i64 = 24 * 3_600_000;
const TITLES: [&str; 5] = ["", "Pass road", "Straße am See", "ZÜRICH NORD", "Ausfahrt 2019"];
const NOTES: [&str; 4] = ["", "wet, with Anna", "Σίσυφος\nsecond line", "pass CLOSED"];
const WORDS: [&str; 10] = ["pass", "PASS", "strasse", "zürich", "mx-5", "anna", "σισ", "20", "red", "nothing"];

#[derive(Clone, Debug)]
struct Drive {
    title: usize,
    notes: usize,
    car: Option<u8>,
    started_at: Timestamp,
    offset_min: Option<i64>,
    /// The square in which it was, tenths of a degree east of the date line, if its track is known.
    was_at: Option<u8>,
    is_deleted: bool,
    is_finished: bool,
}

fn any_drive() -> impl Strategy<Value = Drive> {
    let times = (0..800 * DAY_MS, prop::option::of(prop_oneof![Just(-720), Just(0), Just(345), Just(840)]));
    let texts = (0..TITLES.len(), 0..NOTES.len(), prop::option::of(0..3_u8));
    let flags = (prop::option::of(0..4_u8), prop::bool::weighted(0.1), prop::bool::weighted(0.9));
    (texts, times, flags).prop_map(|((title, notes, car), (after, offset_min), (was_at, is_deleted, is_finished))| {
        Drive { title, notes, car, started_at: WALL + after, offset_min, was_at, is_deleted, is_finished }
    })
}

fn any_query() -> impl Strategy<Value = DriveQuery> {
    let text = prop::collection::vec(prop::sample::select(&WORDS[..]), 0..3).prop_map(|words| Some(words.join(" \t")));
    let day = || prop::option::weighted(0.3, (0..800_i64).prop_map(|day| WALL + day * DAY_MS));
    let area =
        prop::option::weighted(0.3, (0..4_u8, 0..4_u8).prop_map(|(west, east)| [lon(west), 45.0, lon(east), 47.0]));
    (text, prop::option::weighted(0.3, 0..3_u8), day(), day(), area)
        .prop_map(|(text, car, from, until, area)| DriveQuery { text, car: car.map(car_id), from, until, area })
}

/// Longitudes around the date line.
fn lon(tenths: u8) -> f64 {
    let east = 179.805 + f64::from(tenths) / 10.0;
    if east > 180.0 { east - 360.0 } else { east }
}

fn car_id(number: u8) -> DocId {
    DocId::from_bytes([0xc0 + number; 16])
}

fn cars() -> [CarFields; 2] {
    let mazda =
        CarFields { make: "Mazda".to_owned(), model: "MX-5".to_owned(), year: Some(2019), ..CarFields::default() };
    [mazda, CarFields { nickname: "Red".to_owned(), ..CarFields::default() }]
}

fn stats(index: usize) -> DriveStats {
    let ms = index as i64 * 60_000;
    DriveStats {
        distance_m: 1e3 * index as f64,
        duration_ms: 2 * ms,
        moving_ms: ms,
        ascent_m: 3.0,
        ..DriveStats::default()
    }
}

/// A phone with these drives; the third car is in drives and unknown.
fn phone(drives: &[Drive]) -> Replica {
    let mut replica = Bench::new().replica;
    for (number, fields) in (0..).zip(cars()) {
        replica.documents.put_row_for_test(car_id(number), DocumentRow::Car(fields, vec![]));
    }
    for (index, drive) in drives.iter().enumerate() {
        let track = DocId::from_bytes([0x80 + index as u8; 16]);
        if let Some(was_at) = drive.was_at {
            let squares = Squares::of([Position { lat_deg: 46.0, lon_deg: lon(was_at) }]);
            let road = RoadView { score: None, stretches: vec![] };
            replica.documents.put_row_for_test(track, DocumentRow::Track(Box::new(road), None, vec![], squares));
        }
        let fields = DriveFields {
            title: TITLES[drive.title].to_owned(),
            notes: NOTES[drive.notes].to_owned(),
            car: drive.car.map(car_id),
            started_at: drive.started_at,
            ended_at: drive.is_finished.then_some(drive.started_at + 1),
            stats: drive.is_finished.then(|| stats(index)),
            track: Some(track),
            visibility: Visibility::Private,
            published: None,
            deleted: drive.is_deleted,
            conflicts: vec![],
            is_contested: false,
            utc_offset: drive.offset_min.and_then(UtcOffset::from_minutes),
            renewals: 0,
            source: None,
            open_ends: OpenEnds::default(),
        };
        replica.documents.put_row_for_test(drive_id(index), DocumentRow::Drive(fields));
    }
    replica
}

fn drive_id(index: usize) -> DocId {
    DocId::from_bytes([index as u8; 16])
}

fn is_wanted(drive: &Drive, query: &DriveQuery) -> bool {
    let plain = |text: &str| text.to_lowercase().replace('ß', "ss").replace('ς', "σ");
    let car = drive.car.and_then(|car| cars().get(usize::from(car)).cloned()).unwrap_or_default();
    let year = car.year.map_or(String::new(), |year| year.to_string());
    let texts = [TITLES[drive.title], NOTES[drive.notes], &car.make, &car.model, &car.nickname, &year].map(plain);
    let has = |word: &str| texts.iter().any(|text| text.contains(&plain(word)));
    let local = drive.started_at + drive.offset_min.unwrap_or(0) * 60_000;
    let east = |lon: f64| if lon < 0.0 { lon + 360.0 } else { lon };
    // Areas whose west is greater than their east go around the earth the other way.
    let is_in = |[west, _, to, _]: [f64; 4]| {
        let within = |at: u8| {
            let (west, to, at) = (east(west), east(to), east(lon(at)));
            if west <= to { west <= at && at <= to } else { west <= at || at <= to }
        };
        drive.was_at.is_some_and(within)
    };
    !drive.is_deleted
        && query.text.as_deref().unwrap_or_default().split_whitespace().all(has)
        && query.car.is_none_or(|car| drive.car.map(car_id) == Some(car))
        && query.from.is_none_or(|from| from <= local)
        && query.until.is_none_or(|until| local < until)
        && query.area.is_none_or(is_in)
}

fn summed<'a>(all: impl Iterator<Item = &'a DriveTotals>) -> (u32, f64, i64) {
    all.fold((0, 0.0, 0), |sum, one| (sum.0 + one.drives, sum.1 + one.distance_m, sum.2 + one.moving_ms))
}

proptest! {
    #[test]
    fn a_search_finds_what_a_filter_over_all_drives_finds_and_every_sum_is_that_of_its_drives(
        drives in prop::collection::vec(any_drive(), 0..12),
        query in any_query(),
    ) {
        let replica = phone(&drives);
        let FoundDrives { drives: found, total, years, months, cars } = replica.find_drives(&query).unwrap();
        let mut wanted: Vec<usize> = (0..drives.len()).filter(|index| is_wanted(&drives[*index], &query)).collect();
        wanted.sort_by_key(|index| std::cmp::Reverse((drives[*index].started_at, drive_id(*index))));
        prop_assert_eq!(found, wanted.iter().map(|index| drive_id(*index)).collect::<Vec<_>>());
        let finished = || wanted.iter().filter(|index| drives[**index].is_finished).map(|index| stats(*index));
        let expected = (
            wanted.len() as u32,
            finished().map(|stats| stats.distance_m).sum::<f64>(),
            finished().map(|stats| stats.moving_ms).sum::<i64>(),
        );
        prop_assert_eq!(summed([total].iter()), expected);
        for parts in [&years, &months] {
            prop_assert_eq!(summed(parts.iter().map(|part| &part.totals)), expected);
            prop_assert!(parts.is_sorted_by(|a, b| a.period > b.period));
        }
        prop_assert_eq!(summed(cars.iter().map(|car| &car.totals)), expected);
        for month in &months {
            let of_month = |index: &&usize| {
                let drive = &drives[**index];
                let (year, number) = (drive.started_at + drive.offset_min.unwrap_or(0) * 60_000).year_and_month();
                month.period == format!("{year}-{number:02}")
            };
            prop_assert_eq!(month.totals.drives as usize, wanted.iter().filter(of_month).count());
        }
    }
}

#[test]
fn the_drive_that_is_being_recorded_is_not_found() {
    let mut bench = Bench::new();
    bench.tell(Input::Start);
    bench.order(Command::StartDrive { car: None });
    assert_eq!((bench.replica.drives().len(), found(&bench.replica)), (1, 0));
    bench.order(Command::FinishDrive);
    assert_eq!(found(&bench.replica), 1);
}

#[test]
fn a_drive_that_was_imported_is_found_where_it_was() {
    let mut bench = Bench::new();
    bench.tell(Input::Start);
    let drive = bench.imported([5; 32], &crate::testing::eastward(&[(120, 20.0)]));
    let found =
        |area| bench.replica.find_drives(&DriveQuery { area: Some(area), ..DriveQuery::default() }).unwrap().drives;
    assert_eq!(found([10.01, -0.005, 10.02, 0.005]), [drive]);
    assert_eq!(found([10.2, -0.005, 10.3, 0.005]), []);
}

#[test]
fn a_query_out_of_range_is_refused() {
    let replica = Bench::new().replica;
    let field = |query: DriveQuery| replica.find_drives(&query).unwrap_err().field;
    assert_eq!(field(DriveQuery { text: Some("x".repeat(201)), ..DriveQuery::default() }), "text");
    for area in
        [[0.0, 1.0, 0.0, 0.0], [f64::NAN, 0.0, 1.0, 1.0], [-200.0, 0.0, 1.0, 1.0], [0.0, 0.0, 1.0, f64::INFINITY]]
    {
        assert_eq!(field(DriveQuery { area: Some(area), ..DriveQuery::default() }), "area");
    }
}

fn found(replica: &Replica) -> usize {
    replica.find_drives(&DriveQuery::default()).unwrap().drives.len()
}
