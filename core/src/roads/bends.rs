//! Bends of the road: radii, and the corners that consecutive bends form.

use std::ops::Range;

use super::Bend;
use super::way::RoadSample;

/// Minimum turn of a corner, radians.
const SMALLEST_TURN_RAD: f64 = 30.0 / 180.0 * std::f64::consts::PI;
/// Maximum turn of a corner, radians: larger turns are roundabouts or loops. The hairpins of a pass turn by 180 degrees
/// or slightly more. Nobody makes a U-turn at a flowing speed.
const LARGEST_TURN_RAD: f64 = 225.0 / 180.0 * std::f64::consts::PI;

/// The bend at one sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct BendHere {
    pub(super) bend: Bend,
    pub(super) is_corner: bool,
}

/// Returns the bend at each sample except the first and the last.
pub(super) fn along(samples: &[RoadSample]) -> Vec<BendHere> {
    let mut bends = Vec::with_capacity(samples.len());
    let mut run = Turn::default();
    for (index, three) in samples.windows(3).enumerate() {
        let curve = Curve::through(three);
        let bend = curve.bend();
        bends.push(BendHere { bend, is_corner: false });
        if bend == Bend::Straight || run.is_left != Some(curve.is_left) {
            run.end(samples, &mut bends);
            run =
                Turn { steps: index..index, turn_rad: 0.0, is_left: (bend != Bend::Straight).then_some(curve.is_left) };
        }
        if bend != Bend::Straight {
            run.steps.end = index + 1;
            run.turn_rad += curve.turn_rad();
        }
    }
    run.end(samples, &mut bends);
    bends
}

/// Consecutive samples at which the road bends to the same side.
#[derive(Default)]
struct Turn {
    steps: Range<usize>,
    turn_rad: f64,
    is_left: Option<bool>,
}

impl Turn {
    /// Marks the middle of the turn, if the turn is a flowing corner.
    fn end(&self, samples: &[RoadSample], bends: &mut [BendHere]) {
        let is_corner = (SMALLEST_TURN_RAD..=LARGEST_TURN_RAD).contains(&self.turn_rad);
        // Steps are counted from the second sample.
        if is_corner && self.steps.clone().all(|step| samples[step + 1].flows) {
            bends[self.steps.start + self.steps.len() / 2].is_corner = true;
        }
    }
}

/// The circle through three positions.
struct Curve {
    /// The vector product of both legs.
    cross_m2: f64,
    dot_m2: f64,
    /// The product of the three sides.
    sides_m3: f64,
    is_left: bool,
}

impl Curve {
    fn through(three: &[RoadSample]) -> Curve {
        let [a, b, c] = [three[0].place, three[1].place, three[2].place];
        let (u, v) = ([b.x_m - a.x_m, b.y_m - a.y_m, b.z_m - a.z_m], [c.x_m - b.x_m, c.y_m - b.y_m, c.z_m - b.z_m]);
        let cross = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
        Curve {
            cross_m2: (cross[0] * cross[0] + cross[1] * cross[1] + cross[2] * cross[2]).sqrt(),
            dot_m2: u[0] * v[0] + u[1] * v[1] + u[2] * v[2],
            sides_m3: a.chord_m(b) * b.chord_m(c) * a.chord_m(c),
            // Up is away from the centre of the earth.
            is_left: cross[0] * b.x_m + cross[1] * b.y_m + cross[2] * b.z_m > 0.0,
        }
    }

    /// The radius of the circumscribed circle is the product of the sides divided by four times the area (any textbook
    /// of plane geometry), and the vector product is twice the area.
    fn bend(&self) -> Bend {
        let is_under = |radius_m: f64| self.sides_m3 < radius_m * 2.0 * self.cross_m2;
        match () {
            () if is_under(30.0) => Bend::Hairpin,
            () if is_under(60.0) => Bend::Tight,
            () if is_under(100.0) => Bend::Medium,
            () if is_under(175.0) => Bend::Broad,
            () => Bend::Straight,
        }
    }

    /// The angle between both legs.
    fn turn_rad(&self) -> f64 {
        libm::atan2(self.cross_m2, self.dot_m2)
    }
}
