//! The commands of a user or a program, and their arguments.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{ArchivedDocument, DocumentRef, ImportCandidate};
use crate::docs::social::Relation;
use crate::docs::{Answer, CarFields, LogEntry, MeetFields, ProfileFields, Reaction, SettingsFields, Visibility};
use crate::id::{AccountId, DocId};
use crate::privacy::places::{PlaceKind, ZoneSize};
use crate::time::Timestamp;

/// A command of the user or of a program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(tag = "type"))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Command {
    /// Starts to record a new drive.
    StartDrive {
        /// The car it is driven with.
        car: Option<DocId>,
    },
    /// Pauses the recording.
    PauseDrive,
    /// Resumes the recording after a pause, or a drive that a killed app left unfinished.
    ResumeDrive,
    /// Continues on this device a drive that another device of the account has not finished. Fixes of that device stay
    /// separate in the track.
    TakeOverDrive {
        /// The drive.
        drive: DocId,
    },
    /// Makes a drive unfinished again that was resumed after a kill. Fixes since then are dropped; once some of them
    /// are packed, it cannot be undone ([`CommandError::NotFound`]).
    UndoResume,
    /// Ends the drive that is being recorded, paused or unfinished.
    FinishDrive,
    /// Ends the drive and deletes it, for example without any fix.
    DiscardDrive,
    /// Changes the fields that are not absent.
    EditDrive {
        /// The drive.
        drive: DocId,
        /// At most 200 characters.
        title: Option<String>,
        /// At most 10,000 characters.
        notes: Option<String>,
        /// The car it was driven with; `null` inside for none.
        #[serde(default, with = "double_option")]
        #[cfg_attr(feature = "ts", ts(type = "string | null", optional))]
        car: Option<Option<DocId>>,
    },
    /// Deletes a drive: removes it from every list on every device of the account, and from the relay's feeds.
    DeleteDrive {
        /// The drive.
        drive: DocId,
    },
    /// Makes the redacted copy of a finished drive, changes its visibility, or withdraws it with
    /// [`Visibility::Private`].
    PublishDrive {
        /// The drive.
        drive: DocId,
        /// The visibility of the copy.
        visibility: Visibility,
    },
    /// Adds a private place. What is published already and shows something of its zone is withdrawn and made again.
    AddPlace {
        /// Longitude and latitude, degrees.
        position: [f64; 2],
        /// The kind.
        kind: PlaceKind,
        /// The size of the zone; none only for an open place.
        size: ZoneSize,
    },
    /// Changes the kind of a private place and the size of its zone. A larger zone withdraws and makes again what is
    /// published; a smaller one concerns only what is published later.
    ChangePlace {
        /// The place.
        place: DocId,
        /// The kind.
        kind: PlaceKind,
        /// The size of the zone; none only for an open place.
        size: ZoneSize,
    },
    /// Attacks the published copies as others could, and says where an attacker would look for a private place. Nothing is
    /// changed.
    AttackProfile,
    /// Takes refused positions of a drive back, so that they count, or refuses them again.
    TakeBackRefused {
        /// The drive.
        drive: DocId,
        /// The ids of the positions: [`RefusedView::id`](crate::replica::views::RefusedView::id); at most 5,000.
        fixes: Vec<String>,
        /// Whether they count.
        holds: bool,
    },
    /// Gives the published copy of a drive another id and withdraws the present one: the old link shows nothing.
    /// Reactions and comments stay with the old copy.
    RenewLink {
        /// The drive.
        drive: DocId,
    },
    /// Imports a drive from the fixes of a file, with their own times, as if they were recorded live. If the same source was
    /// imported before, nothing changes, and the answer is the drive that is here. A deleted drive is imported again.
    ImportDrive {
        /// A digest of the source, 32 bytes: see [`ImportCandidate::source`].
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        source: ByteBuf,
        /// At most 200 characters.
        title: String,
        /// At most 10,000 characters.
        notes: String,
        /// The car it was driven with.
        car: Option<DocId>,
        /// The fixes in the order of time, 1 to 500,000, as [`crate::fix::packed`] writes them.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        fixes: ByteBuf,
    },
    /// Compares drives of files with those that are here. Changes nothing.
    CheckImport {
        /// The drives of files; at most 20,000.
        drives: Vec<ImportCandidate>,
    },
    /// Returns the accepted fixes of a drive for an export.
    ReadFixes {
        /// The drive.
        drive: DocId,
    },
    /// Lists the documents of an archive of this account.
    ListDocuments,
    /// Returns a whole document for an archive. It is fetched from the relay if it is not here.
    ReadDocument {
        /// The document.
        doc: DocId,
    },
    /// Compares documents of an archive with those that are here. Changes nothing.
    CheckDocuments {
        /// The documents; at most 100,000.
        documents: Vec<DocumentRef>,
    },
    /// Imports a document of an archive, also of another account. If it was imported before, nothing changes, and the answer
    /// is the document that is here. Cars must be imported before their drives.
    ImportDocument {
        /// The document.
        document: ArchivedDocument,
    },
    /// Loads the track of a drive, from this phone or from the relay, so that it can be read.
    OpenDrive {
        /// The drive.
        drive: DocId,
    },
    /// Releases the opened drive from memory.
    CloseDrive,
    /// Makes a car, or changes one.
    PutCar {
        /// The car to change; absent for a new one.
        car: Option<DocId>,
        /// All its fields.
        fields: CarFields,
    },
    /// Adds an entry to a car's logbook, or changes one.
    PutLogEntry {
        /// The car.
        car: DocId,
        /// The entry to change; absent for a new one.
        entry: Option<DocId>,
        /// All its fields.
        fields: LogEntry,
    },
    /// Removes an entry from a car's logbook.
    RemoveLogEntry {
        /// The car.
        car: DocId,
        /// The entry.
        entry: DocId,
    },
    /// Follows, accepts or blocks another account, or ends that. A blocked account is neither followed nor accepted.
    Relate {
        /// The other account.
        account: AccountId,
        /// The relation to it.
        relation: Relation,
        /// Whether the relation begins or ends.
        holds: bool,
    },
    /// Reacts to a published drive, or removes the reaction.
    React {
        /// The published copy.
        drive: DocId,
        /// The reaction; absent to remove it.
        reaction: Option<Reaction>,
    },
    /// Comments on a published drive.
    Comment {
        /// The published copy.
        drive: DocId,
        /// 1 to 2,000 characters.
        text: String,
    },
    /// Removes the account's own comment on a published drive.
    RemoveComment {
        /// The published copy.
        drive: DocId,
        /// The comment.
        comment: DocId,
    },
    /// Removes somebody's comment from the account's own published drive, or shows it again. Others no longer see it.
    HideComment {
        /// The published copy.
        drive: DocId,
        /// The author of the comment.
        account: AccountId,
        /// The comment.
        comment: DocId,
        /// Whether it is removed.
        hides: bool,
    },
    /// Makes a meet, or changes an own one.
    PutMeet {
        /// The meet to change; absent for a new one.
        meet: Option<DocId>,
        /// All its fields.
        fields: MeetFields,
        /// The time of the newest field that the user saw, as reported by the relay (`changedAt`): the change counts as
        /// later, whatever the clocks show.
        #[serde(default)]
        seen_at: Option<Timestamp>,
    },
    /// Changes another account's meet as a co-organiser. The fields that differ from the seen ones are changed.
    AmendMeet {
        /// The meet.
        meet: DocId,
        /// All its fields as the user saw them.
        seen: Box<MeetFields>,
        /// All its fields as the user wants them.
        fields: Box<MeetFields>,
        /// As in [`Command::PutMeet`].
        #[serde(default)]
        seen_at: Option<Timestamp>,
    },
    /// Cancels an own meet.
    CancelMeet {
        /// The meet.
        meet: DocId,
        /// As in [`Command::PutMeet`].
        #[serde(default)]
        seen_at: Option<Timestamp>,
    },
    /// Gives an own meet another link, by whose id others find it from then on: the old link shows nothing, and
    /// everybody must answer again. Co-organisers stay.
    RenewMeetLink {
        /// The meet.
        meet: DocId,
        /// All its fields as the user saw them, also those set by a co-organiser: they count under the new link.
        fields: MeetFields,
        /// As in [`Command::PutMeet`].
        #[serde(default)]
        seen_at: Option<Timestamp>,
    },
    /// Allows another account to change an own meet, or forbids it.
    GrantOrganiser {
        /// The meet.
        meet: DocId,
        /// The other account.
        account: AccountId,
        /// Whether it may change the meet.
        may: bool,
    },
    /// Answers a meet, or removes the answer.
    Rsvp {
        /// The meet.
        meet: DocId,
        /// The answer; absent to remove it.
        answer: Option<Answer>,
    },
    /// Makes a token with which this device reads from the relay for some hours.
    ReadToken,
    /// Changes the profile.
    PutProfile {
        /// All its fields.
        fields: ProfileFields,
    },
    /// Changes the settings.
    PutSettings {
        /// All its fields.
        fields: SettingsFields,
    },
    /// Sets or removes the name of this device in the account.
    NameDevice {
        /// At most 100 characters; empty for none.
        name: String,
    },
    /// Lets another device into the account.
    GrantDevice {
        /// Its Ed25519 public key, 32 bytes.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        device: ByteBuf,
    },
    /// Returns the account of a grant and the digits that the users of both devices compare.
    CheckGrant {
        /// The result of [`Command::GrantDevice`], here or on another device.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        grant: ByteBuf,
    },
    /// Make a new secret and its twelve words. Nothing is stored.
    NewRecoveryWords,
    /// Read twelve words that a person typed.
    ReadRecoveryWords {
        /// The words, with any blanks, commas or numbers between them.
        text: String,
    },
    /// Answer with what to ask the relay for, for the secret of a recovery key.
    LookUpRecovery {
        /// The secret.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        secret: ByteBuf,
    },
    /// Make a key that is computed from a secret a recovery key of the account. Done when it is stored here; it counts when the
    /// relay has it, or a week later: see [`crate::replica::views::MembersView`].
    EnrolRecovery {
        /// 16 random bytes, which twelve words stand for, or the 32 bytes that a passkey gives.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        secret: ByteBuf,
    },
    /// Object to a recovery key that does not count yet.
    ObjectToRecovery {
        /// The key, 32 bytes.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        key: ByteBuf,
    },
    /// Remove a key from the account, for good: a device, or with the secret of a recovery key also another recovery key.
    RemoveKey {
        /// The key, 32 bytes.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        key: ByteBuf,
        /// The secret of a recovery key, which signs in place of this device.
        #[serde(default)]
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array | null", optional))]
        secret: Option<ByteBuf>,
        /// Whether everything that the key let in goes, too. Only a recovery key can do that.
        #[serde(default)]
        removes_granted: bool,
    },
    /// Enter the account of a recovery key. Only a phone that holds nothing can.
    RecoverAccount {
        /// The account, as the relay tells it: see [`crate::membership::recovery_lookup`].
        account: AccountId,
        /// The secret of the recovery key.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        secret: ByteBuf,
    },
    /// Enters the account of a grant that another device made for this one. Only a phone without data can: its data
    /// belongs to the account that it has.
    JoinAccount {
        /// The result of [`Command::GrantDevice`] on that device.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        grant: ByteBuf,
    },
}

/// Distinguishes an absent field (no change) from `null` (set to none).
mod double_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        d: D,
    ) -> Result<Option<Option<T>>, D::Error> {
        Option::<T>::deserialize(d).map(Some)
    }

    pub(super) fn serialize<T: Serialize, S: Serializer>(value: &Option<Option<T>>, s: S) -> Result<S::Ok, S::Error> {
        value.as_ref().and_then(Option::as_ref).serialize(s)
    }
}
