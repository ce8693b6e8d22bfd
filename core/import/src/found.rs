//! The results of reading a file: drives, and files that cannot be read.

use serde::Serialize;
use serde_bytes::ByteBuf;
use sha2::{Digest, Sha256};
use tourismo_core::fix::{Fix, packed};
use tourismo_core::geodesy::{Bounds, Position, distance_m};
use tourismo_core::id::DocId;
use tourismo_core::kind::DocKind;
use tourismo_core::time::Timestamp;

/// Maximum size of a file, also in an archive, bytes: 50 hours of GPX at one fix a second are about 40 MB.
pub const MAX_BYTES: usize = 64 << 20;
/// Maximum number of fixes of a drive: 138 hours at one a second.
pub const MAX_FIXES: usize = 500_000;
/// Maximum number of listed problems of a drive; further ones are counted.
const MAX_PROBLEMS: usize = 20;
/// Maximum number of characters of a title; the rest is cut.
const MAX_TITLE: usize = 200;

/// A result of reading a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum Found {
    /// A drive.
    Drive(FoundDrive),
    /// A document of an archive of an account. They come in the order of an import: cars before drives.
    Document(FoundDocument),
    /// A file that cannot be read as a drive.
    Refused(RefusedFile),
    /// The last result of an archive with files of other formats, such as photos.
    Ignored {
        /// The number of these files.
        files: u32,
    },
}

/// A drive of a file.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct FoundDrive {
    /// The name of the file; in an archive its path there.
    pub file: String,
    /// The SHA-256 of `fixes`, which is the same under any name and in any archive.
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub source: ByteBuf,
    /// The title in the file; may be empty. At most 200 characters.
    pub title: String,
    /// The kind of activity in the file, such as "Ride"; may be empty.
    pub kind: String,
    /// The start.
    pub started_at: Timestamp,
    /// The end.
    pub ended_at: Timestamp,
    /// West, south, east, north, degrees, as RFC 7946 has it.
    pub bounds: [f64; 4],
    /// The length of the way through all fixes, metres. The recorder decides which of them count.
    pub distance_m: f64,
    /// The number of positions in the file, readable or not.
    pub points: u32,
    /// Whether their order in the file is not that of time.
    pub is_reordered: bool,
    /// The parts that could not be read; at most 20 are listed.
    pub problems: Vec<String>,
    /// The number of problems.
    pub problem_count: u32,
    /// The positions that have a time, in the order of time, as [`packed`] writes them.
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub fixes: ByteBuf,
}

/// A document of an archive of an account.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct FoundDocument {
    /// Its path in the archive.
    pub file: String,
    /// Its kind.
    pub kind: DocKind,
    /// Its id.
    pub id: DocId,
    /// The document as a file of Automerge.
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub bytes: ByteBuf,
    /// The track of a drive, likewise.
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array | null"))]
    pub track: Option<ByteBuf>,
}

/// A file that cannot be read.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RefusedFile {
    /// The name of the file; in an archive its path there.
    pub file: String,
    /// The reason.
    pub error: FileError,
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum FileError {
    /// The file has no bytes.
    #[error("the file is empty")]
    Empty,
    /// The format is unknown.
    #[error("the file has no format that can be read")]
    UnknownFormat,
    /// Larger than [`MAX_BYTES`], also after it was unpacked.
    #[error("the file is too large")]
    TooLarge,
    /// It unpacks to far more than files of drives do.
    #[error("the archive unpacks to too much")]
    Bomb,
    /// An archive with a password.
    #[error("the file is encrypted")]
    Encrypted,
    /// Damaged, cut short, or something else under the name of a format.
    #[error("the file is damaged: {detail}")]
    Damaged {
        /// The fault, in words of the parser.
        detail: String,
    },
    /// It has no position.
    #[error("the file has no position")]
    NoPositions,
    /// Its positions have no times: it is a route.
    #[error("the positions of the file have no times")]
    NoTimes,
    /// More fixes than [`MAX_FIXES`] in one drive.
    #[error("the drive has too many positions")]
    TooLong,
    /// An archive of an account from a later version of the app.
    #[error("the archive is from a later version of the app")]
    NewerVersion,
    /// Reading from the disk failed.
    #[error("the file cannot be read: {detail}")]
    Unreadable {
        /// The message of the system.
        detail: String,
    },
}

