//! What a replica shows: plain values for interfaces, made on request.

pub(super) mod build;

use serde::Serialize;

use crate::display::{Line, Profile};
use crate::docs::{
    Answer, CarFields, DriveConflict, LogItem, MeetFields, NamedDevice, ProfileFields, Reaction, SettingsFields,
    Visibility,
};
use crate::id::{AccountId, DocId};
use crate::privacy::PrivateEnds;
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
    /// What the recording does.
    pub state: RecordingState,
    /// When the app was killed, as far as is known; while the drive is unfinished, and while its going on can be undone.
    pub left_off_at: Option<Timestamp>,
    /// Whether an unfinished drive is to go on by itself: it was left off in mid-drive, at most 10 minutes ago.
    pub resumes_itself: bool,
    /// Whether the drive went on a moment ago, so that [`crate::replica::io::Command::UndoResume`] leaves it unfinished again.
    pub can_undo_resume: bool,
    /// The drive.
    pub drive: DocId,
    /// The car it is driven with.
    pub car: Option<DocId>,
    /// When it began.
    pub started_at: Timestamp,
    /// What was driven so far.
    pub stats: DriveStats,
    /// Speed at the last accepted fix, metres per second; absent if unknown or older than 5 s.
    pub speed_mps: Option<f64>,
    /// The state of the position signal.
    pub signal: Signal,
    /// How many fixes have been taken in since the app started.
    pub taken: u32,
    /// How many of those are not on disk yet.
    pub unsaved: u32,
    /// The last accepted position, `[longitude, latitude]` in degrees.
    pub position: Option<[f64; 2]>,
    /// Why nothing is being recorded though positions come: all of late are refused. They are kept, and can be taken back.
    pub not_recording: Option<Refusal>,
}

/// What a recording does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum RecordingState {
    /// What was left behind by a killed app is being read.
    Recovering,
    /// Left behind by a killed app: to be resumed or finished.
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
    /// No fix has come yet.
    Waiting,
    /// Fixes come and are accepted.
    Good {
        /// 95 % radius of the last one, metres.
        accuracy_m: Option<f64>,
    },
    /// Fixes come, but too inaccurate ones. Kilometres mean that the phone gives only approximate positions.
    Inaccurate {
        /// 95 % radius of the last one, metres.
        accuracy_m: f64,
    },
    /// No fix for more than 5 s.
    Lost,
    /// The sensor failed.
    Failed {
        /// Why.
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
    /// When it began.
    pub started_at: Timestamp,
    /// What the clocks showed where it began, as minutes ahead of UTC; absent if nobody knew.
    pub utc_offset_min: Option<UtcOffset>,
    /// When it ended; absent while it is not finished.
    pub ended_at: Option<Timestamp>,
    /// What was driven.
    pub stats: Option<DriveStats>,
    /// How good its road is; absent while it is not finished, and where its track has not been on this phone.
    pub road: Option<RoadView>,
    /// West, south, east, north of its track, degrees, as RFC 7946 has it; absent where `road` is, and without any fix.
    pub bounds: Option<[f64; 4]>,
    /// Who may see its published copy; nobody if that is lost.
    pub visibility: Visibility,
    /// The published copy; its id on the relay. Absent if that is lost, since neither this phone nor the relay has it any more.
    pub published: Option<DocId>,
    /// Which of its ends are private places, and hidden in a published copy.
    pub private_ends: PrivateEnds,
    /// What several devices said of it at the same time, to be shown and settled.
    pub conflicts: Vec<DriveConflict>,
    /// Where it is.
    pub sync: DriveSync,
}

/// Where a drive, its track and its published copy are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum DriveSync {
    /// Something of it is not even in this phone's storage yet.
    Saving,
    /// Something of it is on this phone only.
    OnPhone {
        /// How many changes the relay has not acknowledged.
        changes: u32,
        /// Their size. After a relay was restored from a backup, the size of what it lost is counted as it is sent.
        bytes: u32,
        /// How many of them are on their way: pushed, and neither acknowledged nor refused.
        sent_changes: u32,
        /// Their size.
        sent_bytes: u32,
        /// How many changes the relay has acknowledged.
        acked_changes: u32,
    },
    /// The relay has acknowledged all of it.
    OnRelay {
        /// Whether the track is on this phone, too.
        track_here: bool,
    },
    /// The relay has acknowledged all of it, and this phone is fetching what it lacks.
    Fetching {
        /// How many changes are still to come.
        changes: u32,
    },
    /// The relay refuses something of it. It stays on this phone.
    Refused {
        /// Why.
        code: NackCode,
    },
}

/// The opened drive's track.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum TrackView {
    /// On its way from storage or from the relay.
    Loading {
        /// The drive.
        drive: DocId,
    },
    /// Here.
    Ready {
        /// The drive.
        drive: DocId,
        /// For a map.
        line: Line,
        /// What of it nobody else sees when it is published, gaps as straight lines.
        hidden: Line,
        /// The distance of what others see of it when it is published, metres; absent if that is too little to be published.
        shown_m: Option<f64>,
        /// For charts.
        profile: Box<Profile>,
        /// How good its road is.
        road: RoadView,
        /// The lines of its stretches, in their order.
        stretches: Vec<Line>,
        /// What was refused of it and kept: the first 5,000. Of a drive that is being recorded the last minute is missing.
        refused: Vec<RefusedView>,
    },
    /// Cannot be shown.
    Unavailable {
        /// The drive.
        drive: DocId,
        /// Why.
        code: crate::replica::io::CommandError,
    },
}

