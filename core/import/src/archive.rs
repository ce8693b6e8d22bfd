//! A zip archive, file by file, within limits.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::rc::Rc;

use serde_bytes::ByteBuf;
use tourismo_core::id::DocId;
use tourismo_core::kind::DocKind;
use zip::ZipArchive;
use zip::result::ZipError;

use crate::account::{self, FORMAT, MANIFEST, Manifest, VERSION};
use crate::format::{Format, START_BYTES};
use crate::found::{Draft, FileError, FoundDocument, MAX_BYTES};
use crate::strava::{self, Label};
use crate::takeout;

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
    /// The documents that are still to be read, if it is an archive of an account: index, kind and id, the last one first.
    documents: Option<Vec<(usize, DocKind, DocId)>>,
    /// The number of bytes that may still be unpacked.
    left: u64,
}

/// A file of an archive.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) content: Result<Content, FileError>,
}

/// The content of a file of an archive.
pub(crate) enum Content {
    /// A file of any format, with its label if the archive has one.
    File { bytes: Vec<u8>, label: Option<Label> },
    /// The drives of a file that is too large to be in memory.
    Drafts(Vec<Draft>),
    /// A document of an archive of an account.
    Document(FoundDocument),
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
        let mut archive = Archive { zip, next: 0, labels: BTreeMap::new(), documents: None, left };
        if archive.is_of_account()? {
            archive.documents = Some(archive.list_documents());
        }
        if let Some(index) = archive.zip.index_for_name(strava::TABLE)
            && let Ok(table) = archive.bytes(index)
        {
            archive.labels = strava::labels(&table);
        }
        Ok(archive)
    }

    /// Returns whether it is an archive of an account.
    ///
    /// # Errors
    /// [`FileError::NewerVersion`] if this version cannot read it.
    fn is_of_account(&mut self) -> Result<bool, FileError> {
        let Some(index) = self.zip.index_for_name(MANIFEST) else { return Ok(false) };
        let manifest = self.bytes(index).ok().and_then(|bytes| serde_json::from_slice::<Manifest>(&bytes).ok());
        match manifest.filter(|manifest| manifest.format == FORMAT) {
            Some(manifest) if manifest.version > VERSION => Err(FileError::NewerVersion),
            manifest => Ok(manifest.is_some()),
        }
    }

    fn list_documents(&self) -> Vec<(usize, DocKind, DocId)> {
        let document = |index: usize| {
            let (order, kind, id) = account::document_of(&self.zip.name_for_index(index)?.ok()?)?;
            Some((order, index, kind, id))
        };
        let mut documents: Vec<_> = (0..self.zip.len()).filter_map(document).collect();
        documents.sort_by_key(|(order, index, ..)| std::cmp::Reverse((*order, *index)));
        documents.into_iter().map(|(_, index, kind, id)| (index, kind, id)).collect()
    }

    fn document(&mut self, index: usize, kind: DocKind, id: DocId, file: &str) -> Result<FoundDocument, FileError> {
        let bytes = self.bytes(index)?;
        let track = match kind {
            DocKind::Drive => {
                let index = self.zip.index_for_name(&account::track_name(&id));
                Some(self.bytes(index.ok_or_else(|| FileError::damaged("the track of the drive is missing"))?)?)
            }
            _ => None,
        };
        let (bytes, track) = (ByteBuf::from(bytes), track.map(ByteBuf::from));
        Ok(FoundDocument { file: file.to_owned(), kind, id, bytes, track })
    }

    /// Returns the next file. Folders and hidden files of operating systems are skipped, and in an archive of an account
    /// everything but documents.
    pub(crate) fn next(&mut self) -> Option<Entry> {
        if let Some(documents) = &mut self.documents {
            let (index, kind, id) = documents.pop()?;
            let name = account::document_name(kind, &id).unwrap_or_default();
            return Some(Entry { content: self.document(index, kind, id, &name).map(Content::Document), name });
        }
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
            let content = self.read(index, |reader, allowed| read_content(reader, allowed, label));
            return Some(Entry { content, name });
        }
        None
    }

    fn bytes(&mut self, index: usize) -> Result<Vec<u8>, FileError> {
        self.read(index, |reader, allowed| read_limited(reader, allowed))
    }

    /// Reads a file within its limit of bytes.
    fn read<T>(
        &mut self,
        index: usize,
        read: impl FnOnce(&mut dyn Read, u64) -> Result<T, FileError>,
    ) -> Result<T, FileError> {
        let packed = self.zip.by_index_data(index).map_err(damaged)?;
        if packed.encrypted() {
            return Err(FileError::Encrypted);
        }
        let allowed = packed.compressed_size().saturating_mul(MAX_RATIO).max(ALWAYS_BYTES).min(self.left);
        if packed.size() > allowed {
            return Err(FileError::Bomb);
        }
        // One more shows that there are more.
        let mut reader = self.zip.by_index(index).map_err(damaged)?.take(allowed + 1);
        let read = read(&mut reader, allowed);
        let count = allowed + 1 - reader.limit();
        self.left -= count.min(self.left);
        read
    }
}

/// Reads a file. A location history is read as a stream, any other file into memory.
pub(crate) fn read_content(mut reader: impl Read, allowed: u64, label: Option<Label>) -> Result<Content, FileError> {
    let mut start = Vec::new();
    reader.by_ref().take(START_BYTES as u64).read_to_end(&mut start).map_err(unreadable)?;
    let format = Format::of(&start);
    let whole = Cursor::new(start).chain(reader);
    if format == Some(Format::Records) {
        return Ok(Content::Drafts(takeout::read_records(whole)?));
    }
    Ok(Content::File { bytes: read_limited(whole, allowed)?, label })
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