impl FileError {
    /// Returns the error of a damaged file.
    pub(crate) fn damaged(detail: impl ToString) -> FileError {
        FileError::Damaged { detail: detail.to_string() }
    }
}

/// A drive from the reader of one format: fixes in any order, and problems.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) title: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) fixes: Vec<Fix>,
    /// The number of positions, readable or not.
    pub(crate) points: usize,
    /// The number of positions without a time.
    pub(crate) without_time: usize,
    pub(crate) problems: Vec<String>,
    pub(crate) problem_count: usize,
}

impl Draft {
    /// Notes a problem. The text is made only if it is listed.
    pub(crate) fn note(&mut self, problem: impl FnOnce() -> String) {
        self.note_many(1, problem);
    }

    /// Notes `count` problems of which one text is listed.
    pub(crate) fn note_many(&mut self, count: usize, problem: impl FnOnce() -> String) {
        if count > 0 && self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem());
        }
        self.problem_count += count;
    }

    /// Adds a fix, or notes why it is invalid.
    pub(crate) fn add(&mut self, fix: Fix, place: impl FnOnce() -> String) {
        match fix.quantised() {
            Ok(fix) => self.fixes.push(fix),
            Err(invalid) => self.note(|| format!("{}: {invalid}", place())),
        }
    }

    /// Returns the drive.
    ///
    /// # Errors
    /// [`FileError`] if fewer than two of its positions can be used, or there are too many.
    pub(crate) fn drive(mut self, file: &str) -> Result<FoundDrive, FileError> {
        // A reader keeps fixes that the recorder counts as invalid, such as those at 0, 0.
        let fixes = self.fixes.iter_mut();
        fixes.for_each(|fix| *fix = Fix { recorded_at: fix.fixed_at, ..fix.quantised().unwrap_or(*fix) });
        let is_reordered = !self.fixes.is_sorted_by_key(|fix| fix.fixed_at);
        self.fixes.sort_by_key(|fix| fix.fixed_at);
        if self.fixes.len() > MAX_FIXES {
            return Err(FileError::TooLong);
        }
        let mut places = self.fixes.iter().filter(|fix| fix.quantised().is_ok()).map(Position::from).peekable();
        let (Some(first), Some(last)) = (self.fixes.first(), self.fixes.last()) else {
            return Err(if self.without_time > 0 { FileError::NoTimes } else { FileError::NoPositions });
        };
        let bounds = Bounds::around(places.clone()).ok_or(FileError::NoPositions)?;
        let mut way_m = 0.0;
        while let (Some(place), Some(next)) = (places.next(), places.peek()) {
            way_m += distance_m(place, *next);
        }
        if self.fixes.len() < 2 {
            return Err(if self.without_time > 0 { FileError::NoTimes } else { FileError::NoPositions });
        }
        let fixes = packed::pack(&self.fixes);
        Ok(FoundDrive {
            file: file.to_owned(),
            source: ByteBuf::from(Sha256::digest(&fixes).to_vec()),
            title: title(self.title.as_deref().unwrap_or_default()),
            kind: title(self.kind.as_deref().unwrap_or_default()),
            started_at: first.fixed_at,
            ended_at: last.fixed_at,
            bounds: bounds.as_bbox(),
            distance_m: way_m,
            points: self.points.max(self.fixes.len()) as u32,
            is_reordered,
            problems: self.problems,
            problem_count: self.problem_count as u32,
            fixes: ByteBuf::from(fixes),
        })
    }
}

/// Returns a text on one line, cut to the length of a title.
pub(crate) fn title(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().filter(|character| !character.is_control()).take(MAX_TITLE).collect()
}
