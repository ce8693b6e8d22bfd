//! Writes an archive of an account: see `account` for its layout. Files are written one by one, and the caller takes the bytes
//! as they are made, so that the archive is never in memory as a whole.

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;

use tourismo_core::fix::Fix;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::kind::DocKind;
use tourismo_core::time::Timestamp;
use zip::ZipWriter;
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};

use crate::account::{self, FORMAT, MANIFEST, Manifest, VERSION};
use crate::found::title;
use crate::numbers::iso;
use crate::write::gpx;

/// Maximum number of characters of a title in the name of a file.
const MAX_NAME: usize = 80;

/// An archive that is being written.
pub struct AccountWriter {
    zip: ZipWriter<StreamWriter<Output>>,
    output: Output,
}

/// The bytes that the caller has not taken.
#[derive(Clone, Default)]
struct Output(Rc<Cell<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut output = self.0.take();
        output.extend_from_slice(bytes);
        self.0.set(output);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a file cannot be added to an archive.
#[derive(Debug, thiserror::Error)]
pub enum AccountWriteError {
    /// The kind of the document is not part of an archive.
    #[error("documents of kind {0:?} are not part of an archive")]
    Kind(DocKind),
    /// The archive refuses the file, such as one of a name that it has already.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// Compressing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Default for AccountWriter {
    fn default() -> AccountWriter {
        AccountWriter::new()
    }
}

impl AccountWriter {
    /// Begins an archive.
    pub fn new() -> AccountWriter {
        let output = Output::default();
        AccountWriter { zip: ZipWriter::new_stream(output.clone()), output }
    }

    /// Adds a document as a file of Automerge; for a drive also its track.
    ///
    /// # Errors
    /// [`AccountWriteError`]
    pub fn add_document(
        &mut self,
        kind: DocKind,
        id: &DocId,
        bytes: &[u8],
        track: Option<&[u8]>,
    ) -> Result<(), AccountWriteError> {
        let name = account::document_name(kind, id).ok_or(AccountWriteError::Kind(kind))?;
        self.add(&name, bytes)?;
        match track {
            Some(track) => self.add(&account::track_name(id), track),
            None => Ok(()),
        }
    }

    /// Adds the fixes of a drive as GPX, for other programs.
    ///
    /// # Errors
    /// [`AccountWriteError`]
    pub fn add_gpx(
        &mut self,
        id: &DocId,
        name: &str,
        started_at: Timestamp,
        parts: &[&[Fix]],
    ) -> Result<(), AccountWriteError> {
        let date = iso(started_at);
        let date = date.split('T').next().unwrap_or_default();
        let path = format!("gpx/{date} {}{id}.gpx", file_name(name));
        self.add(&path, gpx::write_parts(name, parts).as_bytes())
    }

    /// Adds the positions of a recorder that wait in the inbox as GPX. The number tells recorders of one name apart.
    ///
    /// # Errors
    /// [`AccountWriteError`]
    pub fn add_inbox(&mut self, number: usize, recorder: &str, fixes: &[Fix]) -> Result<(), AccountWriteError> {
        let path = format!("inbox/{}.gpx", format!("{number} {}", file_name(recorder)).trim_end());
        self.add(&path, gpx::write(recorder, fixes).as_bytes())
    }

    /// Adds a file of JSON, for people and other programs.
    ///
    /// # Errors
    /// [`AccountWriteError`]
    pub fn add_json(&mut self, name: &str, json: &str) -> Result<(), AccountWriteError> {
        self.add(&format!("json/{}.json", file_name(name).trim_end()), json.as_bytes())
    }

    /// Returns the bytes since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        self.output.0.take()
    }

    /// Ends the archive with its manifest. Returns the last bytes.
    ///
    /// # Errors
    /// [`AccountWriteError`]
    pub fn finish(
        mut self,
        account: AccountId,
        exported_at: Timestamp,
        missing: Vec<DocId>,
    ) -> Result<Vec<u8>, AccountWriteError> {
        let exported_at = iso(exported_at);
        let manifest = Manifest { format: FORMAT.to_owned(), version: VERSION, account, exported_at, missing };
        let manifest = serde_json::to_string_pretty(&manifest).map_err(io::Error::from)?;
        self.add(MANIFEST, manifest.as_bytes())?;
        let output = self.output.clone();
        self.zip.finish()?;
        Ok(output.0.take())
    }

    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), AccountWriteError> {
        self.zip.start_file(name, SimpleFileOptions::default())?;
        self.zip.write_all(bytes)?;
        Ok(())
    }
}

/// Returns a title as part of a file name for every system, with a space behind it; empty for an empty title.
fn file_name(text: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || matches!(character, '-' | ' ');
    let plain: String =
        title(text).chars().map(|character| if is_plain(character) { character } else { ' ' }).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let name: String = words.join(" ").chars().take(MAX_NAME).collect();
    if name.is_empty() { name } else { name + " " }
}
