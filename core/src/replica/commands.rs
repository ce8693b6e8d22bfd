//! Commands of the user or the app, and their application to documents.
//!
//! A command is checked as a whole before it is applied, see [`needs`]. A command that needs a document from storage or
//! from the relay waits, and is checked again after each arrival.

mod archive;
mod driving;
mod garage;
mod importing;
mod meets;
mod members;
mod needs;
mod places;
pub(super) mod published_blocks;
mod queue;
mod social;
mod tracks;

use automerge::Automerge;

pub(super) use self::members::refusal as statement_refusal;
use self::needs::Unmet;
pub(super) use self::queue::CommandQueue;
use crate::docs::automerge_doc::{EditError, NewChange};
use crate::docs::social::HiddenComment;
use crate::docs::{Invalid, Visibility, drive, profile, published, settings};
use crate::id::{AccountId, DeviceKey, DocId};
use crate::kind::IdRule;
use crate::projection::DocumentRow;
use crate::read_token::{MAX_LIFETIME_MS, read_bytes};
use crate::replica::io::{Command, CommandError, CommandOutcome, Effect, Topic};
use crate::replica::membership::Membership;
use crate::replica::signing::{Signing, TokenTerms};
use crate::replica::views::TrackView;
use crate::replica::{Replica, bootstrap, redacted_copy};
use crate::session::client::Identity;
use crate::time::Now;
use crate::wire::{DocKind, Grant, MAX_CHUNK_BYTES, grant_bytes, join_check};

/// The result of applying a command.
enum Applied {
    /// The command is complete in memory.
    Done(Option<DocId>),
    /// Another component answers.
    AnsweredElsewhere,
}

impl Replica {
    /// Applies a command, refuses it, or queues it until its documents are here.
    pub(super) fn command(&mut self, now: Now, request: u32, command: Command) {
        let applied = match self.needs(&command) {
            Ok(()) => self.apply(now, request, &command),
            Err(Unmet::Refused(code)) => Err(code),
            Err(Unmet::Invalid(Invalid { field, expected })) => {
                let outcome = CommandOutcome::Invalid { field, expected };
                return self.output.effects.push(Effect::Settled { request, outcome });
            }
            Err(Unmet::Stored(doc)) => {
                self.read_document(doc);
                return self.wait(request, command);
            }
            Err(Unmet::Remote(doc)) => {
                self.sync_client.request_fetch(doc);
                return self.wait(request, command);
            }
            Err(Unmet::Recovery) => return self.wait(request, command),
            Err(Unmet::Redaction) => return self.commands.wait_for_redaction(request, command),
        };
        match applied {
            // A command that changes only what is shown has nothing to write.
            Ok(Applied::Done(doc)) if matches!(command, Command::OpenDrive { .. } | Command::CloseDrive) => {
                self.output.effects.push(Effect::Settled { request, outcome: CommandOutcome::Done { doc } });
            }
            Ok(Applied::Done(doc)) => {
                self.commands.settle_after(self.writes.write_seq(), request, CommandOutcome::Done { doc });
                self.settle_commands();
            }
            Ok(Applied::AnsweredElsewhere) => {}
            Err(code) => {
                if let Command::OpenDrive { drive } = command {
                    self.output.opened = Some(TrackView::Unavailable { drive, code });
                    self.output.topics.insert(Topic::Track);
                }
                self.output.effects.push(Effect::Settled { request, outcome: CommandOutcome::Refused { code } });
            }
        }
    }

    /// Queues a command until its documents are here.
    fn wait(&mut self, request: u32, command: Command) {
        if let Command::OpenDrive { drive } = command {
            self.output.opened = Some(TrackView::Loading { drive });
            self.output.topics.insert(Topic::Track);
        }
        self.commands.wait(request, command);
    }

    /// Retries the commands that wait for a document.
    pub(super) fn retry_waiting(&mut self, now: Now) {
        for (request, command) in self.commands.take_waiting() {
            self.command(now, request, command);
        }
    }

