//! What goes into a replica and what comes out: inputs, commands, effects. Shells translate these and decide nothing.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::docs::social::Relation;
use crate::docs::{Answer, CarFields, LogEntry, MeetFields, ProfileFields, Reaction, SettingsFields, Visibility};
use crate::fix::Fix;
use crate::id::{AccountId, DocId};
use crate::privacy::PrivateEnds;
use crate::time::Timestamp;

/// Something that happened, told to the replica.
// In JavaScript an object with a `type`, which the binding reads by itself, as it does a `Command`: serde's own `tag` buffers
// every value and reads it twice, which made the WASM a tenth larger.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(tag = "type"))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Input {
    /// The replica was just opened; comes first and once.
    Start,
    /// The position sensor measured.
    Fix {
        /// The measurement as the sensor gave it; it need not be valid. A recording has its own `recorded_at`.
        fix: Fix,
        /// When the page was given it, by the monotonic clock of [`Now`](crate::time::Now), milliseconds; absent for now.
        #[serde(default)]
        #[cfg_attr(feature = "ts", ts(optional))]
        arrived_ms: Option<f64>,
    },
    /// The position sensor failed or may not be used.
    SensorFailed {
        /// Why.
        reason: SensorFailure,
    },
    /// A person or a program wants something. Answered by [`Effect::Settled`] with the same `request`.
    Command {
        /// Chosen by the caller; comes back with the answer.
        request: u32,
        /// What is wanted.
        command: Command,
    },
    /// Answers [`Effect::Store`]: the transaction is on disk.
    Stored {
        /// Which transaction.
        batch: u32,
    },
    /// Answers [`Effect::Store`]: nothing of the transaction was stored.
    StoreFailed {
        /// Which transaction.
        batch: u32,
        /// Why.
        failure: StorageFailure,
    },
    /// Answers [`Effect::Load`].
    Loaded {
        /// Which request.
        request: u32,
        /// The entries in the ranges asked for, ascending in each range.
        entries: Vec<StoredEntry>,
    },
    /// Answers [`Effect::Load`]: nothing could be read. The replica asks again.
    LoadFailed {
        /// Which request.
        request: u32,
        /// Why.
        failure: StorageFailure,
    },
    /// Answers [`Effect::Sign`].
    Signed {
        /// Which request.
        request: u32,
        /// The Ed25519 signature, 64 bytes.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        signature: ByteBuf,
    },
    /// What the machine's clocks show where it is. Told at the start, and before a drive begins.
    Zone {
        /// How far they are ahead of UTC, in minutes.
        #[cfg_attr(feature = "ts", ts(type = "number"))]
        utc_offset_min: i64,
    },
    /// The machine believes that it has (or has no) network.
    Network {
        /// Whether it has.
        online: bool,
    },
    /// The WebSocket is open.
    Connected {
        /// The origin that the shell dialled, as browsers write it: `https://relay.example` for
        /// `wss://relay.example/v1/sync`. What the device signs is good there only, so it is never the relay's word.
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
    /// The page was hidden: what is recorded is packed and stored at once.
    Hidden,
    /// The page was shown again.
    Shown,
    /// The deadline of [`Effect::SetTimer`] has come.
    Tick,
}

/// Why the position sensor gives nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum SensorFailure {
    /// The person or the browser does not allow it.
    Denied,
    /// There is no position at the moment.
    Unavailable,
    /// No position came in time.
    TimedOut,
}

/// Why storage refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum StorageFailure {
    /// There is no room.
    QuotaExceeded,
    /// The transaction was aborted.
    Aborted,
    /// The storage is closed, dead or not allowed here.
    Unavailable,
}

