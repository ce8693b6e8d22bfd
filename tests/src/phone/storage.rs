//! A phone's key-value storage: in memory, or in memory and in one append-only file.
//!
//! A frame of the file is one transaction: length and CRC-32 of its body (both little endian), then the body, its
//! operations one after another. A frame that a kill truncated is removed when the file is opened, so a transaction
//! exists as a whole or not at all. The file never becomes smaller, because these phones exist for a few drives only.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use tourismo_core::replica::io::{KeyRange, Space, StorageFailure, StoreOp, StoredEntry};

/// Why a file cannot be used as storage.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// Reading or writing failed.
    #[error("the phone's storage cannot be used: {0}")]
    Io(#[from] std::io::Error),
    /// Another process uses it.
    #[error("another process uses this phone")]
    InUse,
    /// The content of a whole frame is wrong.
    #[error("the phone's storage is no storage of a phone, from byte {at}")]
    Damaged {
        /// Its position.
        at: u64,
    },
}

/// The storage.
#[derive(Debug)]
pub struct Storage {
    entries: BTreeMap<(Space, Vec<u8>), Vec<u8>>,
    file: Option<Log>,
}

/// The file, and the length of its valid part.
#[derive(Debug)]
struct Log {
    file: File,
    length: u64,
}

impl Storage {
    /// Creates storage in memory only.
    pub fn in_memory() -> Storage {
        Storage { entries: BTreeMap::new(), file: None }
    }

    /// Opens storage in a file.
    ///
    /// # Errors
    /// [`StorageError`] if the file cannot be used, is in use, or is not such a file.
    pub fn in_file(path: &Path) -> Result<Storage, StorageError> {
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StorageError::InUse,
            TryLockError::Error(error) => StorageError::Io(error),
        })?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let mut storage = Storage::in_memory();
        let mut rest = bytes.as_slice();
        while let Some((body, after)) = next_frame(rest) {
            let at = (bytes.len() - rest.len()) as u64;
            for op in decode(body).ok_or(StorageError::Damaged { at })? {
                storage.apply(&op);
            }
            rest = after;
        }
        let length = (bytes.len() - rest.len()) as u64;
        if !rest.is_empty() {
            file.set_len(length)?;
            file.sync_all()?;
        }
        storage.file = Some(Log { file, length });
        Ok(storage)
    }

    /// Returns the entries with which a replica is opened.
    pub fn opening(&self) -> Vec<StoredEntry> {
        let wanted = self.entries.iter().filter(|((space, _), _)| Space::OPENING.contains(space));
        wanted.map(|((space, key), value)| entry(*space, key, value)).collect()
    }

    /// Returns the entries in these ranges, ascending in each.
    pub fn read(&self, ranges: &[KeyRange]) -> Vec<StoredEntry> {
        let in_range = |range: &KeyRange| {
            let (from, to) = ((range.space, range.from.clone()), (range.space, range.to.clone()));
            (from <= to).then(|| self.entries.range(from..=to)).into_iter().flatten()
        };
        ranges.iter().flat_map(in_range).map(|((space, key), value)| entry(*space, key, value)).collect()
    }

    /// Performs all operations or none. Returns when they are on disk.
    ///
    /// # Errors
    /// [`StorageFailure`] if the disk refuses; nothing is stored then.
    pub fn write(&mut self, ops: &[StoreOp]) -> Result<(), StorageFailure> {
        if let Some(log) = &mut self.file {
            log.append(&encode(ops)).map_err(|error| match error.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                    StorageFailure::QuotaExceeded
                }
                _ => StorageFailure::Unavailable,
            })?;
        }
        for op in ops {
            self.apply(op);
        }
        Ok(())
    }

    fn apply(&mut self, op: &StoreOp) {
        match op {
            StoreOp::Put(entry) => {
                self.entries.insert((entry.space, entry.key.clone()), entry.value.clone());
            }
            StoreOp::Delete(range) => {
                let (from, to) = ((range.space, range.from.clone()), (range.space, range.to.clone()));
                if from <= to {
                    self.entries.extract_if(from..=to, |_, _| true).for_each(drop);
                }
            }
        }
    }
}

