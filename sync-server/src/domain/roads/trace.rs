//! The cells of a drive with the counts of each.

use h3o::{CellIndex, LatLng, Resolution};
use tourismo_core::roads::{RoadSteps, Tally};

/// Cells with edges of about 29 m: two drives over one road share nine of ten cells, and all within one ring. The next
/// finer resolution shares six of ten, and the next coarser one joins a road with its own hairpins.
const RESOLUTION: Resolution = Resolution::Eleven;

/// The measured way of one drive.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trace {
    pub(super) visits: Vec<Visit>,
}

/// A stay in a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Visit {
    pub(super) cell: CellIndex,
    /// Whether the way before it was not measured.
    pub(super) begins_section: bool,
    pub(super) tally: Tally,
    /// The mean position of its steps, millionths of a degree from the middle of the cell: north and east.
    pub(super) offset_e6: [i32; 2],
}

/// The bytes are not a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no trace")]
pub struct TraceError;

/// Returns latitude and longitude of a cell's middle, millionths of a degree.
pub(super) fn middle_e6(cell: CellIndex) -> [i64; 2] {
    let middle = LatLng::from(cell);
    [(middle.lat() * 1e6).round() as i64, (middle.lng() * 1e6).round() as i64]
}

/// Returns the shorter way from one longitude to another, millionths of a degree.
pub(super) fn turned_e6(from_e6: i64, to_e6: i64) -> i64 {
    (to_e6 - from_e6 + 180_000_000).rem_euclid(360_000_000) - 180_000_000
}

impl Trace {
    /// Returns the trace of measured road.
    pub fn of(survey: &RoadSteps) -> Trace {
        let mut visits: Vec<Visit> = Vec::new();
        let mut sums_e6 = [0_i64; 2];
        for step in survey.steps() {
            let position = step.position();
            let Ok(place) = LatLng::new(position.lat_deg, position.lon_deg) else { continue };
            let cell = place.to_cell(RESOLUTION);
            if step.begins_section || visits.last().is_none_or(|visit| visit.cell != cell) {
                let tally = Tally::default();
                visits.push(Visit { cell, begins_section: step.begins_section, tally, offset_e6: [0; 2] });
                sums_e6 = [0; 2];
            }
            let Some(visit) = visits.last_mut() else { continue };
            visit.tally.count(step);
            let [lat_e6, lon_e6] = middle_e6(cell);
            sums_e6[0] += (position.lat_deg * 1e6).round() as i64 - lat_e6;
            sums_e6[1] += turned_e6(lon_e6, (position.lon_deg * 1e6).round() as i64);
            // Within a cell, this is within some hundredths of a degree everywhere except at the poles.
            visit.offset_e6 = sums_e6.map(|sum_e6| (sum_e6 / i64::from(visit.tally.steps)) as i32);
        }
        Trace { visits }
    }

    /// Returns the runs of visits without an unmeasured span, except where the car stood.
    pub(super) fn sections(&self) -> impl Iterator<Item = &[Visit]> {
        self.visits.chunk_by(|last, next| !next.begins_section || is_near(last.cell, next.cell))
    }

    /// Returns the number of visits.
    pub fn len(&self) -> usize {
        self.visits.len()
    }

    /// Returns whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.visits.is_empty()
    }

    /// Encodes the trace for storage: about ten bytes for each cell.
    ///
    /// Cells are stored as differences to the one before; numbers as LEB128.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(12 * self.visits.len());
        let mut last = 0;
        for visit in &self.visits {
            let cell = u64::from(visit.cell) >> UNUSED_BITS;
            number(&mut bytes, (cell ^ last) << 1 | u64::from(visit.begins_section));
            last = cell;
            let Tally { steps, flowing, bends, corners, graded, grade_sum } = visit.tally;
            let [_, curved @ ..] = bends;
            // Flowing steps that do not bend are straight.
            for value in [steps, steps - flowing, corners, steps - graded, grade_sum].into_iter().chain(curved) {
                number(&mut bytes, value.into());
            }
            visit.offset_e6.iter().for_each(|&offset| number(&mut bytes, zigzag(offset)));
        }
        bytes
    }

    /// Decodes the result of [`Trace::encode`].
    ///
    /// # Errors
    /// [`TraceError`] for any other bytes.
    pub fn decode(mut bytes: &[u8]) -> Result<Trace, TraceError> {
        let mut visits = Vec::new();
        let mut last = 0;
        while !bytes.is_empty() {
            let head = take(&mut bytes)?;
            last ^= head >> 1;
            let bits = last.checked_shl(UNUSED_BITS).ok_or(TraceError)? | ((1 << UNUSED_BITS) - 1);
            let cell = CellIndex::try_from(bits).map_err(|_| TraceError)?;
            let mut next = || take(&mut bytes).and_then(|value| u32::try_from(value).map_err(|_| TraceError));
            let [steps, crawling, corners, ungraded, grade_sum] = [next()?, next()?, next()?, next()?, next()?];
            let curved = [next()?, next()?, next()?, next()?];
            let (flowing, graded) = steps.checked_sub(crawling).zip(steps.checked_sub(ungraded)).ok_or(TraceError)?;
            let straight = curved.iter().try_fold(flowing, |rest, bend| rest.checked_sub(*bend)).ok_or(TraceError)?;
            let [broad, medium, tight, hairpin] = curved;
            let offset_e6 = [unzigzag(next()?), unzigzag(next()?)];
            let tally =
                Tally { steps, flowing, bends: [straight, broad, medium, tight, hairpin], corners, graded, grade_sum };
            visits.push(Visit { cell, begins_section: head & 1 == 1, tally, offset_e6 });
        }
        Ok(Trace { visits })
    }
}

/// The digits of resolutions finer than [`RESOLUTION`], three bits each, are all ones.
const UNUSED_BITS: u32 = 3 * (15 - RESOLUTION as u32);

/// Maximum distance in cells between the ends of two sections for the road between them to count as known.
///
/// A car that stands for more than a few seconds ends a section, and the samples at its ends are not counted: 40 to 80
/// m of road, on which no car turns off and comes back.
const STANDING_CELLS: i32 = 2;

fn is_near(a: CellIndex, b: CellIndex) -> bool {
    a.grid_distance(b).is_ok_and(|cells| cells <= STANDING_CELLS)
}

fn zigzag(value: i32) -> u64 {
    u64::from(((value << 1) ^ (value >> 31)) as u32)
}

fn unzigzag(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

fn number(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn take(bytes: &mut &[u8]) -> Result<u64, TraceError> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(TraceError)?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(TraceError)
}
