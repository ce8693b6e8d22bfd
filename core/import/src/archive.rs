//! A zip archive, file by file, within limits.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::rc::Rc;

use zip::ZipArchive;
use zip::result::ZipError;

use crate::found::{FileError, MAX_BYTES};
use crate::strava::{self, Label};

/// Maximum number of files in an archive.
const MAX_FILES: usize = 100_000;
/// Maximum size of the list of files in an archive, bytes.
const MAX_DIRECTORY_BYTES: u64 = 64 << 20;
/// Maximum ratio of the unpacked to the packed size of a file.
const MAX_RATIO: u64 = 200;
/// A file of up to this unpacked size may have any ratio, bytes.
const ALWAYS_BYTES: u64 = 1 << 20;

/// An archive that is being read.
pub(crate) struct Archive<R> {
    zip: ZipArchive<Budget<R>>,
    next: usize,
    labels: BTreeMap<String, Label>,
    /// The number of bytes that may still be unpacked.
    left: u64,
}

/// A file of an archive.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) bytes: Result<Vec<u8>, FileError>,
    pub(crate) label: Option<Label>,
}

impl<R: Read + Seek> Archive<R> {
    /// Opens an archive.
    ///
    /// # Errors
    /// [`FileError`] if it is not an archive, has too many files, or has files that share bytes.
    pub(crate) fn open(mut reader: R) -> Result<Archive<R>, FileError> {
        let length = reader.seek(SeekFrom::End(0)).map_err(unreadable)?;
        let budget = Rc::new(Cell::new(Some(MAX_DIRECTORY_BYTES)));
        let mut zip = ZipArchive::new(Budget { reader, left: Rc::clone(&budget) }).map_err(damaged)?;
        if zip.len() > MAX_FILES || zip.has_overlapping_files().map_err(damaged)? {
            return Err(FileError::Bomb);
        }
        budget.set(None);
        let left = length.saturating_mul(MAX_RATIO).saturating_add(ALWAYS_BYTES);
        let mut archive = Archive { zip, next: 0, labels: BTreeMap::new(), left };
        if let Some(index) = archive.zip.index_for_name(strava::TABLE)
            && let Ok(table) = archive.bytes(index)
        {
            archive.labels = strava::labels(&table);
        }
        Ok(archive)
    }

    /// Returns the next file. Folders and hidden files of operating systems are skipped.
    pub(crate) fn next(&mut self) -> Option<Entry> {
        while self.next < self.zip.len() {
            let index = self.next;
            self.next += 1;
            let name = match self.zip.name_for_index(index) {
                Some(Ok(name)) => name.into_owned(),
                Some(Err(_)) | None => format!("file {}", index + 1),
            };
            let base = name.rsplit('/').next().unwrap_or_default();
            if name.ends_with('/') || base.starts_with('.') || name.starts_with("__MACOSX/") || name == strava::TABLE {
                continue;
            }
            let label = self.labels.get(&name).cloned();
            return Some(Entry { bytes: self.bytes(index), name, label });
        }
        None
    }

    fn bytes(&mut self, index: usize) -> Result<Vec<u8>, FileError> {
        let packed = self.zip.by_index_data(index).map_err(damaged)?;
        if packed.encrypted() {
            return Err(FileError::Encrypted);
        }
        let allowed = packed.compressed_size().saturating_mul(MAX_RATIO).max(ALWAYS_BYTES).min(self.left);
        if packed.size() > allowed {
            return Err(FileError::Bomb);
        }
        let read = read_limited(self.zip.by_index(index).map_err(damaged)?, allowed);
        self.left -= read.as_ref().map_or(allowed, |bytes| bytes.len() as u64).min(self.left);
        read
    }
}

/// Reads everything, up to the limits of a file.
///
/// # Errors
/// [`FileError::TooLarge`] beyond [`MAX_BYTES`], [`FileError::Bomb`] beyond `allowed` bytes, or why reading failed.
pub(crate) fn read_limited(reader: impl Read, allowed: u64) -> Result<Vec<u8>, FileError> {
    let most = allowed.min(MAX_BYTES as u64);
    let mut bytes = Vec::new();
    reader.take(most + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    match bytes.len() as u64 > most {
        true if most < allowed => Err(FileError::TooLarge),
        true => Err(FileError::Bomb),
        false => Ok(bytes),
    }
}

/// Unpacks a file of gzip.
pub(crate) fn gunzip(bytes: &[u8]) -> Result<Vec<u8>, FileError> {
    let allowed = (bytes.len() as u64).saturating_mul(MAX_RATIO).max(ALWAYS_BYTES);
    read_limited(flate2::read::MultiGzDecoder::new(bytes), allowed)
}

/// Converts an error of reading: damaged data, an exceeded limit, or a failure of the disk.
fn unreadable(error: io::Error) -> FileError {
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            FileError::damaged(error)
        }
        io::ErrorKind::QuotaExceeded => FileError::Bomb,
        _ => FileError::Unreadable { detail: error.to_string() },
    }
}

fn damaged(error: ZipError) -> FileError {
    match error {
        ZipError::Io(error) => unreadable(error),
        error => FileError::damaged(error),
    }
}

/// A reader with a limit that holds while the list of files is read: an archive may declare any number of files.
struct Budget<R> {
    reader: R,
    /// The number of bytes that may still be read; absent for any number.
    left: Rc<Cell<Option<u64>>>,
}

impl<R: Read> Read for Budget<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if let Some(left) = self.left.get() {
            self.left.set(Some(left.checked_sub(count as u64).ok_or(io::ErrorKind::QuotaExceeded)?));
        }
        Ok(count)
    }
}

impl<R: Seek> Seek for Budget<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.reader.seek(to)
    }
}
