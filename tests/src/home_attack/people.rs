//! Made people with homes, habits and drives, redacted by the core.

use tourismo_core::fix::Fix;
use tourismo_core::geodesy::{Position, TangentPlane};
use tourismo_core::id::DocId;
use tourismo_core::privacy::places::{Place, PlaceKind, PlaceSecret, ZoneSize, is_known, unknown_stops};
use tourismo_core::privacy::stops::stops;
use tourismo_core::privacy::{RedactError, redact};
use tourismo_core::time::Timestamp;
use tourismo_core::track::Stretch;

use crate::home_attack::streets::{Kind, OnStreet, Point, Streets, distance_m, unit};
use crate::sim::SimRng;

/// Latitudes of the people: the grid of cuts has other cells at each.
const LATITUDES_DEG: [f64; 5] = [5.0, 35.0, 47.0, 60.0, 66.0];

/// 2024-06-01T09:00:00Z.
const START: Timestamp = Timestamp(1_717_232_400_000);

/// Where a drive that begins or ends at home goes.
#[derive(Clone, Debug)]
pub struct Drive {
    /// The fixes, as a phone records them.
    pub fixes: Vec<Fix>,
    /// Whether it begins at home; otherwise it ends there.
    pub is_outbound: bool,
}

/// A person.
#[derive(Debug)]
pub struct Person {
    /// The streets around.
    pub streets: Streets,
    /// The plane on which the streets lie.
    pub plane: TangentPlane,
    /// Where the person lives.
    pub home: OnStreet,
    /// The drives.
    pub drives: Vec<Drive>,
}

/// What others see of a drive: the shown fixes on the plane.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Where they are.
    pub points: Vec<Point>,
    /// Whether the drive begins at home; an attacker sees that from the other ends.
    pub is_outbound: bool,
    /// The centres of the zones at the other end, which the attackers know: the radius of the zone at home depends on them.
    /// None if zones have nothing to do with what is shown.
    pub far_centers: Vec<Point>,
}

impl Person {
    /// Makes a person with so many drives, who takes the way that seems shortest on that day.
    pub fn random(seed: u64, drives: usize) -> Person {
        Person::driving(seed, drives, 0.0)
    }

    /// Makes a person with so many drives, who also prefers some streets to others for good: most drivers do not take the
    /// shortest way (Zhu and Levinson, PLoS ONE 2015), and no map says why.
    pub fn with_preferences(seed: u64, drives: usize) -> Person {
        Person::driving(seed, drives, PREFERENCE)
    }

    fn driving(seed: u64, drives: usize, preference: f64) -> Person {
        let mut rng = SimRng::new(seed);
        let kind = Kind::ALL[(seed % 5) as usize];
        let streets = Streets::random(kind, &mut rng);
        let lat_deg = LATITUDES_DEG[(seed / 5 % 5) as usize] + unit(&mut rng) * 0.3;
        let plane = TangentPlane::at(Position { lat_deg, lon_deg: 8.0 + unit(&mut rng) });
        let home = streets.random_point((0.0, 0.0), 1_000.0, &mut rng);
        // Half of the drives go to a few places again and again.
        let far = |rng: &mut SimRng| loop {
            let at = streets.random_point((0.0, 0.0), 6_800.0, rng);
            if distance_m(streets.position(at), streets.position(home)) > 3_500.0 {
                return at;
            }
        };
        let habits: Vec<OnStreet> = (0..4).map(|_| far(&mut rng)).collect();
        let stands_at_home = rng.one_in(2);
        let mut person = Person { streets: streets.clone(), plane, home, drives: Vec::new() };
        for index in 0..drives {
            let to = if rng.one_in(2) { rng.pick(&habits) } else { far(&mut rng) };
            // Who has no place of their own stands somewhere along the street.
            let off = if stands_at_home { 0.0 } else { unit(&mut rng) * 0.5 };
            let standing = OnStreet { part: (home.part + off).min(0.99), ..home };
            let is_outbound = index % 2 == 0;
            let (from, to) = if is_outbound { (standing, to) } else { (to, standing) };
            let mood_seed = rng.between(0, u64::MAX / 2);
            let mood = |a: usize, b: usize| {
                1.0 + DAILY * noise(mood_seed, a, b) + preference * noise(seed.wrapping_add(1 << 40), a, b)
            };
            let way = streets.route(from, to, &mood);
            let fixes = person.record(&way, &mut rng);
            person.drives.push(Drive { fixes, is_outbound });
        }
        person
    }