impl Log {
    /// Writes after the valid part, so that the next attempt overwrites a failed one.
    fn append(&mut self, body: &[u8]) -> std::io::Result<()> {
        let frame = [&length(body), crc32fast::hash(body).to_le_bytes().as_slice(), body].concat();
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(&frame)?;
        self.file.sync_data()?;
        self.length += frame.len() as u64;
        Ok(())
    }
}

/// Writes a file that only its owner may read, and waits until it is on disk.
pub(super) fn write_secret(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn entry(space: Space, key: &[u8], value: &[u8]) -> StoredEntry {
    StoredEntry { space, key: key.to_vec(), value: value.to_vec() }
}

/// Returns the body of the first frame and the rest; none if there is no whole frame.
fn next_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let (body, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    (!body.is_empty() && crc32fast::hash(body) == u32::from_le_bytes(*crc)).then_some((body, rest))
}

/// Encodes each operation as its kind, its space, and two byte strings with their lengths.
fn encode(ops: &[StoreOp]) -> Vec<u8> {
    let mut body = Vec::new();
    for op in ops {
        let (kind, space, first, second) = match op {
            StoreOp::Put(StoredEntry { space, key, value }) => (0, space, key, value),
            StoreOp::Delete(KeyRange { space, from, to }) => (1, space, from, to),
        };
        body.extend([kind, number(*space)]);
        for bytes in [first, second] {
            body.extend(length(bytes));
            body.extend(bytes);
        }
    }
    body
}

fn decode(mut body: &[u8]) -> Option<Vec<StoreOp>> {
    let mut ops = Vec::new();
    while let Some(([kind, space], rest)) = body.split_first_chunk::<2>() {
        let space = *Space::OPENING.iter().chain(&[Space::Change]).find(|known| number(**known) == *space)?;
        body = rest;
        let mut string = || {
            let (length, rest) = body.split_first_chunk::<4>()?;
            let (bytes, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            body = rest;
            Some(bytes.to_vec())
        };
        let (first, second) = (string()?, string()?);
        ops.push(match kind {
            0 => StoreOp::Put(StoredEntry { space, key: first, value: second }),
            1 => StoreOp::Delete(KeyRange { space, from: first, to: second }),
            _ => return None,
        });
    }
    body.is_empty().then_some(ops)
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).expect("no transaction of a phone has 4 GiB").to_le_bytes()
}

/// Returns the number of a space in the file.
fn number(space: Space) -> u8 {
    match space {
        Space::Meta => 0,
        Space::Journal => 1,
        Space::Doc => 2,
        Space::Row => 3,
        Space::Change => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: u8) -> StoreOp {
        StoreOp::Put(entry(Space::Change, &[key], &[key, key]))
    }

    fn range(from: u8, to: u8) -> KeyRange {
        KeyRange { space: Space::Change, from: vec![from], to: vec![to] }
    }

    fn keys(storage: &Storage) -> Vec<u8> {
        storage.read(&[range(0, 255)]).iter().map(|entry| entry.key[0]).collect()
    }

    #[test]
    fn what_was_written_is_there_after_reopening_and_what_was_deleted_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut storage = Storage::in_file(&path).unwrap();
        storage.write(&[put(1), put(2), put(3)]).unwrap();
        storage.write(&[StoreOp::Delete(range(2, 3)), put(4), StoreOp::Delete(range(9, 5))]).unwrap();
        assert!(matches!(Storage::in_file(&path), Err(StorageError::InUse)));
        drop(storage);
        let storage = Storage::in_file(&path).unwrap();
        assert_eq!(keys(&storage), [1, 4]);
        assert!(storage.opening().is_empty());
    }

    #[test]
    fn a_transaction_torn_at_any_byte_is_not_there_at_all_and_the_next_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut storage = Storage::in_file(&path).unwrap();
        storage.write(&[put(1)]).unwrap();
        let whole = std::fs::read(&path).unwrap().len();
        storage.write(&[put(2), put(3)]).unwrap();
        drop(storage);
        let bytes = std::fs::read(&path).unwrap();
        for cut in whole..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let mut storage = Storage::in_file(&path).unwrap();
            assert_eq!(keys(&storage), [1], "cut at {cut}");
            storage.write(&[put(4)]).unwrap();
            drop(storage);
            assert_eq!(keys(&Storage::in_file(&path).unwrap()), [1, 4], "cut at {cut}");
        }
    }
}
