//! Tracks as KML files: `gx:Track`, and placemarks that are points in time. A line without times is a route.

use std::collections::VecDeque;

use tourismo_core::fix::Fix;

use crate::found::{Draft, FileError};
use crate::numbers::{bare_fix, number_of, time_of};
use crate::xml::{self, Step};

/// A file that is being read.
#[derive(Default)]
struct Reading {
    drafts: Vec<Draft>,
    /// The drive of all placemarks that are points in time.
    points: Draft,
    /// The name of the placemark or document.
    name: String,
    document: String,
    is_in_placemark: bool,
    is_in_track: bool,
    whens: VecDeque<String>,
    coords: VecDeque<String>,
    /// A placemark's own time and place.
    when: Option<String>,
    place: Option<String>,
}

/// Reads a file, a drive for each track.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Draft>, FileError> {
    let mut reading = Reading::default();
    let broken = xml::walk(bytes, |step| reading.take(step))?;
    let Reading { mut drafts, mut points, document, .. } = reading;
    if points.points + points.without_time > 0 {
        points.title = Some(document);
        drafts.push(points);
    }
    if let (Some(broken), Some(draft)) = (broken, drafts.last_mut()) {
        draft.note(|| broken);
    }
    Ok(drafts)
}

impl Reading {
    fn take(&mut self, step: Step<'_>) {
        match step {
            Step::Open("Placemark", _) => {
                (self.is_in_placemark, self.when, self.place) = (true, None, None);
                self.name.clear();
            }
            Step::Open("Track", _) => {
                self.is_in_track = true;
                self.whens.clear();
                self.coords.clear();
            }
            Step::Close("name", text) if self.is_in_placemark => text.clone_into(&mut self.name),
            Step::Close("name", text) => text.clone_into(&mut self.document),
            Step::Close("when", text) if self.is_in_track => self.whens.push_back(text.to_owned()),
            Step::Close("when", text) => self.when = Some(text.to_owned()),
            Step::Close("coord", text) if self.is_in_track => self.coords.push_back(text.to_owned()),
            Step::Close("coordinates", text) => self.coordinates(text),
            Step::Close("Track", _) => self.close_track(),
            Step::Close("Placemark", _) => self.close_placemark(),
            Step::Open(..) | Step::Close(..) => {}
        }
    }

    /// Takes the coordinates of a line, which is a route, or of a point, which may have a time.
    fn coordinates(&mut self, text: &str) {
        let count = text.split_whitespace().count();
        if count > 1 {
            self.points.without_time += count;
        } else {
            self.place = Some(text.to_owned());
        }
    }

    fn close_track(&mut self) {
        self.is_in_track = false;
        let mut draft = Draft { title: Some(self.name.clone()), ..Draft::default() };
        for (index, coord) in self.coords.drain(..).enumerate() {
            add(&mut draft, index, self.whens.pop_front().as_deref(), &coord, ' ');
        }
        // The parts of a gx:MultiTrack are one drive with gaps.
        match self.drafts.last_mut().filter(|last| last.title == draft.title && self.is_in_placemark) {
            Some(last) if draft.points > 0 && last.points > 0 && is_next(last, &draft) => {
                last.points += draft.points;
                last.without_time += draft.without_time;
                last.fixes.append(&mut draft.fixes);
            }
            Some(_) | None => self.drafts.push(draft),
        }
    }

    fn close_placemark(&mut self) {
        self.is_in_placemark = false;
        if let (Some(when), Some(place)) = (self.when.take(), self.place.take()) {
            let index = self.points.points;
            add(&mut self.points, index, Some(&when), &place, ',');
        }
    }
}

/// Returns whether a track begins within a day after another one ended.
fn is_next(before: &Draft, track: &Draft) -> bool {
    let (Some(last), Some(first)) = (before.fixes.last(), track.fixes.first()) else { return false };
    (0..86_400_000).contains(&first.fixed_at.millis_since(last.fixed_at))
}

/// Adds a position: longitude, latitude and altitude.
fn add(draft: &mut Draft, index: usize, when: Option<&str>, coord: &str, separator: char) {
    draft.points += 1;
    let mut numbers = coord.split(separator).map(number_of);
    let (Some(Some(lon_deg)), Some(Some(lat_deg))) = (numbers.next(), numbers.next()) else {
        return draft.note(|| format!("position {}: it has no place", index + 1));
    };
    let Some(at) = when.and_then(time_of) else {
        draft.without_time += 1;
        return draft.note(|| format!("position {}: it has no time", index + 1));
    };
    let altitude_m = numbers.next().flatten();
    draft.add(Fix { altitude_m, ..bare_fix(at, lat_deg, lon_deg) }, || format!("position {}", index + 1));
}