    /// Drives along a way, stands for a while at both ends, and measures once a second with the noise of a receiver.
    pub fn record(&self, way: &[Point], rng: &mut SimRng) -> Vec<Fix> {
        let (mut fixes, mut noise) = (Vec::new(), (0.0, 0.0));
        let mut seconds = 0;
        let mut measure = |at: Point, speed_mps: f64, rng: &mut SimRng| {
            // The error of a receiver changes slowly.
            let mut step = |noise: f64| 0.95 * noise + (unit(rng) + unit(rng) - 1.0) * 2.6;
            noise = (step(noise.0), step(noise.1));
            let position = self.plane.unproject(at.0 + noise.0, at.1 + noise.1);
            let fixed_at = START + seconds * 1_000;
            seconds += 1;
            let fix = Fix {
                fixed_at,
                recorded_at: fixed_at,
                lat_deg: position.lat_deg,
                lon_deg: position.lon_deg,
                accuracy_m: Some(5.0),
                altitude_m: None,
                altitude_accuracy_m: None,
                heading_deg: None,
                speed_mps: Some(speed_mps),
            };
            fixes.push(fix.quantised().expect("it is on earth"));
        };
        (0..rng.between(5, 40)).for_each(|_| measure(way[0], 0.0, rng));
        let speed_mps = 9.0 + unit(rng) * 5.0;
        let mut left_m = 0.0;
        for pair in way.windows(2) {
            let length_m = distance_m(pair[0], pair[1]);
            while left_m < length_m {
                let part = left_m / length_m;
                let at = (pair[0].0 + (pair[1].0 - pair[0].0) * part, pair[0].1 + (pair[1].1 - pair[0].1) * part);
                measure(at, speed_mps, rng);
                left_m += speed_mps;
            }
            left_m -= length_m;
        }
        (0..rng.between(5, 40)).for_each(|_| measure(way[way.len() - 1], 0.0, rng));
        fixes
    }

    /// Finds the places of all drives, as the app does, with secrets of their own.
    pub fn places(&self, secret: u64, known: &[Place]) -> Vec<Place> {
        let mut rng = SimRng::new(secret);
        let mut places = known.to_vec();
        for drive in &self.drives {
            for position in unknown_stops(&stops(&drive.fixes), &places) {
                places.push(new_place(position, &mut rng));
            }
        }
        places
    }

    /// What others see of the drives.
    pub fn shown(&self, places: &[Place]) -> Vec<Result<Shown, RedactError>> {
        self.drives.iter().map(|drive| self.redacted(drive, places)).collect()
    }

    fn redacted(&self, drive: &Drive, places: &[Place]) -> Result<Shown, RedactError> {
        let redacted = redact(&stretch(&drive.fixes), places)?;
        let points = redacted.fixes.iter().map(|fix| self.plane.project_m(fix.into())).collect();
        let end = if drive.is_outbound { drive.fixes.last() } else { drive.fixes.first() };
        let is_there = |place: &&Place| end.is_some_and(|end| is_known(end.into(), &[**place]));
        // Enlarging a zone does not change what is measured.
        let standard = |place: &Place| Place { size: ZoneSize::Standard, ..*place }.zone();
        let centers = places.iter().filter(is_there).filter_map(standard).map(|zone| zone.center());
        let far_centers = centers.map(|center| self.plane.project_m(center)).collect();
        Ok(Shown { points, is_outbound: drive.is_outbound, far_centers })
    }

    /// What others saw of the drives before there were places: all but the first and the last 300 m of way.
    pub fn shown_but_ends(&self) -> Vec<Shown> {
        let cut = |drive: &Drive| {
            let points: Vec<Point> = drive.fixes.iter().map(|fix| self.plane.project_m(fix.into())).collect();
            let mut ways = vec![0.0];
            for pair in points.windows(2) {
                ways.push(ways[ways.len() - 1] + distance_m(pair[0], pair[1]));
            }
            let whole_m = ways[ways.len() - 1];
            let is_shown = |way_m: &f64| *way_m >= ENDS_M && whole_m - way_m >= ENDS_M;
            let points = points.iter().zip(&ways).filter(|(_, way_m)| is_shown(way_m)).map(|(point, _)| *point);
            Shown { points: points.collect(), is_outbound: drive.is_outbound, far_centers: Vec::new() }
        };
        self.drives.iter().map(cut).collect()
    }

    /// Where the home is on the plane.
    pub fn home_at(&self) -> Point {
        self.streets.position(self.home)
    }
}

/// A place that an app finds.
pub fn new_place(position: Position, rng: &mut SimRng) -> Place {
    Place {
        id: DocId::from_bytes(rng.bytes()),
        position,
        secret: PlaceSecret(rng.bytes()),
        is_found: true,
        kind: PlaceKind::Stop,
        size: ZoneSize::Standard,
    }
}

/// Fixes as a track.
pub fn stretch(fixes: &[Fix]) -> [Stretch; 1] {
    [Stretch { fixes: fixes.to_vec(), ..Stretch::default() }]
}

/// What was hidden of the way at both ends before there were places, metres.
const ENDS_M: f64 = 300.0;

/// How much longer a street can seem on a day, as a part of its length.
const DAILY: f64 = 0.25;
/// How much longer a street can seem for good, as a part of its length.
const PREFERENCE: f64 = 0.5;

/// A number from 0 to 1 for each street and seed.
fn noise(seed: u64, a: usize, b: usize) -> f64 {
    let street = (a.min(b) as u64) << 32 | a.max(b) as u64;
    let mixed = (street ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 40) as f64 / f64::from(1 << 24)
}
