//! Reads a file, and the files of an archive one by one.

use std::collections::VecDeque;
use std::io::{Cursor, Read, Seek};

use crate::archive::{Archive, Content, gunzip, read_content};
use crate::format::Format;
use crate::found::{Draft, FileError, Found, FoundDocument, RefusedFile};
use crate::gpx::{self, Fault, GpxError};
use crate::strava::Label;
use crate::{fit, geojson, kml, nmea, table, takeout, tcx, vbo};

/// Maximum depth of archives in archives, including packed files.
const MAX_NESTING: usize = 3;

/// An iterator over the drives of a file: [`Found::Drive`] and [`Found::Refused`] in the order of the file, and at the end of an
/// archive [`Found::Ignored`]. One file of the archive is in memory at a time.
pub struct Import<R> {
    file: String,
    state: State<R>,
    ready: VecDeque<Found>,
    ignored: u32,
}

enum State<R> {
    Unopened(R),
    Archive(Box<Archive<R>>),
    Done,
}

impl<R: Read + Seek> Import<R> {
    /// Reads a file. The name is part of the results; the format does not depend on it.
    pub fn new(file: &str, reader: R) -> Import<R> {
        Import { file: file.to_owned(), state: State::Unopened(reader), ready: VecDeque::new(), ignored: 0 }
    }

    fn open(&mut self, mut reader: R) -> Result<State<R>, FileError> {
        let mut start = Vec::new();
        let unreadable = |error: std::io::Error| FileError::Unreadable { detail: error.to_string() };
        reader.by_ref().take(4).read_to_end(&mut start).map_err(unreadable)?;
        reader.rewind().map_err(unreadable)?;
        match Format::of(&start) {
            Some(Format::Zip) => return Ok(State::Archive(Box::new(Archive::open(reader)?))),
            _ if start.is_empty() => return Err(FileError::Empty),
            _ => {}
        }
        let file = self.file.clone();
        let is_known = match read_content(reader, u64::MAX, None)? {
            Content::File { bytes, label } => self.read(&file, &bytes, label.as_ref(), 0),
            content => {
                self.take(&file, Ok(content), 0);
                true
            }
        };
        if is_known { Ok(State::Done) } else { Err(FileError::UnknownFormat) }
    }

    /// Reads a file or refuses it. Returns whether its format is known.
    fn read(&mut self, file: &str, bytes: &[u8], label: Option<&Label>, nesting: usize) -> bool {
        if nesting > MAX_NESTING {
            self.refuse(file, FileError::Bomb);
            return true;
        }
        let drafts = match Format::of(bytes) {
            None => return false,
            Some(Format::Gzip) => match gunzip(bytes) {
                Ok(bytes) => return self.read(file, &bytes, label, nesting + 1),
                Err(error) => Err(error),
            },
            Some(Format::Zip) => match Archive::open(Cursor::new(bytes)) {
                Ok(mut archive) => {
                    while let Some(entry) = archive.next() {
                        self.take(&format!("{file}/{}", entry.name), entry.content, nesting + 1);
                    }
                    return true;
                }
                Err(error) => Err(error),
            },
            Some(Format::Fit) => fit::read(bytes),
            Some(Format::Gpx) => read_gpx(bytes),
            Some(Format::Tcx) => tcx::read(bytes),
            Some(Format::Kml) => kml::read(bytes),
            Some(Format::GeoJson) => geojson::read(bytes),
            Some(Format::Records) => takeout::read_records(bytes),
            Some(Format::Timeline) => takeout::read_timeline(bytes),
            Some(Format::Nmea) => nmea::read(bytes),
            Some(Format::Vbo) => vbo::read(bytes),
            Some(Format::Table) => table::read(bytes),
        };
        match drafts {
            Ok(drafts) => self.keep(file, drafts, label),
            Err(error) => self.refuse(file, error),
        }
        true
    }

    /// Keeps the drives of a file. A part without a position is no drive; a file without any drive is refused.
    fn keep(&mut self, file: &str, drafts: Vec<Draft>, label: Option<&Label>) {
        let before = self.ready.len();
        let is_alone = drafts.len() == 1;
        for mut draft in drafts {
            if draft.points + draft.without_time == 0 {
                continue;
            }
            if let Some(label) = label.filter(|_| is_alone) {
                draft.title = Some(label.title.clone());
            }
            if let Some(label) = label {
                draft.kind = Some(label.kind.clone());
            }
            match draft.drive(file) {
                Ok(drive) => self.ready.push_back(Found::Drive(drive)),
                Err(error) => self.refuse(file, error),
            }
        }
        if self.ready.len() == before {
            self.refuse(file, FileError::NoPositions);
        }
    }

    fn refuse(&mut self, file: &str, error: FileError) {
        self.ready.push_back(Found::Refused(RefusedFile { file: file.to_owned(), error }));
    }

    /// Takes a file of an archive. Files without a known format are counted.
    fn take(&mut self, file: &str, content: Result<Content, FileError>, nesting: usize) {
        match content {
            Ok(Content::Document(document)) => {
                self.ready.push_back(Found::Document(FoundDocument { file: file.to_owned(), ..document }));
            }
            Ok(Content::Drafts(drafts)) => self.keep(file, drafts, None),
            Ok(Content::File { bytes, label }) => {
                if !self.read(file, &bytes, label.as_ref(), nesting) {
                    self.ignored += 1;
                }
            }
            Err(error) => self.refuse(file, error),
        }
    }
}

impl<R: Read + Seek> Iterator for Import<R> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(found) = self.ready.pop_front() {
                return Some(found);
            }
            self.state = match std::mem::replace(&mut self.state, State::Done) {
                State::Unopened(reader) => self.open(reader).unwrap_or_else(|error| {
                    let file = self.file.clone();
                    self.refuse(&file, error);
                    State::Done
                }),
                State::Archive(mut archive) => match archive.next() {
                    Some(entry) => {
                        self.take(&entry.name, entry.content, 1);
                        State::Archive(archive)
                    }
                    None => State::Done,
                },
                State::Done if self.ignored > 0 => {
                    return Some(Found::Ignored { files: std::mem::take(&mut self.ignored) });
                }
                State::Done => return None,
            };
        }
    }
}

/// Reads GPX, a drive for each track.
fn read_gpx(bytes: &[u8]) -> Result<Vec<Draft>, FileError> {
    let (file, tracks) = gpx::read_tracks(bytes).map_err(|error| match error {
        GpxError::TooLarge { .. } => FileError::TooLarge,
        error => FileError::damaged(error),
    })?;
    let mut drafts: Vec<Draft> = Vec::new();
    for track in tracks {
        let points = track.point_count;
        let is_route = track.fixes.is_empty() && file.problems.iter().any(|problem| problem.fault == Fault::NoTime);
        let without_time = if is_route { points } else { 0 };
        let (title, kind) = (track.name, track.kind);
        drafts.push(Draft { title, kind, fixes: track.fixes, points, without_time, ..Draft::default() });
    }
    // Problems have lines of the file, not of a track.
    if let Some(draft) = drafts.first_mut() {
        file.problems.iter().for_each(|problem| draft.note(|| problem.to_string()));
        draft.note_many(file.problem_count - file.problems.len(), || "and more".to_owned());
    }
    Ok(drafts)
}