/// What a person or a program wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(tag = "type"))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Command {
    /// Begin to record a new drive.
    StartDrive {
        /// The car it is driven with.
        car: Option<DocId>,
    },
    /// Record nothing for a while.
    PauseDrive,
    /// Go on: after a pause, or with a drive that a killed app left unfinished.
    ResumeDrive,
    /// Go on here with a drive that another device of the account has not finished. Whatever that one still records of it
    /// stays apart in the track.
    TakeOverDrive {
        /// The drive.
        drive: DocId,
    },
    /// Leave a drive unfinished again that went on after a killed app had left it behind. What came since is dropped; once
    /// some of that is packed, there is nothing to undo ([`CommandError::NotFound`]).
    UndoResume,
    /// End the drive that is being recorded, paused or left unfinished.
    FinishDrive,
    /// End it and take it off every list: nothing was measured, or nobody wants it.
    DiscardDrive,
    /// Change what is not absent.
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
    /// Take a drive off every list on every device of the account, and off the relay's feeds.
    DeleteDrive {
        /// The drive.
        drive: DocId,
    },
    /// Make or show the redacted copy of a finished drive, or withdraw it with [`Visibility::Private`].
    PublishDrive {
        /// The drive.
        drive: DocId,
        /// Who may see the copy.
        visibility: Visibility,
    },
    /// Say which ends of a drive are private places, and hidden in the copy that others may see. A copy that was made stays
    /// as it is.
    SetPrivateEnds {
        /// The drive.
        drive: DocId,
        /// The ends.
        ends: PrivateEnds,
    },
    /// Count refused positions of a drive as if they had been accepted, or no more.
    TakeBackRefused {
        /// The drive.
        drive: DocId,
        /// The names of the positions: [`RefusedView::id`](crate::replica::views::RefusedView::id); at most 5,000.
        fixes: Vec<String>,
        /// Whether they count.
        holds: bool,
    },
    /// Give the published copy of a drive another id, and withdraw the one that it has: whoever has the old link sees nothing
    /// any more. What others said about the copy stays with the old one.
    RenewLink {
        /// The drive.
        drive: DocId,
    },
    /// Bring the track of a drive into memory, from this phone or from the relay, so that it can be read.
    OpenDrive {
        /// The drive.
        drive: DocId,
    },
    /// Let the opened drive go from memory.
    CloseDrive,
    /// Make a car, or change one.
    PutCar {
        /// The car to change; absent for a new one.
        car: Option<DocId>,
        /// All its fields.
        fields: CarFields,
    },
    /// Write an entry into a car's logbook, or change one.
    PutLogEntry {
        /// The car.
        car: DocId,
        /// The entry to change; absent for a new one.
        entry: Option<DocId>,
        /// All its fields.
        fields: LogEntry,
    },
    /// Take an entry out of a car's logbook.
    RemoveLogEntry {
        /// The car.
        car: DocId,
        /// The entry.
        entry: DocId,
    },
    /// Follow, accept or block another account, or no more. Who is blocked is neither followed nor accepted.
    Relate {
        /// The other account.
        account: AccountId,
        /// How to be related to it.
        relation: Relation,
        /// Whether to be so or no more.
        holds: bool,
    },
    /// Say what one feels about a published drive, or take it back.
    React {
        /// The published copy.
        drive: DocId,
        /// What one feels; absent to take it back.
        reaction: Option<Reaction>,
    },
    /// Write a comment on a published drive.
    Comment {
        /// The published copy.
        drive: DocId,
        /// 1 to 2,000 characters.
        text: String,
    },
    /// Take back one's comment on a published drive.
    RemoveComment {
        /// The published copy.
        drive: DocId,
        /// The comment.
        comment: DocId,
    },
    /// Make a meet, or change one's own.
    PutMeet {
        /// The meet to change; absent for a new one.
        meet: Option<DocId>,
        /// All its fields.
        fields: MeetFields,
        /// When the newest of what the person saw was set, as the relay told it (`changedAt`): this is said after that, by
        /// whatever clock.
        #[serde(default)]
        seen_at: Option<Timestamp>,
    },
    /// Change somebody else's meet, whose owner allows it. What differs from what was seen is what is said.
    AmendMeet {
        /// The meet.
        meet: DocId,
        /// All its fields as the person saw them.
        seen: Box<MeetFields>,
        /// All its fields as the person wants them.
        fields: Box<MeetFields>,
        /// As in [`Command::PutMeet`].
        #[serde(default)]
        seen_at: Option<Timestamp>,
    },
    /// Say that one's own meet does not take place.
    CancelMeet {
        /// The meet.
        meet: DocId,
        /// As in [`Command::PutMeet`].
        #[serde(default)]
        seen_at: Option<Timestamp>,
    },
    /// Give one's own meet another link, by whose id others find it from then on: whoever has the old link sees nothing any more,
    /// and everybody has to answer again. Co-organisers stay what they are.
    RenewMeetLink {
        /// The meet.
        meet: DocId,
        /// All its fields as the person saw them, also those that a co-organiser set: they count under the new link.
        fields: MeetFields,
        /// As in [`Command::PutMeet`].
        #[serde(default)]
        seen_at: Option<Timestamp>,
    },
    /// Allow another account to change one's own meet, or no more.
    GrantOrganiser {
        /// The meet.
        meet: DocId,
        /// The other account.
        account: AccountId,
        /// Whether it may.
        may: bool,
    },
    /// Answer to a meet, or take the answer back.
    Rsvp {
        /// The meet.
        meet: DocId,
        /// The answer; absent to take it back.
        answer: Option<Answer>,
    },
    /// Make a token with which this device reads from the relay for some hours.
    ReadToken,
    /// Change the profile.
    PutProfile {
        /// All its fields.
        fields: ProfileFields,
    },
    /// Change the settings.
    PutSettings {
        /// All its fields.
        fields: SettingsFields,
    },
    /// Call this device by a name among those of the account, or by none.
    NameDevice {
        /// At most 100 characters; empty for none.
        name: String,
    },
    /// Let another device into the account.
    GrantDevice {
        /// Its Ed25519 public key, 32 bytes.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        device: ByteBuf,
    },
    /// Say what a grant is: into which account it lets a device, and what the people at both devices compare.
    CheckGrant {
        /// What a [`Command::GrantDevice`] gave, here or on another device.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        grant: ByteBuf,
    },
    /// Enter the account into which another device let this one. Only a phone that holds nothing can: what it holds
    /// belongs to the account that it has.
    JoinAccount {
        /// What that device's [`Command::GrantDevice`] gave.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        grant: ByteBuf,
    },
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum CommandOutcome {
    /// Done, and on disk.
    Done {
        /// The drive, car, entry, comment or meet that was made or changed, if it was one.
        doc: Option<DocId>,
    },
    /// The grant that lets a device in: what that device's [`Command::JoinAccount`], or its
    /// [`crate::replica::Bootstrap::grant`], wants.
    Granted {
        /// Its bytes.
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        grant: ByteBuf,
    },
    /// What a grant is.
    GrantChecked {
        /// The account that it lets a device into.
        account: AccountId,
        /// Twelve digits that both devices show if nobody stands between them: see [`crate::wire::join_check`].
        check: String,
    },
    /// A token for reads.
    Token {
        /// Its bytes: [`crate::read_token::ReadToken`].
        #[cfg_attr(feature = "ts", ts(type = "Uint8Array"))]
        token: ByteBuf,
        /// From when on the relay refuses it, by this phone's clock.
        expires_at: Timestamp,
    },
    /// Refused; nothing was changed.
    Refused {
        /// Why.
        code: CommandError,
    },
    /// Refused because of a field; nothing was changed.
    Invalid {
        /// The name of the field, as the command has it.
        field: &'static str,
        /// The values that are accepted, in words.
        expected: &'static str,
    },
    /// Done in memory, but this phone's storage refuses to keep it. It is tried again, and lost if the app ends before.
    NotStored {
        /// Why.
        failure: StorageFailure,
    },
}

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "snake_case")]
pub enum CommandError {
    /// A drive is being recorded, paused or unfinished already.
    #[error("a drive is being recorded already")]
    AlreadyRecording,
    /// Nothing is being recorded.
    #[error("nothing is being recorded")]
    NotRecording,
    /// The drive is not finished yet.
    #[error("the drive is not finished")]
    NotFinished,
    /// There is no such document, or it is of another kind.
    #[error("there is no such drive or car")]
    NotFound,
    /// A text is too long or a value out of range.
    #[error("a value is too long or out of range")]
    Invalid,
    /// Too little of the drive would be left after hiding its start and end.
    #[error("too little of the drive is left after hiding its start and end")]
    NothingLeftToPublish,
    /// The drive is too long for a copy that others may see, also with fewer fixes.
    #[error("the drive is too long to be published")]
    TooLongToPublish,
    /// The track is not on this phone and the relay cannot be reached.
    #[error("the track is not on this phone, and the relay cannot be reached")]
    TrackNotHere,
    /// What is stored of the document cannot be read.
    #[error("what is stored of the document cannot be read")]
    Unreadable,
    /// The grant cannot be read.
    #[error("the grant cannot be read")]
    BadGrant,
    /// The grant lets in another device than this one.
    #[error("the grant is for another device")]
    ForeignGrant,
    /// The grant is for another account than the one that this phone holds data of.
    #[error("this phone holds data of another account")]
    OtherAccount,
    /// The handle is none: see [`crate::handle_name`].
    #[error("a handle has 2 to 30 letters or digits, and dots, dashes or underscores between them")]
    BadHandle,
    /// There are as many of them as there may be: follows, entries of a logbook, co-organisers.
    #[error("there are as many of them as there may be")]
    TooMany,
    /// The drive has a published copy, which stays as it was made.
    #[error("the drive has a published copy, which stays as it was made")]
    AlreadyPublished,
    /// No relay has let this phone in yet, so that none can be named in a token.
    #[error("this phone has not met its relay yet")]
    RelayUnknown,
}