    /// Applies a command whose needs are met.
    fn apply(&mut self, now: Now, request: u32, command: &Command) -> Result<Applied, CommandError> {
        let done = match command {
            Command::StartDrive { car } => self.start_drive(now, *car),
            Command::PauseDrive => self.pause_drive(now),
            Command::ResumeDrive => self.resume_drive(now),
            Command::TakeOverDrive { drive } => self.take_over_drive(now, *drive),
            Command::UndoResume => self.undo_resume(),
            Command::FinishDrive => self.finish_drive(now),
            Command::DiscardDrive => self.discard_drive(now),
            Command::EditDrive { drive, title, notes, car } => {
                let edit = drive::DriveEdit {
                    title: title.as_deref(),
                    notes: notes.as_deref(),
                    car: *car,
                    ..drive::DriveEdit::default()
                };
                self.edit_drive(*drive, &edit)
            }
            Command::DeleteDrive { drive } => self.delete_drive(*drive),
            Command::PublishDrive { drive, visibility } => self.publish_drive(*drive, *visibility),
            Command::AddPlace { position, kind, size } => self.add_place(*position, *kind, *size),
            Command::ChangePlace { place, kind, size } => self.change_place(*place, *kind, *size),
            Command::TakeBackRefused { drive, fixes, holds } => self.take_back_refused(*drive, fixes, *holds),
            Command::RenewLink { drive } => self.renew_link(*drive),
            Command::ImportDrive { source, title, notes, car, fixes } => {
                self.import_drive(now, source, &importing::Labels { title, notes, car: *car }, fixes)
            }
            Command::CheckImport { drives } => {
                let outcome = CommandOutcome::ImportChecked { found: self.check_import(drives) };
                return Ok(self.answer(request, outcome));
            }
            Command::AttackProfile => {
                self.reconcilers.attack.request(request, &self.documents);
                return Ok(Applied::AnsweredElsewhere);
            }
            Command::ReadFixes { drive } => {
                let outcome = self.read_fixes(*drive)?;
                return Ok(self.answer(request, outcome));
            }
            Command::ListDocuments => {
                let outcome = self.list_documents();
                return Ok(self.answer(request, outcome));
            }
            Command::ReadDocument { doc } => {
                let outcome = self.read_whole(doc)?;
                return Ok(self.answer(request, outcome));
            }
            Command::CheckDocuments { documents } => {
                let outcome = self.check_documents(documents);
                return Ok(self.answer(request, outcome));
            }
            Command::ImportDocument { document } => self.import_document(now, document),
            Command::OpenDrive { drive } => self.open_drive(*drive),
            Command::CloseDrive => {
                self.output.opened = None;
                self.output.topics.insert(Topic::Track);
                Ok(None)
            }
            Command::PutCar { car, fields } => self.put_car(now, *car, fields),
            Command::PutLogEntry { car, entry, fields } => self.put_log_entry(now, *car, *entry, fields),
            Command::RemoveLogEntry { car, entry } => self.remove_log_entry(*car, *entry),
            Command::Relate { account, relation, holds } => self.relate(now, *account, *relation, *holds),
            Command::React { drive, reaction } => self.react(*drive, *reaction),
            Command::Comment { drive, text } => self.comment(now, *drive, text),
            Command::RemoveComment { drive, comment } => self.remove_comment(*drive, *comment),
            Command::HideComment { drive, account, comment, hides } => {
                let hidden = HiddenComment { drive: *drive, account: *account, comment: *comment };
                self.hide_comment(hidden, *hides)
            }
            Command::Rsvp { meet, answer } => self.rsvp(now, *meet, *answer),
            Command::PutMeet { meet, fields, seen_at } => self.put_meet(now, *meet, fields, *seen_at),
            Command::AmendMeet { meet, seen, fields, seen_at } => self.amend_meet(now, *meet, seen, fields, *seen_at),
            Command::CancelMeet { meet, seen_at } => self.cancel_meet(now, *meet, *seen_at),
            Command::RenewMeetLink { meet, fields, seen_at } => self.renew_meet_link(now, *meet, fields, *seen_at),
            Command::GrantOrganiser { meet, account, may } => self.grant_organiser(*meet, *account, *may),
            Command::PutProfile { fields } => self.edit_singleton(DocKind::Profile, &|doc| profile::put(doc, fields)),
            Command::PutSettings { fields } => {
                self.edit_singleton(DocKind::Settings, &|doc| settings::put(doc, fields))
            }
            Command::NameDevice { name } => {
                let device = self.device.identity.device;
                self.edit_singleton(DocKind::Settings, &|doc| settings::name_device(doc, &device, name))
            }
            Command::JoinAccount { grant } => self.join_account(grant),
            Command::RecoverAccount { account, secret } => self.recover_account(*account, secret),
            Command::NewRecoveryWords => return self.new_recovery_words(request),
            Command::ReadRecoveryWords { text } => return self.read_recovery_words(request, text),
            Command::LookUpRecovery { secret } => return self.look_up_recovery(request, secret),
            Command::EnrolRecovery { secret } => return self.enrol_recovery(request, secret),
            Command::ObjectToRecovery { key } => return self.object_to_recovery(now, request, key),
            Command::RemoveKey { key, secret, removes_granted } => {
                return self.remove_key(now, request, key, secret.as_deref().map(Vec::as_slice), *removes_granted);
            }
            Command::ReadToken => return self.read_token(now, request),
            Command::GrantDevice { device } => {
                let device = DeviceKey(device.as_slice().try_into().map_err(|_| CommandError::Invalid)?);
                let bytes = grant_bytes(&self.device.identity.account, &device);
                self.sign(bytes, Signing::Grant(request, device));
                return Ok(Applied::AnsweredElsewhere);
            }
            Command::CheckGrant { grant } => {
                let linked = bootstrap::read_grant(grant, &self.device.identity.device)?;
                let check = join_check(&linked.account, &linked.device, &linked.grant.granted_by);
                let outcome = CommandOutcome::GrantChecked { account: linked.account, check };
                self.output.effects.push(Effect::Settled { request, outcome });
                return Ok(Applied::AnsweredElsewhere);
            }
        };
        done.map(Applied::Done)
    }

