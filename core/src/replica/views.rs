//! The views of a replica: plain values for screens, built on request.

pub(super) mod build;
pub mod search;

use serde::Serialize;

use crate::display::{Line, Profile};
use crate::docs::{
    Answer, CarFields, DriveConflict, LogItem, MeetFields, NamedDevice, ProfileFields, Reaction, SettingsFields,
    Visibility,
};
use crate::id::{AccountId, DocId};
use crate::membership::RecoveryState;
use crate::privacy::places::{PlaceKind, ZoneSize};
use crate::replica::io::{SensorFailure, StorageFailure};
use crate::roads::RoadView;
use crate::stats::DriveStats;
use crate::time::{Timestamp, UtcOffset};
use crate::track::Refusal;
use crate::wire::{ByeCode, NackCode};

/// The drive that is being recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RecordingView {
    /// The state of the recording.
    pub state: RecordingState,
    /// The last known time before the app was killed; while the drive is unfinished, and while the resumption can be
    /// undone.
    pub left_off_at: Option<Timestamp>,
    /// Whether the app should resume an unfinished drive by itself: it was interrupted in mid-drive, at most 10 minutes
    /// ago.
    pub resumes_itself: bool,
    /// Whether the drive was resumed a moment ago, so that [`crate::replica::io::Command::UndoResume`] can make it
    /// unfinished again.
    pub can_undo_resume: bool,
    /// The drive.
    pub drive: DocId,
    /// The car it is driven with.
    pub car: Option<DocId>,
    /// The start.
    pub started_at: Timestamp,
    /// The statistics so far.
    pub stats: DriveStats,
    /// Speed at the last accepted fix, metres per second; absent if unknown or older than 5 s.
    pub speed_mps: Option<f64>,
    /// The state of the position signal.
    pub signal: Signal,
    /// The number of fixes received since the app started.
    pub taken: u32,
    /// The number of these that are not on disk yet.
    pub unsaved: u32,
    /// The last accepted position, `[longitude, latitude]` in degrees.
    pub position: Option<[f64; 2]>,
    /// Why all recent positions are refused; absent while fixes are accepted. Refused positions are kept and can be
    /// taken back.
    pub not_recording: Option<Refusal>,
}

/// The state of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum RecordingState {
    /// The journal of a killed app is being read.
    Recovering,
    /// The app was killed: the drive can be resumed or finished.
    Unfinished,
    /// Fixes are recorded.
    Active,
    /// Fixes are ignored.
    Paused,
}

/// The state of the position signal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Signal {
    /// No fix has arrived yet.
    Waiting,
    /// Fixes arrive and are accepted.
    Good {
        /// 95 % radius of the last one, metres.
        accuracy_m: Option<f64>,
    },
    /// Fixes arrive but are too inaccurate. Kilometres mean that the phone reports approximate positions only.
    Inaccurate {
        /// 95 % radius of the last one, metres.
        accuracy_m: f64,
    },
    /// No fix for more than 5 s.
    Lost,
    /// The sensor failed.
    Failed {
        /// The reason.
        reason: SensorFailure,
    },
}

/// A drive in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DriveView {
    /// The drive.
    pub id: DocId,
    /// May be empty.
    pub title: String,
    /// May be empty.
    pub notes: String,
    /// The car it was driven with.
    pub car: Option<DocId>,
    /// The start.
    pub started_at: Timestamp,
    /// The UTC offset at the start, in minutes ahead of UTC; absent if unknown.
    pub utc_offset_min: Option<UtcOffset>,
    /// The end; absent while the drive is not finished.
    pub ended_at: Option<Timestamp>,
    /// The statistics.
    pub stats: Option<DriveStats>,
    /// Its road score; absent while the drive is not finished, and if its track was never on this phone.
    pub road: Option<RoadView>,
    /// West, south, east, north of its track, degrees, as in RFC 7946; absent if `road` is absent, and without any fix.
    pub bounds: Option<[f64; 4]>,
    /// The visibility of its published copy; private if the copy is lost.
    pub visibility: Visibility,
    /// The id of the published copy. Absent if the copy is lost: neither this phone nor the relay has it.
    pub published: Option<DocId>,
    /// Unresolved concurrent values of several devices.
    pub conflicts: Vec<DriveConflict>,
    /// Whether the drive was imported, not recorded.
    pub is_imported: bool,
    /// Where the drive is stored.
    pub sync: DriveSync,
}

