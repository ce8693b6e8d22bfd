//! A zip archive, file by file, within limits.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use zip::ZipArchive;
use zip::result::ZipError;

use crate::found::{FileError, MAX_BYTES};
use crate::strava::{self, Label};

/// The most files of an archive.
const MAX_FILES: usize = 100_000;
/// The list of files in an archive has at most so many bytes.
const MAX_DIRECTORY_BYTES: u64 = 64 << 20;
/// A file may unpack to so many times its size, and so many bytes.
const MAX_RATIO: u64 = 200;
const ALWAYS_BYTES: u64 = 1 << 20;

/// An archive that is being read.
pub(crate) struct Archive<R> {
    zip: ZipArchive<Budget<R>>,
    next: usize,
    labels: BTreeMap<String, Label>,
    /// How many bytes may still come out of it.
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
    /// [`FileError`] if it is none, or has too many files, or files that share their bytes.
    pub(crate) fn open(mut reader: R) -> Result<Archive<R>, FileError> {
        let length = reader.seek(SeekFrom::End(0)).map_err(unreadable)?;
        let mut zip = ZipArchive::new(Budget { reader, left: MAX_DIRECTORY_BYTES }).map_err(damaged)?;
        if zip.len() > MAX_FILES || zip.has_overlapping_files().map_err(damaged)? {
            return Err(FileError::Bomb);
        }
        let left = length.saturating_mul(MAX_RATIO).saturating_add(ALWAYS_BYTES);
        let mut archive = Archive { zip, next: 0, labels: BTreeMap::new(), left };
        if let Some(index) = archive.zip.index_for_name(strava::TABLE)
            && let Ok(table) = archive.bytes(index)
        {
            archive.labels = strava::labels(&table);
        }
        Ok(archive)
    }

    /// The next file that is not a folder, or a system's own.
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

/// Reads everything, unless that is more than a file may have.
///
/// # Errors
/// [`FileError::TooLarge`], [`FileError::Bomb`] with more than `allowed` bytes, and others.
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

/// Where the message of an error comes from: the disk, or the data.
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

/// A reader from which only so many bytes are read while the list of files is: an archive may declare any number of them.
struct Budget<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Budget<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or(io::ErrorKind::QuotaExceeded)?;
        Ok(count)
    }
}

impl<R: Seek> Seek for Budget<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.reader.seek(to)
    }
}