    /// Answers a command that changes nothing.
    fn answer(&mut self, request: u32, outcome: CommandOutcome) -> Applied {
        self.output.effects.push(Effect::Settled { request, outcome });
        Applied::AnsweredElsewhere
    }

    fn read_token(&mut self, now: Now, request: u32) -> Result<Applied, CommandError> {
        let (relay, origin) = self.sync_client.relay().ok_or(CommandError::RelayUnknown)?;
        let (account, expires_at) = (self.device.identity.account, self.sync_client.relay_time(now) + TOKEN_MS);
        let bytes = read_bytes(&relay, &account, &self.device.identity.device, expires_at, &origin);
        let terms = TokenTerms { account, origin, expires_at, expires_here_at: now.wall + TOKEN_MS };
        self.sign(bytes, Signing::Token(request, terms));
        Ok(Applied::AnsweredElsewhere)
    }

    /// Joins the account of a grant, if no document here belongs to another account.
    fn join_account(&mut self, grant: &[u8]) -> Result<Option<DocId>, CommandError> {
        let linked = bootstrap::read_grant(grant, &self.device.identity.device)?;
        if linked.device != self.device.identity.device {
            return Err(CommandError::ForeignGrant);
        }
        self.enter_account(linked.account, linked.grant)
    }

    /// Enters another account by a grant of this device, if nothing here belongs to another.
    fn enter_account(&mut self, account: AccountId, grant: Grant) -> Result<Option<DocId>, CommandError> {
        if account == self.device.identity.account {
            return Ok(None);
        }
        if self.documents.records().next().is_some() || self.recording.is_some() {
            return Err(CommandError::OtherAccount);
        }
        self.device.identity = Identity { account, grant: Some(grant), ..self.device.identity };
        bootstrap::store_identity(&self.device.identity, &mut self.writes);
        self.sync_client.join(self.device.identity);
        self.membership = Membership::open(self.device.identity, &[]);
        // The signature for the closing connection is invalid on the next one.
        self.device.signatures.forget_proof();
        self.output.effects.push(Effect::Disconnect);
        self.output.topics.extend([Topic::Account, Topic::Members, Topic::Status]);
        Ok(None)
    }

