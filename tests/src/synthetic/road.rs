//! The road and the car on it: the true position of the car at each moment.

use super::{Kind, Random};

/// Distance between two points of the road, metres.
const STEP_M: f64 = 2.0;

/// A car on its road.
pub(super) struct Trip {
    points: Vec<RoadPoint>,
    /// The time at which the car reaches each point, seconds from the start.
    reached_s: Vec<f64>,
}

#[derive(Clone, Copy)]
struct RoadPoint {
    lat_deg: f64,
    lon_deg: f64,
    altitude_m: f64,
    /// Direction of the road, radians clockwise from north.
    heading_rad: f64,
    /// The maximum speed in the corner, metres per second.
    limit_mps: f64,
    /// The time for which the car waits here, seconds.
    wait_s: f64,
}

/// The true state at one moment.
pub(super) struct Truth {
    pub(super) lat_deg: f64,
    pub(super) lon_deg: f64,
    pub(super) altitude_m: f64,
    pub(super) heading_deg: f64,
    pub(super) speed_mps: f64,
}

/// The style of a road and of driving on it.
struct RoadStyle {
    origin: (f64, f64),
    altitude_m: f64,
    top_mps: f64,
    /// The driver's preferred lateral acceleration in corners, m/s².
    lateral_mps2: f64,
    straight_m: (f64, f64),
    radius_m: (f64, f64),
    turn_deg: (f64, f64),
    /// Steepest slope, metres per metre.
    slope: f64,
    /// The maximum height above the origin and the maximum depth below it, metres.
    relief_m: f64,
    /// The chance that a straight ends at a red light.
    red_light: f64,
    /// The distance from its origin at which the road turns back.
    reach_m: f64,
}

impl Kind {
    fn road_style(self) -> RoadStyle {
        match self {
            Kind::Mountain => RoadStyle {
                origin: (46.5286, 10.4543),
                altitude_m: 1900.0,
                top_mps: 22.0,
                lateral_mps2: 3.5,
                straight_m: (40.0, 350.0),
                radius_m: (12.0, 140.0),
                turn_deg: (25.0, 170.0),
                slope: 0.09,
                relief_m: 400.0,
                red_light: 0.0,
                reach_m: 6_000.0,
            },
            Kind::Lane => RoadStyle {
                origin: (24.6, 1.9),
                altitude_m: 410.0,
                top_mps: 22.2,
                lateral_mps2: 3.0,
                straight_m: (60.0, 450.0),
                radius_m: (35.0, 160.0),
                turn_deg: (20.0, 95.0),
                slope: 0.04,
                relief_m: 25.0,
                red_light: 0.0,
                reach_m: 6_000.0,
            },
            Kind::Town => RoadStyle {
                origin: (24.0, 0.5),
                altitude_m: 420.0,
                top_mps: 13.9,
                lateral_mps2: 2.0,
                straight_m: (90.0, 450.0),
                radius_m: (9.0, 16.0),
                turn_deg: (88.0, 92.0),
                slope: 0.02,
                relief_m: 12.0,
                red_light: 0.45,
                reach_m: 3_000.0,
            },
            Kind::Motorway => RoadStyle {
                origin: (24.3, 1.2),
                altitude_m: 400.0,
                top_mps: 33.0,
                lateral_mps2: 1.5,
                straight_m: (300.0, 4_000.0),
                radius_m: (900.0, 4_000.0),
                turn_deg: (4.0, 35.0),
                slope: 0.03,
                relief_m: 60.0,
                red_light: 0.0,
                reach_m: 150_000.0,
            },
        }
    }
}

impl Trip {
    pub(super) fn make(kind: Kind, duration_s: f64, chance: &mut Random) -> Trip {
        let character = kind.road_style();
        let length_m = duration_s * character.top_mps + 500.0;
        let points = generate(&character, length_m, chance);
        let speeds_mps = speeds(&points);
        let mut reached_s = vec![0.0];
        let mut at_s = points[0].wait_s;
        for (index, pair) in speeds_mps.windows(2).enumerate() {
            // Uniform acceleration between two points: the time is the way divided by the mean of both speeds.
            at_s += STEP_M / ((pair[0] + pair[1]) / 2.0).max(0.3);
            reached_s.push(at_s);
            at_s += points[index + 1].wait_s;
        }
        Trip { points, reached_s }
    }

    /// Returns the state of the car `at_s` seconds after the start.
    pub(super) fn at(&self, at_s: f64) -> Truth {
        let next = self.reached_s.partition_point(|&reached_s| reached_s <= at_s).clamp(1, self.points.len() - 1);
        let (from, to) = (&self.points[next - 1], &self.points[next]);
        let leaves_s = self.reached_s[next - 1] + from.wait_s;
        let leg_s = self.reached_s[next] - leaves_s;
        let part = ((at_s - leaves_s) / leg_s).clamp(0.0, 1.0);
        let between = |a: f64, b: f64| a + (b - a) * part;
        Truth {
            lat_deg: between(from.lat_deg, to.lat_deg),
            lon_deg: between(from.lon_deg, to.lon_deg),
            altitude_m: between(from.altitude_m, to.altitude_m),
            heading_deg: from.heading_rad.to_degrees().rem_euclid(360.0),
            speed_mps: if at_s < leaves_s { 0.0 } else { STEP_M / leg_s },
        }
    }
}

