//! The inputs, commands and effects of a replica. Shells pass these on and decide nothing.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::docs::social::Relation;
use crate::docs::{Answer, CarFields, LogEntry, MeetFields, ProfileFields, Reaction, SettingsFields, Visibility};
use crate::fix::Fix;
use crate::id::{AccountId, DocId};
use crate::privacy::places::{PlaceKind, ZoneSize};
use crate::recovery::WrongWords;
use crate::replica::views::LookView;
use crate::time::Timestamp;

/// An event for the replica.
// In JavaScript an object with a `type`, which the binding reads by itself, as it reads a `Command`: the `tag` of serde
// buffers every value and reads it twice, which makes the WASM a tenth larger.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(tag = "type"))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Input {
    /// The replica was just opened; the first input, exactly once.
    Start,
    /// The position sensor reported a measurement.
    Fix {
        /// The measurement as reported; it may be invalid. The recording sets its own `recorded_at`.
        fix: Fix,
        /// The arrival at the page by the monotonic clock of [`Now`](crate::time::Now), milliseconds; absent for the
        /// present time.
        #[serde(default)]
        #[cfg_attr(feature = "ts", ts(optional))]
        arrived_ms: Option<f64>,
    },
    /// The position sensor failed or is not allowed.
    SensorFailed {
        /// The reason.
        reason: SensorFailure,
    },
    /// A command of the user or of a program. Answered by [`Effect::Settled`] with the same `request`.
    Command {
        /// A number chosen by the caller, which is part of the answer.
        request: u32,
        /// The command.
        command: Command,
    },
    /// Answers [`Effect::Store`]: the transaction is on disk.
    Stored {
        /// The number of the transaction.
        batch: u32,
    },
    /// Answers [`Effect::Store`]: nothing of the transaction was stored.
    StoreFailed {
        /// The number of the transaction.
        batch: u32,
        /// The reason.
        failure: StorageFailure,
    },
    /// Answers [`Effect::Load`].
    Loaded {
        /// The number of the request.
        request: u32,
        /// The entries in the requested ranges, ascending in each range.
        entries: Vec<StoredEntry>,
    },
    /// Answers [`Effect::Load`]: reading failed. The replica requests it again.
    LoadFailed {
        /// The number of the request.
        request: u32,
        /// The reason.
        failure: StorageFailure,
    },
    /// Answers [`Effect::Sign`].
    Signed {
        /// The number of the request.
        request: u32,
        /// The Ed25519 signature, 64 bytes.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        signature: ByteBuf,
    },
    /// The UTC offset of the machine. Sent at the start, and before a drive begins.
    Zone {
        /// The offset ahead of UTC, minutes.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        utc_offset_min: i64,
    },
    /// The operating system reports that there is a network, or none.
    Network {
        /// Whether there is a network.
        online: bool,
    },
    /// The WebSocket is open.
    Connected {
        /// The origin that the shell dialled, as browsers write it: `https://relay.example` for
        /// `wss://relay.example/v1/sync`. A signature of the device is valid at this origin only, so it must not come
        /// from a message of the relay.
        origin: String,
    },
    /// A binary message arrived on the WebSocket.
    Received {
        /// Its bytes.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        bytes: ByteBuf,
    },
    /// The WebSocket could not be opened or was closed.
    Disconnected,
    /// The page was hidden: the recording is packed and stored at once.
    Hidden,
    /// The page was shown again.
    Shown,
    /// The time of [`Effect::SetTimer`] has come.
    Tick,
}

/// Why the position sensor reports nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum SensorFailure {
    /// The user or the browser does not allow it.
    Denied,
    /// There is no position at the moment.
    Unavailable,
    /// No position arrived in time.
    TimedOut,
}

/// Why storage failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum StorageFailure {
    /// There is no room.
    QuotaExceeded,
    /// The transaction was aborted.
    Aborted,
    /// The storage is closed, broken or not allowed here.
    Unavailable,
}

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

/// A drive of a file, to compare it with those that are here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ImportCandidate {
    /// The SHA-256 of its fixes, as [`crate::fix::packed`] writes them. It does not depend on the name of the file, or on the
    /// archive that has it.
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub source: ByteBuf,
    /// The start.
    pub started_at: Timestamp,
    /// The end.
    pub ended_at: Timestamp,
    /// West, south, east, north, degrees, as RFC 7946 has it.
    pub bounds: [f64; 4],
}

/// The comparison of a drive of a file with those that are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ImportMatch {
    /// No drive here is similar.
    New,
    /// It was imported before.
    Here {
        /// The drive.
        drive: DocId,
    },
    /// A drive that is here was driven at the same time in the same place.
    Overlaps {
        /// The drive.
        drive: DocId,
    },
    /// An earlier one of the same list is the same drive, or was driven at the same time in the same place.
    Repeated {
        /// Its index in the list.
        index: u32,
    },
}