impl CommandError {
    /// The stable name of the error.
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
            CommandError::AlreadyPublished => "already_published",
            CommandError::RelayUnknown => "relay_unknown",
        }
    }
}

/// Something that the shell shall do.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Effect {
    /// Perform all operations in one durable transaction and answer with [`Input::Stored`] or [`Input::StoreFailed`].
    /// At most one is under way at a time.
    Store {
        /// Comes back with the answer.
        batch: u32,
        /// The operations in order.
        ops: Vec<StoreOp>,
    },
    /// Read ranges of the storage and answer with [`Input::Loaded`] or [`Input::LoadFailed`].
    Load {
        /// Comes back with the answer.
        request: u32,
        /// The ranges.
        ranges: Vec<KeyRange>,
    },
    /// Sign with the device's private key and answer with [`Input::Signed`].
    Sign {
        /// Comes back with the answer.
        request: u32,
        /// What to sign.
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
    /// Set the one timer to this time from now; a new one replaces the last. Answer with [`Input::Tick`].
    SetTimer {
        /// Milliseconds from now.
        in_ms: f64,
        /// What for.
        why: &'static str,
    },
    /// A command has ended.
    Settled {
        /// The command's `request`.
        request: u32,
        /// How.
        outcome: CommandOutcome,
    },
    /// What can be read has changed; whoever shows it reads it again.
    Changed {
        /// What.
        topics: Vec<Topic>,
    },
}

/// A thing that can be read and may change.
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
    /// [`crate::replica::views::StatusView`].
    Status,
}

/// One of the key-value spaces of the phone's storage. In IndexedDB: one object store each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum Space {
    /// Account, cursor, what is being recorded. Read when the replica is opened.
    Meta,
    /// Fixes and marks that are not in a block yet. Read when the replica is opened.
    Journal,
    /// What is known of each document. Read when the replica is opened.
    Doc,
    /// Projected rows. Read when the replica is opened.
    Row,
    /// Changes. Read when they are needed.
    Change,
}

impl Space {
    /// The spaces whose entries [`crate::replica::Replica::open`] wants.
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
    /// Where.
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
    /// Where.
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

/// Tells an absent field (change nothing) from `null` (set to none).
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