/// Adds straights and corners one after the other; far from the origin the corners lead back.
fn generate(character: &RoadStyle, length_m: f64, chance: &mut Random) -> Vec<RoadPoint> {
    let mut generator = RoadGenerator {
        point: RoadPoint {
            lat_deg: character.origin.0,
            lon_deg: character.origin.1,
            altitude_m: character.altitude_m,
            heading_rad: chance.between(0.0, std::f64::consts::TAU),
            limit_mps: character.top_mps,
            wait_s: 8.0,
        },
        east_m: 0.0,
        north_m: 0.0,
        slope: 0.0,
        points: Vec::new(),
    };
    let mut climbs = true;
    while (generator.points.len() as f64) * STEP_M < length_m {
        // The road climbs to its highest point, then falls to its lowest, and so on.
        let high_m = generator.point.altitude_m - character.altitude_m;
        if high_m.abs() > character.relief_m {
            climbs = high_m < 0.0;
        }
        let steepness = character.slope * chance.between(0.1, 1.0);
        generator.slope = if climbs { steepness } else { -steepness };
        let straight_m = chance.between(character.straight_m.0, character.straight_m.1);
        generator.add_segment(straight_m, 0.0, character.top_mps);
        if chance.between(0.0, 1.0) < character.red_light {
            generator.stop(chance.between(6.0, 45.0));
        }
        let radius_m = chance.between(character.radius_m.0, character.radius_m.1);
        let turn_rad = chance.between(character.turn_deg.0, character.turn_deg.1).to_radians();
        let is_right = match generator.homeward_is_right() {
            Some(right) if libm::hypot(generator.east_m, generator.north_m) > character.reach_m => right,
            _ => chance.between(0.0, 1.0) < 0.5,
        };
        let curvature = if is_right { 1.0 / radius_m } else { -1.0 / radius_m };
        let corner_mps = (character.lateral_mps2 * radius_m).sqrt().min(character.top_mps);
        generator.add_segment(turn_rad * radius_m, curvature, corner_mps);
    }
    generator.points
}

struct RoadGenerator {
    point: RoadPoint,
    east_m: f64,
    north_m: f64,
    slope: f64,
    points: Vec<RoadPoint>,
}

impl RoadGenerator {
    fn add_segment(&mut self, length_m: f64, curvature_per_m: f64, limit_mps: f64) {
        for _ in 0..(length_m / STEP_M).ceil() as usize {
            self.point.limit_mps = limit_mps;
            self.points.push(self.point);
            self.point.wait_s = 0.0;
            self.point.heading_rad += curvature_per_m * STEP_M;
            self.point.altitude_m += self.slope * STEP_M;
            let (sin, cos) = libm::sincos(self.point.heading_rad);
            self.east_m += sin * STEP_M;
            self.north_m += cos * STEP_M;
            // Lengths of one degree (WGS 84, the first terms of the usual series).
            let lat_rad = self.point.lat_deg.to_radians();
            let meridian_m = 111_132.95 - 559.82 * libm::cos(2.0 * lat_rad) + 1.18 * libm::cos(4.0 * lat_rad);
            let parallel_m = 111_412.88 * libm::cos(lat_rad) - 93.5 * libm::cos(3.0 * lat_rad);
            self.point.lat_deg += cos * STEP_M / meridian_m;
            self.point.lon_deg += sin * STEP_M / parallel_m;
        }
    }

    fn stop(&mut self, wait_s: f64) {
        if let Some(last) = self.points.last_mut() {
            last.limit_mps = 0.0;
            last.wait_s = wait_s;
        }
    }

    /// Whether a right turn leads back to the origin; `None` at the origin.
    fn homeward_is_right(&self) -> Option<bool> {
        let (sin, cos) = libm::sincos(self.point.heading_rad);
        let across = cos * -self.east_m - sin * -self.north_m;
        (across != 0.0).then_some(across > 0.0)
    }
}

/// The speed at every point: no faster than the corner allows, braking in time, accelerating as a car can.
fn speeds(points: &[RoadPoint]) -> Vec<f64> {
    const BRAKING_MPS2: f64 = 2.5;
    const ACCELERATION_MPS2: f64 = 1.8;
    let mut speeds_mps: Vec<f64> = points.iter().map(|point| point.limit_mps).collect();
    speeds_mps[0] = 0.0;
    for index in (1..speeds_mps.len()).rev() {
        let reachable_mps = (square(speeds_mps[index]) + 2.0 * BRAKING_MPS2 * STEP_M).sqrt();
        speeds_mps[index - 1] = speeds_mps[index - 1].min(reachable_mps);
    }
    for index in 1..speeds_mps.len() {
        let reachable_mps = (square(speeds_mps[index - 1]) + 2.0 * ACCELERATION_MPS2 * STEP_M).sqrt();
        speeds_mps[index] = speeds_mps[index].min(reachable_mps);
    }
    speeds_mps
}

fn square(value: f64) -> f64 {
    value * value
}
