//! The checks before a command is applied: it is valid, and its documents are in memory.
//!
//! These checks only read, so that a refused or waiting command changes nothing.

use serde_bytes::ByteBuf;

use crate::docs::invalid::is_within;
use crate::docs::{self, Invalid, automerge_doc, drive, logbook, meet, published, settings, social};
use crate::fix::packed::BYTES_PER_FIX;
use crate::handle_name;
use crate::id::DocId;
use crate::projection::DocumentRow;
use crate::recovery::{PASSKEY_SECRET_BYTES, WORDS_SECRET_BYTES};
use crate::replica::Replica;
use crate::replica::commands::archive::{MAX_DOCUMENT_BYTES, MAX_DOCUMENTS};
use crate::replica::commands::importing::{MAX_CANDIDATES, MAX_IMPORTED_FIXES};
use crate::replica::commands::singleton_id;
use crate::replica::io::{ArchivedDocument, Command, CommandError, ImportCandidate};
use crate::replica::recording::Recording;
use crate::replica::views::RecordingState;
use crate::time::Timestamp;
use crate::wire::DocKind;

/// The reason why a command cannot be applied.
pub(super) enum Unmet {
    /// It is refused.
    Refused(CommandError),
    /// It is refused: a field has an invalid value.
    Invalid(Invalid),
    /// It needs a document from storage.
    Stored(DocId),
    /// It needs a document from the relay.
    Remote(DocId),
    /// It needs the recording of a killed app, whose recovery is in progress.
    Recovery,
    /// It must wait until every published copy was compared with the places.
    Redaction,
}

impl From<CommandError> for Unmet {
    fn from(code: CommandError) -> Unmet {
        Unmet::Refused(code)
    }
}

impl From<Invalid> for Unmet {
    fn from(invalid: Invalid) -> Unmet {
        Unmet::Invalid(invalid)
    }
}