/// A position that is not part of a drive, unless it was taken back.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RefusedView {
    /// Its name, for [`TakeBackRefused`](crate::replica::io::Command::TakeBackRefused).
    pub id: String,
    /// When it came, by the clock of the recording.
    pub at: Timestamp,
    /// Where it was: longitude and latitude, degrees.
    pub place: [f64; 2],
    /// 95 % radius, metres.
    pub accuracy_m: Option<f64>,
    /// Why it was refused.
    pub reason: Refusal,
    /// Whether it counts all the same.
    pub is_taken_back: bool,
}

/// A car in the garage.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct CarView {
    /// The car.
    pub id: DocId,
    /// What is known of it.
    pub fields: CarFields,
    /// How many drives were driven with it.
    pub drives: u32,
    /// How far they went, metres.
    pub distance_m: f64,
    /// What its odometer should show, metres: the newest reading in its logbook and the drives that began after it.
    pub odometer_m: Option<f64>,
    /// Its logbook, the latest entry first.
    pub log: Vec<LogItem>,
}

/// What the account says about others and their things.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct SocialView {
    /// Whom it follows, the latest first.
    pub follows: Vec<FollowView>,
    /// Whom it lets follow.
    pub accepted: Vec<AccountId>,
    /// Whom it blocks.
    pub blocked: Vec<AccountId>,
    /// What it feels about published drives.
    pub reactions: Vec<ReactionView>,
    /// Its comments on published drives, the latest first.
    pub comments: Vec<CommentView>,
    /// Its answers to meets, the latest first.
    pub answers: Vec<AnswerView>,
}

/// Somebody whom the account follows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct FollowView {
    /// Who.
    pub account: AccountId,
    /// Since when.
    pub since: Timestamp,
}

/// What the account feels about a published drive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
pub struct ReactionView {
    /// The published copy.
    pub drive: DocId,
    /// What it feels.
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

/// A meet of the account, or what it makes of somebody else's.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct MeetView {
    /// The id by which others find the meet, another one after its link was renewed; for an amendment, the meet that it amends.
    pub id: DocId,
    /// Whether it is the account's own.
    pub own: bool,
    /// What the account says of it; without what co-organisers do.
    pub fields: MeetFields,
    /// Which fields those are, and when each was set: all of one's own meet, and what an amendment is about.
    #[cfg_attr(feature = "ts", ts(type = "Array<[keyof MeetFields, Timestamp]>"))]
    pub said: Vec<(&'static str, Timestamp)>,
    /// Whether some of it is on this phone only.
    pub is_unsent: bool,
    /// Who else may change it.
    pub organisers: Vec<AccountId>,
}

/// The account on this phone.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct AccountView {
    /// Its id.
    pub account: AccountId,
    /// What everyone may know.
    pub profile: ProfileFields,
    /// How this account likes things.
    pub settings: SettingsFields,
    /// The public key of this device, hexadecimal.
    pub device: String,
    /// The devices of the account that have names, this one among them if it has.
    pub devices: Vec<NamedDevice>,
}

/// How storage and sync are.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    /// The phone's storage.
    pub storage: StorageStatus,
    /// The connection to the relay.
    pub link: LinkStatus,
    /// Changes that the relay has not acknowledged.
    pub unsent_changes: u32,
    /// Their size in bytes; see [`DriveSync::OnPhone`].
    pub unsent_bytes: u32,
    /// The documents that they belong to.
    pub unsent_documents: u32,
    /// How many of these changes are on their way: pushed, and neither acknowledged nor refused.
    pub sent_changes: u32,
    /// Their size in bytes.
    pub sent_bytes: u32,
    /// Documents of which something is being fetched or about to be.
    pub fetching_documents: u32,
    /// The changes that are to come of them.
    pub fetching_changes: u32,
    /// Documents known, here or on the relay.
    pub documents: u32,
    /// Documents of which the relay refuses something.
    pub refused: u32,
    /// Why, of the first of them.
    pub refusal: Option<NackCode>,
}

/// How the phone's storage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum StorageStatus {
    /// Everything is on disk.
    Saved,
    /// Something is on its way to the disk.
    Saving,
    /// The last attempt failed; another follows.
    Failing {
        /// Why.
        failure: StorageFailure,
    },
}

/// How the connection to the relay is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS))]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum LinkStatus {
    /// There is none.
    Offline,
    /// It is being made.
    Connecting,
    /// Differences are being exchanged.
    Syncing,
    /// Phone and relay agree.
    UpToDate,
    /// The relay sent the phone away, for a reason that may not pass by itself; it tries again within a minute.
    Rejected {
        /// Why.
        code: ByeCode,
    },
}