/// Where a drive, its track and its published copy are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum DriveSync {
    /// Some changes are not in this phone's storage yet.
    Saving,
    /// Some changes are on this phone only.
    OnPhone {
        /// The number of changes that the relay has not acknowledged.
        changes: u32,
        /// Their size. After a relay was restored from a backup, lost changes are counted when they are sent.
        bytes: u32,
        /// The number of changes that are pushed and neither acknowledged nor refused.
        sent_changes: u32,
        /// Their size.
        sent_bytes: u32,
        /// The number of changes that the relay has acknowledged.
        acked_changes: u32,
    },
    /// The relay has acknowledged every change.
    OnRelay {
        /// Whether the track is also on this phone.
        track_here: bool,
    },
    /// The relay has acknowledged every change, and this phone is fetching missing ones.
    Fetching {
        /// The number of missing changes.
        changes: u32,
    },
    /// The relay refuses a change. It stays on this phone.
    Refused {
        /// The reason.
        code: NackCode,
    },
}

/// The opened drive's track.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum TrackView {
    /// The track is being read from storage or fetched from the relay.
    Loading {
        /// The drive.
        drive: DocId,
    },
    /// The track is loaded.
    Ready {
        /// The drive.
        drive: DocId,
        /// The line for a map.
        line: Line,
        /// The parts that a published copy hides, gaps as straight lines.
        hidden: Line,
        /// The distance that a published copy would show, metres; absent if that is too little to be published.
        shown_m: Option<f64>,
        /// The profile for charts.
        profile: Box<Profile>,
        /// Its road score.
        road: RoadView,
        /// The lines of the stretches in `road`, in their order.
        stretches: Vec<Line>,
        /// The refused positions, which are kept: the first 5,000. During a recording those of the last minute are
        /// missing.
        refused: Vec<RefusedView>,
    },
    /// The track cannot be shown.
    Unavailable {
        /// The drive.
        drive: DocId,
        /// The reason.
        code: crate::replica::io::CommandError,
    },
}

/// A refused position, which does not count unless it was taken back.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RefusedView {
    /// Its id, for [`TakeBackRefused`](crate::replica::io::Command::TakeBackRefused).
    pub id: String,
    /// The time of its arrival, by the clock of the recording.
    pub at: Timestamp,
    /// The position: longitude and latitude, degrees.
    pub place: [f64; 2],
    /// 95 % radius, metres.
    pub accuracy_m: Option<f64>,
    /// The reason of the refusal.
    pub reason: Refusal,
    /// Whether it was taken back and counts.
    pub is_taken_back: bool,
}

/// A car in the garage.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct CarView {
    /// The car.
    pub id: DocId,
    /// Its fields.
    pub fields: CarFields,
    /// The number of drives with it.
    pub drives: u32,
    /// The distance of these drives, metres.
    pub distance_m: f64,
    /// The expected reading of its odometer, metres: the newest reading in its logbook plus the drives that began after
    /// it.
    pub odometer_m: Option<f64>,
    /// Its logbook, the latest entry first.
    pub log: Vec<LogItem>,
}

/// The statements of the account about other accounts, drives and meets.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SocialView {
    /// The followed accounts, the latest first.
    pub follows: Vec<FollowView>,
    /// The accepted followers.
    pub accepted: Vec<AccountId>,
    /// The blocked accounts.
    pub blocked: Vec<AccountId>,
    /// Its reactions to published drives.
    pub reactions: Vec<ReactionView>,
    /// Its comments on published drives, the latest first.
    pub comments: Vec<CommentView>,
    /// Its answers to meets, the latest first.
    pub answers: Vec<AnswerView>,
    /// Comments of others that it removed from its published drives.
    pub hidden: Vec<HiddenCommentView>,
}

/// A comment that the account removed from its published drive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct HiddenCommentView {
    /// The published copy.
    pub drive: DocId,
    /// The author.
    pub account: AccountId,
    /// The comment.
    pub comment: DocId,
}

/// An account that the account follows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct FollowView {
    /// The followed account.
    pub account: AccountId,
    /// The time since when.
    pub since: Timestamp,
}

/// The account's reaction to a published drive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ReactionView {
    /// The published copy.
    pub drive: DocId,
    /// The reaction.
    pub reaction: Reaction,
}

/// A comment of the account on a published drive.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct CommentView {
    /// The comment.
    pub id: DocId,
    /// The published copy.
    pub drive: DocId,
    /// When it was written.
    pub at: Timestamp,
    /// 1 to 2,000 characters.
    pub text: String,
}

/// The account's answer to a meet.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct AnswerView {
    /// The meet.
    pub meet: DocId,
    /// The answer.
    pub answer: Answer,
    /// When it was given.
    pub at: Timestamp,
}

