//! What a person or a program can want, and how it is done with the documents.
//!
//! A command is attempted as a whole. One that needs a document from storage or from the relay changes nothing, is
//! parked, and is attempted again when something has come.

mod driving;
mod garage;
mod meets;
mod published_blocks;
mod queue;
mod social;
mod tracks;

use automerge::Automerge;

pub(super) use self::queue::CommandQueue;
use crate::access::{MAX_LIFETIME_MS, read_bytes};
use crate::docs::open::{EditError, NewChange};
use crate::docs::{self, Visibility, drive, profile, published, settings};
use crate::handle;
use crate::id::{AccountId, DeviceKey, DocId};
use crate::privacy;
use crate::projection::Row;
use crate::replica::io::{Command, CommandError, Effect, Outcome, Topic};
use crate::replica::signing::{Signing, TokenTerms};
use crate::replica::view::TrackView;
use crate::replica::{Replica, opening};
use crate::session::client::Identity;
use crate::time::Now;
use crate::track::Stretch;
use crate::track::parts::merged;
use crate::wire::{DocKind, MAX_CHUNK_BYTES, grant_bytes, join_check};

/// Why an attempt ended.
enum Stop {
    /// The command is refused.
    Refused(CommandError),
    /// It is to be attempted again when something has come.
    Wait,
    /// Its answer comes from elsewhere.
    Elsewhere,
}

impl From<CommandError> for Stop {
    fn from(code: CommandError) -> Stop {
        Stop::Refused(code)
    }
}

impl Replica {
    pub(super) fn command(&mut self, now: Now, request: u32, command: Command) {
        match self.attempt(now, request, &command) {
            // What only shows something does not wait for the disk.
            Ok(doc) if matches!(command, Command::OpenDrive { .. } | Command::CloseDrive) => {
                self.output.effects.push(Effect::Settled { request, outcome: Outcome::Done { doc } });
            }
            Ok(doc) => {
                self.commands.settle_after(self.store.ticket(), request, Outcome::Done { doc });
                self.settle();
            }
            Err(Stop::Refused(code)) => {
                if let Command::OpenDrive { drive } = command {
                    self.opened = Some(TrackView::Unavailable { drive, code });
                    self.output.topics.insert(Topic::Track);
                }
                self.output.effects.push(Effect::Settled { request, outcome: Outcome::Refused { code } });
            }
            Err(Stop::Wait) => self.commands.wait(request, command),
            Err(Stop::Elsewhere) => {}
        }
    }

    pub(super) fn retry_parked(&mut self, now: Now) {
        for (request, command) in self.commands.take_waiting() {
            self.command(now, request, command);
        }
    }