    fn edit_drive(&mut self, drive: DocId, edit: &drive::DriveEdit<'_>) -> Result<Option<DocId>, CommandError> {
        let published = self.copy(&drive)?;
        self.change_drive(drive, edit)?;
        if let Some(published) = published {
            let visibility = self.drive(&drive)?.visibility;
            self.change_published(drive, published, visibility)?;
        }
        Ok(Some(drive))
    }

    fn delete_drive(&mut self, drive: DocId) -> Result<Option<DocId>, CommandError> {
        if let Some(published) = self.copy(&drive)? {
            self.change_published(drive, published, Visibility::Private)?;
        }
        self.change_drive(drive, &drive::DriveEdit { deleted: true, ..drive::DriveEdit::default() })?;
        Ok(Some(drive))
    }

    fn publish_drive(&mut self, drive: DocId, visibility: Visibility) -> Result<Option<DocId>, CommandError> {
        let fields = self.drive(&drive)?.clone();
        let copy = match self.copy(&drive)? {
            Some(copy) => {
                self.show_copy(drive, &fields, copy, visibility)?;
                copy
            }
            None if visibility == Visibility::Private => match fields.published {
                Some(lost) => lost,
                None => return Ok(Some(drive)),
            },
            None => {
                // All devices compute the same id, since each copy would have to be withdrawn separately.
                let copy = DocId::of_copy(&self.device.identity.account, &drive, fields.renewals);
                self.make_copy(drive, &fields, copy, visibility)?;
                copy
            }
        };
        self.note_published(drive, copy, visibility, None)
    }

    /// Creates another copy with another id and withdraws the current one, so that its link shows nothing.
    fn renew_link(&mut self, drive: DocId) -> Result<Option<DocId>, CommandError> {
        let fields = self.drive(&drive)?.clone();
        let before = self.copy(&drive)?.ok_or(CommandError::NotFound)?;
        let renewals = fields.renewals.saturating_add(1);
        let copy = DocId::of_copy(&self.device.identity.account, &drive, renewals);
        self.make_copy(drive, &fields, copy, fields.visibility)?;
        self.change_published(drive, before, Visibility::Private)?;
        self.note_published(drive, copy, fields.visibility, Some(renewals))
    }

    /// Creates the published copy of a drive. Everything is checked before anything is written.
    fn make_copy(
        &mut self,
        drive: DocId,
        fields: &drive::DriveFields,
        copy: DocId,
        visibility: Visibility,
    ) -> Result<(), CommandError> {
        if self.documents.record(&copy).is_some_and(|record| record.is_here()) {
            return self.show_copy(drive, fields, copy, visibility);
        }
        let track = fields.track.ok_or(CommandError::Unreadable)?;
        let redacted = self.redact(&track, fields, visibility)?;
        // All blocks are in one change, whose size is limited.
        let change =
            published::create(self.documents.create(copy, DocKind::Published), &redacted).map_err(unreadable)?;
        if change.as_ref().is_some_and(|change| change.chunk.len() > MAX_CHUNK_BYTES) {
            self.documents.discard_new(&copy);
            return Err(CommandError::TooLongToPublish);
        }
        self.documents.add_own(&mut self.writes, copy, change);
        Ok(())
    }

    /// Records the copy and its visibility in the drive.
    fn note_published(
        &mut self,
        drive: DocId,
        copy: DocId,
        visibility: Visibility,
        renewals: Option<u32>,
    ) -> Result<Option<DocId>, CommandError> {
        let published = Some((copy, visibility));
        self.change_drive(drive, &drive::DriveEdit { published, renewals, ..drive::DriveEdit::default() })?;
        Ok(Some(drive))
    }

    /// Computes the public part of a track.
    fn redact(
        &mut self,
        track: &DocId,
        fields: &drive::DriveFields,
        visibility: Visibility,
    ) -> Result<published::PublishedFields, CommandError> {
        let places = self.documents.places(&self.device.identity.account).to_vec();
        redacted_copy::redact(&mut self.documents, track, fields, visibility, &places)
    }

