//! Writes everything of one account into an archive, for the right of its owner to a copy. ARCHIVE.md describes the layout; the
//! views as JSON are not part of it, because a relay has no views.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use automerge::Automerge;
use tempfile::NamedTempFile;
use tourismo_core::docs::{automerge_doc, drive, track};
use tourismo_core::fix::Fix;
use tourismo_core::id::{AccountId, DocId};
use tourismo_core::time::Timestamp;
use tourismo_core::track::parts::parts;
use tourismo_core::wire::DocKind;
use tourismo_import::write::account::{AccountWriteError, AccountWriter};

use super::MaintenanceError;
use crate::db::change_log::{self, ChunksOf};
use crate::db::data_file::{folder_of, sync_folder_of};
use crate::db::inbox::{self, Recorded};
use crate::db::sql::Connection;
use crate::db::{self, Location, accounts, documents};

/// Documents that are listed at once.
const PAGE: usize = 1_000;
/// Maximum size of the changes of a document, bytes.
const MAX_DOCUMENT_BYTES: u64 = 64 << 20;
/// The first and the last id.
const ALL: [DocId; 2] = [DocId::from_bytes([0; 16]), DocId::from_bytes([0xff; 16])];

/// A finished export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountExport {
    /// The number of documents in the archive.
    pub documents: u64,
    /// The number of drives among them.
    pub drives: u64,
    /// The number of positions in the archive that wait in the inbox of the account.
    pub inbox_fixes: u64,
    /// The documents that cannot be read, or whose track cannot. Phones of the account may still have them.
    pub missing: Vec<DocId>,
}

/// Writes an archive of one state of an account, also while the database is served. The file gets its name when it is
/// complete and on disk.
///
/// # Errors
/// [`MaintenanceError`] if the account is unknown, the database cannot be read, or the file exists or cannot be written.
pub async fn export_account(
    database: &Location,
    account: AccountId,
    exported_at: Timestamp,
    to: &Path,
) -> Result<AccountExport, MaintenanceError> {
    let failed = MaintenanceError::database(database.clone());
    if to.exists() {
        return Err(MaintenanceError::Exists { path: to.to_owned() });
    }
    let mut connection = db::connect_to_read(database).await.map_err(MaintenanceError::opening(database))?;
    if !db::has_current_schema(&mut connection).await.map_err(&failed)? {
        return Err(MaintenanceError::OtherVersion { database: database.clone() });
    }
    connection.begin_snapshot().await.map_err(&failed)?;
    if !accounts::exists(&mut connection, account).await.map_err(&failed)? {
        return Err(MaintenanceError::NoAccount { account });
    }
    let unwritten = MaintenanceError::io(to);
    let refused = |error: AccountWriteError| unwritten(std::io::Error::other(error));
    let partial = tempfile::Builder::new().prefix("tourismo-").suffix(".partial").tempfile_in(folder_of(to));
    let mut file: NamedTempFile = partial.map_err(&unwritten)?;
    let mut writer = AccountWriter::new();
    let mut export = AccountExport { documents: 0, drives: 0, inbox_fixes: 0, missing: Vec::new() };
    let [mut from, last] = ALL;
    loop {
        let page = documents::in_range(&mut connection, account, from, last, PAGE).await.map_err(&failed)?;
        for (heads, kind) in &page {
            let read = read(&mut connection, account, heads.doc, *kind).await.map_err(&failed)?;
            add(&mut writer, heads.doc, *kind, read, &mut export).map_err(&refused)?;
            file.write_all(&writer.take()).map_err(&unwritten)?;
        }
        match page.last().filter(|_| page.len() == PAGE).and_then(|(heads, _)| next(&heads.doc)) {
            Some(next) => from = next,
            None => break,
        }
    }
    let waiting = inbox::waiting(&mut connection, account).await.map_err(&failed)?;
    for (number, Recorded { recorder, fixes, .. }) in (1..).zip(waiting) {
        export.inbox_fixes += fixes.len() as u64;
        writer.add_inbox(number, &recorder, &fixes).map_err(&refused)?;
        file.write_all(&writer.take()).map_err(&unwritten)?;
    }
    connection.commit().await.map_err(&failed)?;
    connection.close().await.map_err(&failed)?;
    let end = writer.finish(account, exported_at, export.missing.clone()).map_err(&refused)?;
    file.write_all(&end).map_err(&unwritten)?;
    file.as_file().sync_all().map_err(&unwritten)?;
    file.persist_noclobber(to).map_err(|failed| unwritten(failed.error))?;
    sync_folder_of(to).map_err(&unwritten)?;
    Ok(export)
}