impl Replica {
    /// Checks a command.
    pub(super) fn needs(&self, command: &Command) -> Result<(), Unmet> {
        let account = &self.device.identity.account;
        match command {
            Command::StartDrive { car } => {
                self.not_recording()?;
                car.iter().try_for_each(|car| Ok(self.require_kind(car, DocKind::Car)?))
            }
            Command::PauseDrive | Command::ResumeDrive | Command::UndoResume => self.recovered().map(drop),
            Command::FinishDrive | Command::DiscardDrive => {
                let drive = self.recovered()?.drive();
                match self.require_loaded(&drive, DocKind::Drive) {
                    // An unreadable or missing drive is replaced.
                    Err(Unmet::Refused(_)) => Ok(()),
                    ready => ready,
                }
            }
            Command::TakeOverDrive { drive } => {
                self.not_recording()?;
                self.require_loaded(drive, DocKind::Drive)?;
                let fields = self.drive(drive)?;
                let track = fields.track.ok_or(CommandError::Unreadable)?;
                if fields.ended_at.is_some() {
                    return Err(CommandError::NotRecording.into());
                }
                self.require_complete(&track)
            }
            Command::EditDrive { drive, title, notes, car } => {
                let is_short = |text: &Option<String>, chars| text.as_ref().is_none_or(|text| is_within(text, chars));
                Invalid::unless(is_short(title, 200), "title", "at most 200 characters")?;
                Invalid::unless(is_short(notes, 10_000), "notes", "at most 10,000 characters")?;
                if let Some(Some(car)) = car {
                    self.require_kind(car, DocKind::Car)?;
                }
                self.require_loaded(drive, DocKind::Drive)?;
                self.copy(drive)?.iter().try_for_each(|copy| self.require_loaded(copy, DocKind::Published))
            }
            Command::DeleteDrive { drive } => {
                if self.recording.as_ref().is_some_and(|recording| recording.drive() == *drive) {
                    return Err(CommandError::NotFinished.into());
                }
                self.require_loaded(drive, DocKind::Drive)?;
                self.copy(drive)?.iter().try_for_each(|copy| self.require_loaded(copy, DocKind::Published))
            }
            Command::PublishDrive { drive, visibility } => {
                self.require_loaded(drive, DocKind::Drive)?;
                let fields = self.drive(drive)?;
                if fields.ended_at.is_none() {
                    return Err(CommandError::NotFinished.into());
                }
                match self.documents.copy_of(fields) {
                    Some(copy) if *visibility == docs::Visibility::Private => {
                        self.require_loaded(&copy, DocKind::Published)
                    }
                    None if *visibility == docs::Visibility::Private => Ok(()),
                    Some(copy) => self.can_make_copy(fields, &copy),
                    None => self.can_make_copy(fields, &DocId::of_copy(account, drive, fields.renewals)),
                }
            }
            Command::RenewLink { drive } => {
                self.require_loaded(drive, DocKind::Drive)?;
                let fields = self.drive(drive)?;
                // If the copy is lost, nobody sees it. Only its owner may publish it again.
                let before = self.documents.copy_of(fields).ok_or(CommandError::NotFound)?;
                self.require_loaded(&before, DocKind::Published)?;
                self.can_make_copy(fields, &DocId::of_copy(account, drive, fields.renewals.saturating_add(1)))
            }
            Command::AddPlace { position, kind, size } => {
                settings::check_place(Some(*position), *kind, *size)?;
                self.has_room_for_a_place()?;
                self.ready_if_here(&self.settings_id(), DocKind::Settings)
            }
            Command::ChangePlace { place, kind, size } => {
                settings::check_place(None, *kind, *size)?;
                self.has_place(place)?;
                self.ready_if_here(&self.settings_id(), DocKind::Settings)
            }
            Command::TakeBackRefused { drive, fixes, holds: _ } => {
                Invalid::unless(fixes.len() <= docs::track::MAX_LISTED, "fixes", "at most 5,000 positions")?;
                self.require_loaded(drive, DocKind::Drive)?;
                self.require_complete(&self.drive(drive)?.track.ok_or(CommandError::Unreadable)?)
            }
            Command::ImportDrive { source, title, notes, car, fixes } => {
                Invalid::unless(source.len() == 32, "source", "a digest of 32 bytes")?;
                Invalid::unless(is_within(title, 200), "title", "at most 200 characters")?;
                Invalid::unless(is_within(notes, 10_000), "notes", "at most 10,000 characters")?;
                let is_whole = fixes.len() % BYTES_PER_FIX == 0 && !fixes.is_empty();
                let is_accepted = is_whole && fixes.len() / BYTES_PER_FIX <= MAX_IMPORTED_FIXES;
                Invalid::unless(is_accepted, "fixes", "1 to 500,000 fixes of 64 bytes")?;
                car.iter().try_for_each(|car| Ok(self.require_kind(car, DocKind::Car)?))
            }
            Command::CheckImport { drives } => {
                Invalid::unless(drives.len() <= MAX_CANDIDATES, "drives", "at most 20,000 drives")?;
                let is_digest = |drive: &ImportCandidate| drive.source.len() == 32;
                Ok(Invalid::unless(drives.iter().all(is_digest), "source", "a digest of 32 bytes")?)
            }
            Command::ReadFixes { drive } => {
                self.require_complete(&self.drive(drive)?.track.ok_or(CommandError::Unreadable)?)
            }
            Command::ReadDocument { doc } => {
                let record = self.documents.record(doc).ok_or(CommandError::NotFound)?;
                match record.kind {
                    // An archive has all of it or says that it is missing.
                    DocKind::Track if record.lacks_any() && !self.sync_client.can_fetch(doc) => {
                        Err(CommandError::TrackNotHere.into())
                    }
                    DocKind::Track => self.require_complete(doc),
                    kind => self.require_loaded(doc, kind),
                }
            }
            Command::CheckDocuments { documents } => {
                Ok(Invalid::unless(documents.len() <= MAX_DOCUMENTS, "documents", "at most 100,000 documents")?)
            }
            Command::ImportDocument { document: ArchivedDocument { kind, bytes, track, id: _ } } => {
                let is_accepted = |bytes: &ByteBuf| bytes.len() <= MAX_DOCUMENT_BYTES;
                Invalid::unless(is_accepted(bytes), "bytes", "at most 16 MiB")?;
                Invalid::unless(track.as_ref().is_none_or(is_accepted), "track", "at most 16 MiB")?;
                Invalid::unless(track.is_some() == (*kind == DocKind::Drive), "track", "the track of a drive")?;
                match kind {
                    DocKind::Settings | DocKind::Profile => self.ready_if_here(&singleton_id(account, *kind), *kind),
                    DocKind::Social => self.ready_if_here(&social::people(account), DocKind::Social),
                    DocKind::Car | DocKind::Drive | DocKind::Meet => Ok(()),
                    DocKind::Track | DocKind::Published => {
                        Err(Invalid { field: "kind", expected: "a kind of an archive" }.into())
                    }
                }
            }
            Command::OpenDrive { drive } => {
                self.require_complete(&self.drive(drive)?.track.ok_or(CommandError::Unreadable)?)
            }
            Command::PutCar { car, fields } => {
                fields.check()?;
                car.iter().try_for_each(|car| self.require_loaded(car, DocKind::Car))
            }
            Command::PutLogEntry { car, entry, fields } => {
                fields.check()?;
                self.require_loaded(car, DocKind::Car)?;
                let entries = match self.documents.row(car) {
                    Some(DocumentRow::Car(_, log)) => log.len(),
                    _ => 0,
                };
                let has_room = entry.is_some() || entries < logbook::MAX_ENTRIES;
                if has_room { Ok(()) } else { Err(CommandError::TooMany.into()) }
            }
            Command::RemoveLogEntry { car, entry: _ } => self.require_loaded(car, DocKind::Car),
            Command::Relate { account: other, .. } => {
                Invalid::unless(other != account, "account", "the account of somebody else")?;
                self.ready_if_here(&social::people(account), DocKind::Social)
            }
            Command::Comment { drive, text } => {
                let is_comment = !text.trim().is_empty() && is_within(text, social::MAX_COMMENT);
                Invalid::unless(is_comment, "text", "1 to 2,000 characters")?;
                self.ready_if_here(&social::about(account, drive), DocKind::Social)
            }
            Command::React { drive: thing, .. }
            | Command::RemoveComment { drive: thing, .. }
            | Command::HideComment { drive: thing, .. }
            | Command::Rsvp { meet: thing, .. } => self.ready_if_here(&social::about(account, thing), DocKind::Social),
            Command::PutMeet { meet, fields, seen_at } => {
                fields.check()?;
                check_seen(*seen_at)?;
                meet.iter().try_for_each(|meet| self.own_meet_ready(meet))
            }
            Command::RenewMeetLink { meet, fields, seen_at } => {
                fields.check()?;
                check_seen(*seen_at)?;
                self.own_meet_ready(meet)
            }
            Command::AmendMeet { meet, fields, seen_at, .. } => {
                fields.check()?;
                check_seen(*seen_at)?;
                self.ready_if_here(&meet::amendment(account, meet), DocKind::Meet)
            }
            Command::CancelMeet { meet, seen_at } => {
                check_seen(*seen_at)?;
                self.own_meet_ready(meet)
            }
            Command::GrantOrganiser { meet, account: other, .. } => {
                Invalid::unless(other != account, "account", "the account of somebody else")?;
                self.own_meet_ready(meet)
            }
            Command::PutProfile { fields } => {
                fields.check()?;
                if !fields.handle.is_empty() && handle_name::fold(&fields.handle).is_none() {
                    return Err(CommandError::BadHandle.into());
                }
                self.ready_if_here(&singleton_id(account, DocKind::Profile), DocKind::Profile)
            }
            Command::NameDevice { name } => {
                Invalid::unless(is_within(name, 100), "name", "at most 100 characters")?;
                self.ready_if_here(&singleton_id(account, DocKind::Settings), DocKind::Settings)
            }
            Command::PutSettings { .. } => {
                self.ready_if_here(&singleton_id(account, DocKind::Settings), DocKind::Settings)
            }
            Command::GrantDevice { device } => Ok(Invalid::unless(device.len() == 32, "device", "a key of 32 bytes")?),
            Command::LookUpRecovery { secret }
            | Command::EnrolRecovery { secret }
            | Command::RecoverAccount { secret, .. } => Ok(check_secret(secret)?),
            Command::ObjectToRecovery { key } => Ok(check_key(key)?),
            Command::RemoveKey { key, secret, .. } => {
                check_key(key)?;
                Ok(secret.as_ref().map_or(Ok(()), |secret| check_secret(secret))?)
            }
            Command::NewRecoveryWords
            | Command::ReadRecoveryWords { .. }
            | Command::AttackProfile
            | Command::ListDocuments
            | Command::CloseDrive
            | Command::ReadToken
            | Command::CheckGrant { .. }
            | Command::JoinAccount { .. } => Ok(()),
        }
    }