    /// Shows an existing copy to others. One that is not current is made again.
    fn show_copy(
        &mut self,
        drive: DocId,
        fields: &drive::DriveFields,
        copy: DocId,
        visibility: Visibility,
    ) -> Result<(), CommandError> {
        let document = self.documents.loaded(&copy).ok_or(CommandError::NotFound)?;
        if visibility == Visibility::Private || published::is_current(document) {
            return self.change_published(drive, copy, visibility);
        }
        let track = fields.track.ok_or(CommandError::Unreadable)?;
        let redacted = self.redact(&track, fields, visibility)?;
        let document = self.documents.loaded(&copy).ok_or(CommandError::NotFound)?;
        let change = published::make_again(document, &redacted).map_err(unreadable)?;
        self.documents.add_own(&mut self.writes, copy, change);
        Ok(())
    }

    fn open_drive(&mut self, drive: DocId) -> Result<Option<DocId>, CommandError> {
        let track = self.drive(&drive)?.track.ok_or(CommandError::Unreadable)?;
        self.show_track(drive, &track);
        Ok(Some(drive))
    }

    /// Changes a document of which the account has only one.
    fn edit_singleton(&mut self, kind: DocKind, put: &DocumentEdit<'_>) -> Result<Option<DocId>, CommandError> {
        self.edit_or_create(singleton_id(&self.device.identity.account, kind), kind, put)?;
        self.output.topics.insert(Topic::Account);
        Ok(None)
    }

    /// Changes a document, or creates it if it is not here.
    fn edit_or_create(&mut self, id: DocId, kind: DocKind, put: &DocumentEdit<'_>) -> Result<(), CommandError> {
        let is_new = self.documents.record(&id).is_none();
        match put(self.documents.create(id, kind)) {
            Ok(None) if is_new => self.documents.discard_new(&id),
            change => self.documents.add_own(&mut self.writes, id, change.map_err(unreadable)?),
        }
        Ok(())
    }

    fn change_drive(&mut self, drive: DocId, edit: &drive::DriveEdit<'_>) -> Result<(), CommandError> {
        let document = self.documents.loaded(&drive).ok_or(CommandError::NotFound)?;
        let change = drive::change(document, edit).map_err(unreadable)?;
        self.documents.add_own(&mut self.writes, drive, change);
        self.output.topics.extend([Topic::Drives, Topic::Cars]);
        Ok(())
    }

    /// Updates a published copy with the fields of its drive.
    fn change_published(&mut self, drive: DocId, copy: DocId, visibility: Visibility) -> Result<(), CommandError> {
        let fields = self.drive(&drive)?.clone();
        let car = self.documents.car_name(fields.car);
        let document = self.documents.loaded(&copy).ok_or(CommandError::NotFound)?;
        let change = published::change(document, &fields.title, &car, visibility).map_err(unreadable)?;
        self.documents.add_own(&mut self.writes, copy, change);
        Ok(())
    }

    /// Returns the row of a drive that is listed.
    fn drive(&self, drive: &DocId) -> Result<&drive::DriveFields, CommandError> {
        match self.documents.row(drive) {
            Some(DocumentRow::Drive(fields)) if !fields.deleted => Ok(fields),
            _ => Err(CommandError::NotFound),
        }
    }

    /// Returns the published copy of a drive, see
    /// [`DocumentStore::copy_of`](crate::replica::documents::DocumentStore::copy_of).
    fn copy(&self, drive: &DocId) -> Result<Option<DocId>, CommandError> {
        Ok(self.documents.copy_of(self.drive(drive)?))
    }
}

/// The edit of a document by a command.
type DocumentEdit<'a> = dyn Fn(&mut Automerge) -> Result<Option<NewChange>, EditError> + 'a;

/// The lifetime of a read token in milliseconds: half of the maximum, since the relay's clock may differ.
const TOKEN_MS: i64 = MAX_LIFETIME_MS / 2;

/// Returns the id of the document of a kind of which an account has only one.
pub(super) fn singleton_id(account: &AccountId, kind: DocKind) -> DocId {
    let IdRule::OnlyOne(name) = kind.policy().id else { unreachable!("accounts have several documents of this kind") };
    DocId::only(account, name)
}

fn unreadable(_: EditError) -> CommandError {
    CommandError::Unreadable
}