/// A document as it is exported.
enum Exported {
    Document(Box<Automerge>),
    Drive(Box<Drive>),
    /// Not part of an archive.
    Nothing,
    Unreadable,
}

struct Drive {
    fields: drive::DriveFields,
    document: Automerge,
    track: Automerge,
}

async fn read(
    connection: &mut Connection,
    account: AccountId,
    doc: DocId,
    kind: DocKind,
) -> Result<Exported, sqlx::Error> {
    if matches!(kind, DocKind::Track | DocKind::Published) {
        return Ok(Exported::Nothing);
    }
    let Some(document) = load(connection, account, doc).await? else { return Ok(Exported::Unreadable) };
    if kind != DocKind::Drive {
        return Ok(Exported::Document(Box::new(document)));
    }
    let fields = drive::read(&document);
    if fields.deleted || fields.ended_at.is_none() {
        return Ok(Exported::Nothing);
    }
    let Some(track) = fields.track else { return Ok(Exported::Unreadable) };
    Ok(match load(connection, account, track).await? {
        Some(track) => Exported::Drive(Box::new(Drive { fields, document, track })),
        None => Exported::Unreadable,
    })
}

/// Loads a document, if that is possible. Automerge may panic.
async fn load(connection: &mut Connection, account: AccountId, doc: DocId) -> Result<Option<Automerge>, sqlx::Error> {
    match change_log::chunks(connection, account, doc, MAX_DOCUMENT_BYTES, u64::MAX).await? {
        // This actor never writes.
        ChunksOf::Whole { chunks, .. } if !chunks.is_empty() => {
            let loaded = catch_unwind(AssertUnwindSafe(|| automerge_doc::load(&[0; 16], chunks)));
            Ok(loaded.ok().and_then(Result::ok))
        }
        ChunksOf::Whole { .. } | ChunksOf::TooMuch => Ok(None),
    }
}

fn add(
    writer: &mut AccountWriter,
    doc: DocId,
    kind: DocKind,
    read: Exported,
    export: &mut AccountExport,
) -> Result<(), AccountWriteError> {
    match read {
        Exported::Nothing => return Ok(()),
        Exported::Unreadable => {
            export.missing.push(doc);
            return Ok(());
        }
        Exported::Document(document) => {
            writer.add_document(kind, &doc, &automerge_doc::to_file(&document), None)?;
        }
        Exported::Drive(exported) => {
            let Drive { fields, document, track } = *exported;
            let recorded = automerge_doc::to_file(&track);
            writer.add_document(kind, &doc, &automerge_doc::to_file(&document), Some(&recorded))?;
            let parts = parts(&track::stretches(&track));
            let parts: Vec<&[Fix]> = parts.iter().map(|part| part.fixes.as_slice()).collect();
            writer.add_gpx(&doc, &fields.title, fields.started_at, &parts)?;
            export.drives += 1;
        }
    }
    export.documents += 1;
    Ok(())
}

/// Returns the next id.
fn next(doc: &DocId) -> Option<DocId> {
    let number = u128::from_be_bytes(*doc.as_bytes()).checked_add(1)?;
    Some(DocId::from_bytes(number.to_be_bytes()))
}