    fn not_recording(&self) -> Result<(), CommandError> {
        if self.recording.is_some() { Err(CommandError::AlreadyRecording) } else { Ok(()) }
    }

    /// Returns the recording, after the recovery of a killed app's.
    fn recovered(&self) -> Result<&Recording, Unmet> {
        let recording = self.recording.as_ref().ok_or(CommandError::NotRecording)?;
        if recording.state() == RecordingState::Recovering { Err(Unmet::Recovery) } else { Ok(recording) }
    }

    /// Checks that the published copy of a drive can be created, or changed if it is here.
    fn can_make_copy(&self, fields: &drive::DriveFields, copy: &DocId) -> Result<(), Unmet> {
        if self.documents.record(copy).is_some_and(|record| record.is_here()) {
            self.require_loaded(copy, DocKind::Published)?;
            // The places may make another one of it.
            self.redaction_settled()?;
            if self.documents.peek(copy).is_some_and(published::is_current) {
                return Ok(());
            }
        }
        self.require_complete(&fields.track.ok_or(CommandError::Unreadable)?)?;
        self.redaction_settled()
    }

    /// Checks that every published copy was compared with all places: what shows too much is withdrawn before anything is
    /// published.
    fn redaction_settled(&self) -> Result<(), Unmet> {
        if self.is_redaction_settled() { Ok(()) } else { Err(Unmet::Redaction) }
    }