    fn attempt(&mut self, now: Now, request: u32, command: &Command) -> Result<Option<DocId>, Stop> {
        match command {
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
            Command::SetPrivateEnds { drive, ends } => self.set_private_ends(*drive, *ends),
            Command::TakeBackRefused { drive, fixes, holds } => self.take_back_refused(*drive, fixes, *holds),
            Command::RenewLink { drive } => self.renew_link(*drive),
            Command::OpenDrive { drive } => self.open_drive(*drive),
            Command::CloseDrive => {
                self.opened = None;
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
            Command::Rsvp { meet, answer } => self.rsvp(now, *meet, *answer),
            Command::PutMeet { meet, fields, seen_at } => self.put_meet(now, *meet, fields, *seen_at),
            Command::AmendMeet { meet, seen, fields, seen_at } => self.amend_meet(now, *meet, seen, fields, *seen_at),
            Command::CancelMeet { meet, seen_at } => self.cancel_meet(now, *meet, *seen_at),
            Command::RenewMeetLink { meet, fields, seen_at } => self.renew_meet_link(now, *meet, fields, *seen_at),
            Command::GrantOrganiser { meet, account, may } => self.grant_organiser(*meet, *account, *may),
            Command::ReadToken => {
                let (relay, origin) = self.link.relay().ok_or(CommandError::RelayUnknown)?;
                let (account, expires_at) = (self.device.identity.account, self.link.relay_time(now) + TOKEN_MS);
                let bytes = read_bytes(&relay, &account, &self.device.identity.device, expires_at, &origin);
                let terms = TokenTerms { account, origin, expires_at, expires_here_at: now.wall + TOKEN_MS };
                self.sign(bytes, Signing::Token(request, terms));
                Err(Stop::Elsewhere)
            }
            Command::PutProfile { fields } => {
                check(fields.is_valid())?;
                if !fields.handle.is_empty() && handle::fold(&fields.handle).is_none() {
                    return Err(CommandError::BadHandle.into());
                }
                self.put_only(DocKind::Profile, &|doc| profile::put(doc, fields))
            }
            Command::PutSettings { fields } => self.put_only(DocKind::Settings, &|doc| settings::put(doc, fields)),
            Command::NameDevice { name } => {
                check(name.chars().count() <= 100)?;
                let device = self.device.identity.device;
                self.put_only(DocKind::Settings, &|doc| settings::name_device(doc, &device, name))
            }
            Command::GrantDevice { device } => {
                let device = DeviceKey(device.as_slice().try_into().map_err(|_| CommandError::Invalid)?);
                let bytes = grant_bytes(&self.device.identity.account, &device);
                self.sign(bytes, Signing::Grant(request, device));
                Err(Stop::Elsewhere)
            }
            Command::CheckGrant { grant } => {
                let linked = opening::read_grant(grant, &self.device.identity.device)?;
                let check = join_check(&linked.account, &linked.device, &linked.grant.granted_by);
                let outcome = Outcome::GrantChecked { account: linked.account, check };
                self.output.effects.push(Effect::Settled { request, outcome });
                Err(Stop::Elsewhere)
            }
            Command::JoinAccount { grant } => self.join_account(grant),
        }
    }

    /// Enters the account that a grant is for, if nothing here belongs to another.
    fn join_account(&mut self, grant: &[u8]) -> Result<Option<DocId>, Stop> {
        let linked = opening::read_grant(grant, &self.device.identity.device)?;
        if linked.device != self.device.identity.device {
            return Err(CommandError::ForeignGrant.into());
        }
        if linked.account == self.device.identity.account {
            return Ok(None);
        }
        if self.shelf.records().next().is_some() || self.recording.is_some() {
            return Err(CommandError::OtherAccount.into());
        }
        self.device.identity = Identity { account: linked.account, grant: Some(linked.grant), ..self.device.identity };
        opening::remember(&self.device.identity, &mut self.store);
        self.link.join(self.device.identity);
        // What is signed for the connection that ends proves nothing on the next.
        self.signatures.forget_proof();
        self.output.effects.push(Effect::Disconnect);
        self.output.topics.extend([Topic::Account, Topic::Status]);
        Ok(None)
    }

    fn edit_drive(&mut self, drive: DocId, edit: &drive::DriveEdit<'_>) -> Result<Option<DocId>, Stop> {
        let within = |text: Option<&str>, chars: usize| text.is_none_or(|text| text.chars().count() <= chars);
        check(within(edit.title, 200) && within(edit.notes, 10_000))?;
        if let Some(Some(car)) = &edit.car {
            self.expect(car, DocKind::Car)?;
        }
        self.ready(&drive, DocKind::Drive)?;
        let published = self.copy(&drive)?;
        if let Some(published) = &published {
            self.ready(published, DocKind::Published)?;
        }
        self.change_drive(drive, edit)?;
        if let Some(published) = published {
            let visibility = self.drive(&drive)?.visibility;
            self.change_published(drive, published, visibility)?;
        }
        Ok(Some(drive))
    }

    fn delete_drive(&mut self, drive: DocId) -> Result<Option<DocId>, Stop> {
        if self.recording.as_ref().is_some_and(|recording| recording.drive() == drive) {
            return Err(CommandError::NotFinished.into());
        }
        self.ready(&drive, DocKind::Drive)?;
        if let Some(published) = self.copy(&drive)? {
            self.ready(&published, DocKind::Published)?;
            self.change_published(drive, published, Visibility::Private)?;
        }
        self.change_drive(drive, &drive::DriveEdit { deleted: true, ..drive::DriveEdit::default() })?;
        Ok(Some(drive))
    }

    fn publish_drive(&mut self, drive: DocId, visibility: Visibility) -> Result<Option<DocId>, Stop> {
        self.ready(&drive, DocKind::Drive)?;
        let fields = self.drive(&drive)?.clone();
        if fields.ended_at.is_none() {
            return Err(CommandError::NotFinished.into());
        }
        let copy = match self.copy(&drive)? {
            Some(copy) => {
                self.ready(&copy, DocKind::Published)?;
                self.change_published(drive, copy, visibility)?;
                copy
            }
            None if visibility == Visibility::Private => match fields.published {
                Some(lost) => lost,
                None => return Ok(Some(drive)),
            },
            None => {
                // Whichever device publishes makes the same document: two copies could not both be withdrawn.
                let copy = DocId::of_copy(&self.device.identity.account, &drive, fields.renewals);
                self.make_copy(drive, &fields, copy, visibility)?;
                copy
            }
        };
        self.note_published(drive, copy, visibility, None)
    }

    /// Makes another copy with another id, and withdraws the one that there is: its link leads nowhere any more.
    fn renew_link(&mut self, drive: DocId) -> Result<Option<DocId>, Stop> {
        self.ready(&drive, DocKind::Drive)?;
        let fields = self.drive(&drive)?.clone();
        // Whose copy is lost, nobody sees: to publish it again is for its owner to say.
        let before = self.copy(&drive)?.ok_or(CommandError::NotFound)?;
        self.ready(&before, DocKind::Published)?;
        let renewals = fields.renewals.saturating_add(1);
        let copy = DocId::of_copy(&self.device.identity.account, &drive, renewals);
        self.make_copy(drive, &fields, copy, fields.visibility)?;
        self.change_published(drive, before, Visibility::Private)?;
        self.note_published(drive, copy, fields.visibility, Some(renewals))
    }

    /// Makes the published copy of a drive. Everything is checked before anything is written.
    fn make_copy(
        &mut self,
        drive: DocId,
        fields: &drive::DriveFields,
        copy: DocId,
        visibility: Visibility,
    ) -> Result<(), Stop> {
        if self.shelf.record(&copy).is_some_and(|record| record.is_here()) {
            self.ready(&copy, DocKind::Published)?;
            self.change_published(drive, copy, visibility)?;
            return Ok(());
        }
        let track = fields.track.ok_or(CommandError::Unreadable)?;
        self.whole(&track)?;
        let redacted = self.redact(&track, fields, visibility)?;
        // The copy's one change is the largest there is.
        let change = published::create(self.shelf.make(copy, DocKind::Published), &redacted).map_err(unreadable)?;
        if change.as_ref().is_some_and(|change| change.chunk.len() > MAX_CHUNK_BYTES) {
            self.shelf.unmake(&copy);
            return Err(CommandError::TooLongToPublish.into());
        }
        self.shelf.add_own(&mut self.store, copy, change);
        Ok(())
    }

    /// Says in a drive where its copy is and who may see it.
    fn note_published(
        &mut self,
        drive: DocId,
        copy: DocId,
        visibility: Visibility,
        renewals: Option<u32>,
    ) -> Result<Option<DocId>, Stop> {
        let published = Some((copy, visibility));
        self.change_drive(drive, &drive::DriveEdit { published, renewals, ..drive::DriveEdit::default() })?;
        Ok(Some(drive))
    }

    /// What others may see of a track, made anew.
    fn redact(
        &mut self,
        track: &DocId,
        fields: &drive::DriveFields,
        visibility: Visibility,
    ) -> Result<published::PublishedFields, Stop> {
        let stretches = self.stretches(track);
        // Where the drive ended cannot be hidden while that part of the track is still on the way from another device.
        if merged(&stretches).len() < fields.stats.map_or(0, |stats| stats.fixes as usize) {
            return Err(CommandError::TrackNotHere.into());
        }
        let redacted =
            privacy::redact(&stretches, fields.private_ends).map_err(|_| CommandError::NothingLeftToPublish)?;
        let blocks = published_blocks::pack(&redacted.fixes).ok_or(CommandError::TooLongToPublish)?;
        Ok(published::PublishedFields {
            title: fields.title.clone(),
            car: self.car_name(fields.car),
            started_at: redacted.started_at,
            utc_offset: fields.utc_offset,
            visibility,
            blocks,
        })
    }

    fn open_drive(&mut self, drive: DocId) -> Result<Option<DocId>, Stop> {
        let track = self.drive(&drive)?.track.ok_or(CommandError::Unreadable)?;
        if let Err(stop) = self.whole(&track) {
            if matches!(stop, Stop::Wait) {
                self.opened = Some(TrackView::Loading { drive });
                self.output.topics.insert(Topic::Track);
            }
            return Err(stop);
        }
        self.show_track(drive, &track);
        Ok(Some(drive))
    }

    /// Changes a document of which the account has only one.
    fn put_only(&mut self, kind: DocKind, put: &Put<'_>) -> Result<Option<DocId>, Stop> {
        self.put(only(&self.device.identity.account, kind), kind, put)?;
        self.output.topics.insert(Topic::Account);
        Ok(None)
    }

    /// Changes a document, or makes it if it is not here.
    fn put(&mut self, id: DocId, kind: DocKind, put: &Put<'_>) -> Result<(), Stop> {
        let record = self.shelf.record(&id);
        let is_new = record.is_none();
        if record.is_some_and(|record| record.is_here()) {
            self.ready(&id, kind)?;
        }
        match put(self.shelf.make(id, kind)) {
            Ok(None) if is_new => self.shelf.unmake(&id),
            change => self.shelf.add_own(&mut self.store, id, change.map_err(unreadable)?),
        }
        Ok(())
    }

    fn change_drive(&mut self, drive: DocId, edit: &drive::DriveEdit<'_>) -> Result<(), Stop> {
        let document = self.shelf.loaded(&drive).ok_or(CommandError::NotFound)?;
        let change = drive::change(document, edit).map_err(unreadable)?;
        self.shelf.add_own(&mut self.store, drive, change);
        self.output.topics.extend([Topic::Drives, Topic::Cars]);
        Ok(())
    }

    /// Brings a published copy up to date with its drive.
    fn change_published(&mut self, drive: DocId, copy: DocId, visibility: Visibility) -> Result<(), Stop> {
        let fields = self.drive(&drive)?.clone();
        let car = self.car_name(fields.car);
        let document = self.shelf.loaded(&copy).ok_or(CommandError::NotFound)?;
        let change = published::change(document, &fields.title, &car, visibility).map_err(unreadable)?;
        self.shelf.add_own(&mut self.store, copy, change);
        Ok(())
    }

    /// What is known of a drive that is on the lists.
    fn drive(&self, drive: &DocId) -> Result<&drive::DriveFields, CommandError> {
        match self.shelf.row(drive) {
            Some(Row::Drive(fields)) if !fields.deleted => Ok(fields),
            _ => Err(CommandError::NotFound),
        }
    }

    /// The published copy of a drive, see [`Replica::copy_of`].
    fn copy(&self, drive: &DocId) -> Result<Option<DocId>, CommandError> {
        Ok(self.copy_of(self.drive(drive)?))
    }

    pub(super) fn car_name(&self, car: Option<DocId>) -> String {
        match car.and_then(|car| self.shelf.row(&car)) {
            Some(Row::Car(fields, _)) => fields.name(),
            _ => String::new(),
        }
    }

    pub(super) fn stretches(&mut self, track: &DocId) -> Vec<Stretch> {
        self.shelf.loaded(track).map(|track| docs::track::stretches(track)).unwrap_or_default()
    }

    /// Makes sure that there is a document of this kind.
    fn expect(&self, doc: &DocId, kind: DocKind) -> Result<(), CommandError> {
        match self.shelf.record(doc) {
            Some(record) if record.kind == kind => Ok(()),
            _ => Err(CommandError::NotFound),
        }
    }

    /// Makes sure that what is here of a document is in memory.
    fn ready(&mut self, doc: &DocId, kind: DocKind) -> Result<(), Stop> {
        self.expect(doc, kind)?;
        if self.shelf.loaded(doc).is_some() {
            return Ok(());
        }
        if self.shelf.is_unreadable(doc) {
            if self.shelf.record(doc).is_some_and(|record| record.lacks_any()) && self.link.can_bring(doc) {
                self.link.want(*doc);
                return Err(Stop::Wait);
            }
            return Err(CommandError::Unreadable.into());
        }
        if !self.shelf.record(doc).is_some_and(|record| record.is_here()) {
            return Err(CommandError::NotFound.into());
        }
        self.read_document(*doc);
        Err(Stop::Wait)
    }

    /// Makes sure that a track is in memory, and all of it if the relay can be asked for what is missing.
    fn whole(&mut self, track: &DocId) -> Result<(), Stop> {
        self.expect(track, DocKind::Track)?;
        let record = self.shelf.record(track).expect("it was there a moment ago");
        if record.lacks_any() && self.link.can_bring(track) {
            self.link.want(*track);
            return Err(Stop::Wait);
        }
        if !record.is_here() {
            return Err(CommandError::TrackNotHere.into());
        }
        self.ready(track, DocKind::Track)
    }
}

/// How a command changes a document.
type Put<'a> = dyn Fn(&mut Automerge) -> Result<Option<NewChange>, EditError> + 'a;

/// How long a token for reads is good, milliseconds: half of what a relay allows, whose clock may be another.
const TOKEN_MS: i64 = MAX_LIFETIME_MS / 2;

/// The document of this kind that an account has only one of.
pub(super) fn only(account: &AccountId, kind: DocKind) -> DocId {
    DocId::only(account, if kind == DocKind::Profile { "profile" } else { "settings" })
}

fn check(valid: bool) -> Result<(), CommandError> {
    if valid { Ok(()) } else { Err(CommandError::Invalid) }
}

fn unreadable(_: EditError) -> CommandError {
    CommandError::Unreadable
}