/// A meet of the account, or its amendment of another account's meet.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct MeetView {
    /// The id by which others find the meet, which changes when its link is renewed; for an amendment, the amended
    /// meet.
    pub id: DocId,
    /// Whether it is the account's own meet.
    pub own: bool,
    /// The fields as set by the account, without changes of co-organisers.
    pub fields: MeetFields,
    /// The fields that the account set, with their times: all fields of an own meet, the amended fields of an
    /// amendment.
    #[cfg_attr(feature = "ts", ts(type = "Array<[keyof MeetFields, Timestamp]>"))]
    pub said: Vec<(&'static str, Timestamp)>,
    /// Whether some changes are on this phone only.
    pub is_unsent: bool,
    /// The accounts that may also change it.
    pub organisers: Vec<AccountId>,
}

/// The account on this phone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    /// Its id.
    pub account: AccountId,
    /// Its public profile.
    pub profile: ProfileFields,
    /// Its settings.
    pub settings: SettingsFields,
    /// The public key of this device, hexadecimal.
    pub device: String,
    /// The devices of the account that have names, including this one if it has a name.
    pub devices: Vec<NamedDevice>,
    /// The private places of the account.
    pub places: Vec<PlaceView>,
}

/// A private place of the account.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PlaceView {
    /// The id.
    pub id: DocId,
    /// Longitude and latitude, degrees.
    pub position: [f64; 2],
    /// The kind.
    pub kind: PlaceKind,
    /// The size of the zone.
    pub size: ZoneSize,
    /// Whether it was found at a stop of a drive.
    pub is_found: bool,
    /// The disc inside which nothing is published; absent for an open place.
    pub zone: Option<ZoneView>,
}

/// An area in which an attacker would look for a private place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct LookView {
    /// The middle of the area that is searched first: longitude and latitude, degrees.
    pub position: [f64; 2],
    /// The land that holds the place with a probability of one half, square metres.
    pub searched_m2: f64,
    /// The number of ends of shown drives around it.
    pub ends: u32,
    /// The nearest private place, if one is within 2 km.
    pub place: Option<DocId>,
    /// How far the middle is from that place, metres.
    pub off_m: Option<f64>,
}

/// A disc inside which nothing is published. Its centre is not the place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ZoneView {
    /// Longitude and latitude of the centre, degrees.
    pub center: [f64; 2],
    /// The radius, metres.
    pub radius_m: f64,
}

/// The keys that may speak for the account, and those that may not any more.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct MembersView {
    /// Whether this device was removed from the account.
    pub is_removed: bool,
    /// The devices that this phone knows of, this one among them.
    pub devices: Vec<MemberView>,
    /// The recovery keys.
    pub recovery: Vec<RecoveryView>,
}

/// A device of the account.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct MemberView {
    /// Its public key, hexadecimal.
    pub key: String,
    /// Whether it was removed.
    pub is_removed: bool,
    /// The devices that it let in, hexadecimal. They stay when it is removed, except with a recovery key on request.
    pub granted: Vec<String>,
}

/// A recovery key of the account.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RecoveryView {
    /// The public key, hexadecimal.
    pub key: String,
    /// The key that enrolled it, hexadecimal.
    pub by: String,
    /// Whether it counts.
    pub state: RecoveryState,
}

/// The state of storage and sync.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    /// The phone's storage.
    pub storage: StorageStatus,
    /// The connection to the relay.
    pub link: LinkStatus,
    /// The number of changes that the relay has not acknowledged.
    pub unsent_changes: u32,
    /// Their size in bytes; see [`DriveSync::OnPhone`].
    pub unsent_bytes: u32,
    /// The number of documents with such changes.
    pub unsent_documents: u32,
    /// The number of changes that are pushed and neither acknowledged nor refused.
    pub sent_changes: u32,
    /// Their size in bytes.
    pub sent_bytes: u32,
    /// The number of documents that are being fetched or wait for it.
    pub fetching_documents: u32,
    /// The number of their missing changes.
    pub fetching_changes: u32,
    /// The number of documents on this phone or on the relay.
    pub documents: u32,
    /// The number of documents with refused changes.
    pub refused: u32,
    /// The reason for the first of them.
    pub refusal: Option<NackCode>,
}

/// The state of the phone's storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum StorageStatus {
    /// Everything is on disk.
    Saved,
    /// Some changes are being written.
    Saving,
    /// The last attempt failed; the phone tries again.
    Failing {
        /// The reason.
        failure: StorageFailure,
    },
}

/// The state of the connection to the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum LinkStatus {
    /// There is no connection.
    Offline,
    /// The phone is connecting.
    Connecting,
    /// Phone and relay exchange changes.
    Syncing,
    /// Phone and relay agree.
    UpToDate,
    /// The relay refused the phone, for a reason that may last; the phone tries again within a minute.
    Rejected {
        /// The reason.
        code: ByeCode,
    },
}