    fn own_meet_ready(&self, meet: &DocId) -> Result<(), Unmet> {
        self.require_loaded(&self.document_of_meet(meet), DocKind::Meet)?;
        Ok(self.own_meet(meet).map(drop)?)
    }

    /// Checks that there is a document of this kind.
    pub(super) fn require_kind(&self, doc: &DocId, kind: DocKind) -> Result<(), CommandError> {
        match self.documents.record(doc) {
            Some(record) if record.kind == kind => Ok(()),
            _ => Err(CommandError::NotFound),
        }
    }

    /// Checks that a document's local changes are in memory.
    pub(super) fn require_loaded(&self, doc: &DocId, kind: DocKind) -> Result<(), Unmet> {
        self.require_kind(doc, kind)?;
        if self.documents.is_loaded(doc) {
            return Ok(());
        }
        let record = self.documents.record(doc).expect("it was there a moment ago");
        if self.documents.is_unreadable(doc) {
            let can_be_fetched = record.lacks_any() && self.sync_client.can_fetch(doc);
            return Err(if can_be_fetched { Unmet::Remote(*doc) } else { CommandError::Unreadable.into() });
        }
        Err(if record.is_here() { Unmet::Stored(*doc) } else { CommandError::NotFound.into() })
    }

    /// Checks that a document is in memory if it has local changes; otherwise the command creates it.
    fn ready_if_here(&self, doc: &DocId, kind: DocKind) -> Result<(), Unmet> {
        let is_here = self.documents.record(doc).is_some_and(|record| record.is_here());
        if is_here { self.require_loaded(doc, kind) } else { Ok(()) }
    }

    /// Checks that a track is in memory, and complete if the relay can be asked for the missing changes.
    fn require_complete(&self, track: &DocId) -> Result<(), Unmet> {
        self.require_kind(track, DocKind::Track)?;
        let record = self.documents.record(track).expect("it was there a moment ago");
        if record.lacks_any() && self.sync_client.can_fetch(track) {
            return Err(Unmet::Remote(*track));
        }
        if !record.is_here() {
            return Err(CommandError::TrackNotHere.into());
        }
        self.require_loaded(track, DocKind::Track)
    }
}

fn check_key(key: &[u8]) -> Result<(), Invalid> {
    Invalid::unless(key.len() == 32, "key", "a key of 32 bytes")
}

fn check_secret(secret: &[u8]) -> Result<(), Invalid> {
    let is_secret = matches!(secret.len(), WORDS_SECRET_BYTES | PASSKEY_SECRET_BYTES);
    Invalid::unless(is_secret, "secret", "the 16 bytes of twelve words, or the 32 bytes of a passkey")
}

/// Checks that an edit can be later than the one that its author had seen.
fn check_seen(seen_at: Option<Timestamp>) -> Result<(), Invalid> {
    let is_in_reach = |seen_at: Timestamp| automerge_doc::is_sane(&Timestamp(seen_at.as_millis().saturating_add(1)));
    Invalid::unless(seen_at.is_none_or(is_in_reach), "seenAt", "a time that a calendar can show")
}