/// The result of a command.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum CommandOutcome {
    /// The command is done, and its changes are on disk.
    Done {
        /// The drive, car, entry, comment or meet that was made or changed, if any.
        doc: Option<DocId>,
    },
    /// The grant that lets a device in: the argument of that device's [`Command::JoinAccount`], or its
    /// [`crate::replica::Bootstrap::grant`].
    Granted {
        /// Its bytes.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        grant: ByteBuf,
    },
    /// The contents of a grant.
    GrantChecked {
        /// The account that it lets a device into.
        account: AccountId,
        /// Twelve digits that both devices show if nobody intercepts the connection: see [`crate::wire::join_check`].
        check: String,
    },
    /// Answers [`Command::CheckImport`], in the same order.
    ImportChecked {
        /// One for each drive.
        found: Vec<ImportMatch>,
    },
    /// Where an attacker would look for a private place, the area with the most evidence first.
    Attacked {
        /// Empty if too few drives are shown.
        looks: Vec<LookView>,
    },
    /// The accepted fixes of a drive in the order of time.
    Fixes {
        /// In the format of [`crate::fix::packed`].
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        fixes: ByteBuf,
        /// The number of fixes in each part. There is a gap between two parts.
        parts: Vec<u32>,
    },
    /// A new secret and its words.
    RecoveryWords {
        /// 16 random bytes.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        secret: ByteBuf,
        /// The twelve words that stand for them.
        words: Vec<&'static str>,
    },
    /// The secret of a recovery key.
    RecoverySecret {
        /// Its bytes: 16 of words, 32 of a passkey.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        secret: ByteBuf,
        /// What to ask the relay for, hexadecimal: see [`crate::membership::recovery_lookup`].
        lookup: String,
    },
    /// The words cannot be read.
    WrongWords {
        /// What is wrong with them.
        wrong: WrongWords,
    },
    /// A token for reads.
    Token {
        /// Its bytes: [`crate::read_token::ReadToken`].
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        token: ByteBuf,
        /// The time from which on the relay refuses it, by this phone's clock.
        expires_at: Timestamp,
    },
    /// The command was refused; nothing changed.
    Refused {
        /// The reason.
        code: CommandError,
    },
    /// The command was refused because of a field; nothing changed.
    Invalid {
        /// The name of the field, as the command has it.
        field: &'static str,
        /// A description of the accepted values.
        expected: &'static str,
    },
    /// The change is in memory, but the storage failed. The phone tries again; the change is lost if the app ends
    /// before.
    NotStored {
        /// The reason.
        failure: StorageFailure,
    },
}

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum CommandError {
    /// A drive is already being recorded, paused or unfinished.
    #[error("a drive is already being recorded")]
    AlreadyRecording,
    /// No drive is being recorded.
    #[error("no drive is being recorded")]
    NotRecording,
    /// The drive is not finished yet.
    #[error("the drive is not finished")]
    NotFinished,
    /// The document does not exist, or is of another kind.
    #[error("the document does not exist or is of another kind")]
    NotFound,
    /// A text is too long, or a value is out of range.
    #[error("a value is too long or out of range")]
    Invalid,
    /// Too little of the drive would be left after its start and end are hidden.
    #[error("too little of the drive is left after its start and end are hidden")]
    NothingLeftToPublish,
    /// The drive is too long for a published copy, also with fewer fixes.
    #[error("the drive is too long to be published")]
    TooLongToPublish,
    /// The track is not on this phone and the relay cannot be reached.
    #[error("the track is not on this phone, and the relay cannot be reached")]
    TrackNotHere,
    /// The stored document cannot be read.
    #[error("the stored document cannot be read")]
    Unreadable,
    /// The grant cannot be read.
    #[error("the grant cannot be read")]
    BadGrant,
    /// The grant is for another device.
    #[error("the grant is for another device")]
    ForeignGrant,
    /// The grant is for another account than that of the data on this phone.
    #[error("this phone holds data of another account")]
    OtherAccount,
    /// Not a valid handle: see [`crate::handle_name`].
    #[error("a handle has 2 to 30 letters or digits, and dots, dashes or underscores between them")]
    BadHandle,
    /// The maximum number of follows, logbook entries or co-organisers is reached.
    #[error("the maximum number is reached")]
    TooMany,
    /// The phone has not connected to a relay yet, so a token cannot name one.
    #[error("this phone has not connected to its relay yet")]
    RelayUnknown,
    /// Fewer than two positions of an imported drive can be used.
    #[error("fewer than two positions can be used")]
    NothingToImport,
    /// Only a recovery key can do this.
    #[error("only a recovery key can do this")]
    RecoveryKeyNeeded,
    /// The secret is none of a recovery key that counts.
    #[error("this is no recovery key of the account")]
    NotARecoveryKey,
}

