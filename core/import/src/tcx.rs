//! Activities as Garmin's Training Center XML files.

use tourismo_core::time::Timestamp;

use crate::found::{Draft, FileError};
use crate::numbers::{bare_fix, number_of, time_of};
use crate::xml::{self, Step};

/// The values of a track point.
#[derive(Default)]
struct Point {
    at: Option<Timestamp>,
    lat_deg: Option<f64>,
    lon_deg: Option<f64>,
    altitude_m: Option<f64>,
    speed_mps: Option<f64>,
    has_position: bool,
}

/// Reads a file, a drive for each activity.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Draft>, FileError> {
    let (mut drafts, mut point) = (Vec::<Draft>::new(), Point::default());
    let broken = xml::walk(bytes, |step| match step {
        Step::Open("Activity" | "Course", tag) => {
            drafts.push(Draft { kind: xml::attribute(tag, "Sport"), ..Draft::default() });
        }
        Step::Open("Trackpoint", _) => point = Point::default(),
        Step::Open("Position", _) => point.has_position = true,
        Step::Close("Time", text) => point.at = time_of(text),
        Step::Close("LatitudeDegrees", text) => point.lat_deg = number_of(text),
        Step::Close("LongitudeDegrees", text) => point.lon_deg = number_of(text),
        Step::Close("AltitudeMeters", text) => point.altitude_m = number_of(text),
        Step::Close("Speed", text) => point.speed_mps = number_of(text),
        Step::Close("Notes", text) => {
            if let Some(draft) = drafts.last_mut().filter(|draft| draft.title.is_none() && !text.is_empty()) {
                draft.title = Some(text.to_owned());
            }
        }
        Step::Close("Trackpoint", _) => {
            if let Some(draft) = drafts.last_mut() {
                take(draft, &std::mem::take(&mut point));
            }
        }
        Step::Open(..) | Step::Close(..) => {}
    })?;
    if let (Some(broken), Some(draft)) = (broken, drafts.last_mut()) {
        draft.note(|| broken);
    }
    Ok(drafts)
}

fn take(draft: &mut Draft, point: &Point) {
    // Some track points have only a heart rate.
    if !point.has_position {
        return;
    }
    draft.points += 1;
    let index = draft.points;
    let place = || format!("track point {index}");
    let (Some(lat_deg), Some(lon_deg)) = (point.lat_deg, point.lon_deg) else {
        return draft.note(|| format!("{}: it has no position", place()));
    };
    let Some(at) = point.at else {
        draft.without_time += 1;
        return draft.note(|| format!("{}: it has no time", place()));
    };
    let fix = bare_fix(at, lat_deg, lon_deg);
    draft.add(tourismo_core::fix::Fix { altitude_m: point.altitude_m, speed_mps: point.speed_mps, ..fix }, place);
}