impl CommandError {
    /// Returns the stable code.
    pub fn code(self) -> &'static str {
        match self {
            CommandError::AlreadyRecording => "already_recording",
            CommandError::NotRecording => "not_recording",
            CommandError::NotFinished => "not_finished",
            CommandError::NotFound => "not_found",
            CommandError::Invalid => "invalid",
            CommandError::NothingLeftToPublish => "nothing_left_to_publish",
            CommandError::TooLongToPublish => "too_long_to_publish",
            CommandError::TrackNotHere => "track_not_here",
            CommandError::Unreadable => "unreadable",
            CommandError::BadGrant => "bad_grant",
            CommandError::ForeignGrant => "foreign_grant",
            CommandError::OtherAccount => "other_account",
            CommandError::BadHandle => "bad_handle",
            CommandError::TooMany => "too_many",
            CommandError::RelayUnknown => "relay_unknown",
            CommandError::NothingToImport => "nothing_to_import",
            CommandError::RecoveryKeyNeeded => "recovery_key_needed",
            CommandError::NotARecoveryKey => "not_a_recovery_key",
        }
    }
}

/// An effect for the shell to perform.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Effect {
    /// Perform all operations in one durable transaction and answer with [`Input::Stored`] or [`Input::StoreFailed`].
    /// At most one transaction is in progress.
    Store {
        /// The number of the transaction, which is part of the answer.
        batch: u32,
        /// The operations in order.
        ops: Vec<StoreOp>,
    },
    /// Read ranges of the storage and answer with [`Input::Loaded`] or [`Input::LoadFailed`].
    Load {
        /// The number of the request, which is part of the answer.
        request: u32,
        /// The ranges.
        ranges: Vec<KeyRange>,
    },
    /// Sign with the device's private key and answer with [`Input::Signed`].
    Sign {
        /// The number of the request, which is part of the answer.
        request: u32,
        /// The bytes to sign.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        bytes: Vec<u8>,
    },
    /// Open the WebSocket to the relay; answer with [`Input::Connected`] or [`Input::Disconnected`].
    Connect,
    /// Send a binary message on the WebSocket.
    Send {
        /// Its bytes.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        bytes: Vec<u8>,
    },
    /// Close the WebSocket. No [`Input::Disconnected`] is needed.
    Disconnect,
    /// Set the only timer, relative to the present time; a new one replaces the last. Answer with [`Input::Tick`].
    SetTimer {
        /// Milliseconds from now.
        in_ms: f64,
        /// The reason.
        why: &'static str,
    },
    /// A command has ended.
    Settled {
        /// The command's `request`.
        request: u32,
        /// Its result.
        outcome: CommandOutcome,
    },
    /// Views have changed; screens that show them must read them again.
    Changed {
        /// The views.
        topics: Vec<Topic>,
    },
}

/// A view that can change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Topic {
    /// [`crate::replica::views::RecordingView`].
    Recording,
    /// [`crate::replica::views::DriveView`]s.
    Drives,
    /// The opened drive's [`crate::replica::views::TrackView`].
    Track,
    /// [`crate::replica::views::CarView`]s.
    Cars,
    /// [`crate::replica::views::SocialView`].
    Social,
    /// [`crate::replica::views::MeetView`]s.
    Meets,
    /// Profile and settings.
    Account,
    /// [`crate::replica::views::MembersView`].
    Members,
    /// [`crate::replica::views::StatusView`].
    Status,
}

/// One of the key-value spaces of the phone's storage. In IndexedDB: one object store each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Space {
    /// Account, cursor, present recording. Read when the replica is opened.
    Meta,
    /// Fixes and marks that are not in a block yet. Read when the replica is opened.
    Journal,
    /// Records of documents. Read when the replica is opened.
    Doc,
    /// Projected rows. Read when the replica is opened.
    Row,
    /// Changes. Read when needed.
    Change,
}

impl Space {
    /// The spaces whose entries [`crate::replica::Replica::open`] requires.
    pub const OPENING: [Space; 4] = [Space::Meta, Space::Journal, Space::Doc, Space::Row];
}

/// One operation of a transaction.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum StoreOp {
    /// Set a key to a value.
    Put(StoredEntry),
    /// Remove every key of a range.
    Delete(KeyRange),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct StoredEntry {
    /// The space.
    pub space: Space,
    /// The key; keys sort bytewise.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub key: Vec<u8>,
    /// The value.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub value: Vec<u8>,
}

/// The keys from `from` up to and including `to`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct KeyRange {
    /// The space.
    pub space: Space,
    /// The first key.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub from: Vec<u8>,
    /// The last key.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
    pub to: Vec<u8>,
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
