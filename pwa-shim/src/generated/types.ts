// Generated from the Rust types of tourismo-core by `just types`. Do not edit.

/**
 * The id of an account: a UUIDv8 of the SHA-256 of the public key that founded it.
 *
 * The id proves itself: only the holder of the founding key, and devices with a grant, can prove that they belong to
 * the account. So an account that is made offline needs no registry.
 */
export type AccountId = string;

/** The account on this phone. */
export type AccountView = {
  /** Its id. */
  account: AccountId,
  /** What everyone may know. */
  profile: ProfileFields,
  /** How this account likes things. */
  settings: SettingsFields,
  /** The public key of this device, hexadecimal. */
  device: string,
  /** The devices of the account that have names, this one among them if it has. */
  devices: Array<NamedDevice>,
};

/** An answer to a meet. */
export type Answer = "going" | "maybe" | "no";

/** The account's answer to a meet. */
export type AnswerView = {
  /** The meet. */
  meet: DocId,
  /** The answer. */
  answer: Answer,
  /** When it was given. */
  at: Timestamp,
};

/** The arguments of [`crate::replica::Replica::open`]. */
export type Bootstrap = {
  /** 32 random bytes, different at every start: they determine the actor of this start. */
  seed: Uint8Array,
  /** The Ed25519 public key of this device, 32 bytes, the same at every start. */
  device: Uint8Array,
  /**
   * The grant of another device, see [`DeviceGrant`]. It is used at the first start, or as long as this phone holds
   * nothing.
   */
  grant?: Uint8Array | null,
  /** All entries of the spaces in [`Space::OPENING`]. */
  stored: Array<StoredEntry>,
};

/** Why a connection ends. `[M4]` */
export type ByeCode = "malformed" | "too_large" | "out_of_order" | "unknown_protocol" | "not_authentic" | "too_slow" | "going_away" | "overloaded" | "over_quota" | "wrong_origin";

/** The fields of a car. Texts are empty when unknown. */
export type CarFields = {
  /** Such as "Mazda"; at most 100 characters. */
  make: string,
  /** Such as "MX-5"; at most 100 characters. */
  model: string,
  /** The year it was built, 1880 to 2200. */
  year: number | null,
  /** A name given by its owner; at most 100 characters. */
  nickname: string,
  /** Such as "soul red"; at most 50 characters. */
  colour: string,
  /** Whether these fields are public. Nothing else of the car ever is. */
  isPublic: boolean,
};

/** A car in the garage. */
export type CarView = {
  /** The car. */
  id: DocId,
  /** What is known of it. */
  fields: CarFields,
  /** How many drives were driven with it. */
  drives: number,
  /** How far they went, metres. */
  distanceM: number,
  /** What its odometer should show, metres: the newest reading in its logbook and the drives that began after it. */
  odometerM: number | null,
  /** Its logbook, the latest entry first. */
  log: Array<LogItem>,
};

/** What a person or a program wants. */
export type Command = { "type": "startDrive",
  /** The car it is driven with. */
  car: DocId | null, } | { "type": "pauseDrive" } | { "type": "resumeDrive" } | { "type": "takeOverDrive",
  /** The drive. */
  drive: DocId, } | { "type": "undoResume" } | { "type": "finishDrive" } | { "type": "discardDrive" } | { "type": "editDrive",
  /** The drive. */
  drive: DocId,
  /** At most 200 characters. */
  title: string | null,
  /** At most 10,000 characters. */
  notes: string | null,
  /** The car it was driven with; `null` inside for none. */
  car?: string | null, } | { "type": "deleteDrive",
  /** The drive. */
  drive: DocId, } | { "type": "publishDrive",
  /** The drive. */
  drive: DocId,
  /** Who may see the copy. */
  visibility: Visibility, } | { "type": "setPrivateEnds",
  /** The drive. */
  drive: DocId,
  /** The ends. */
  ends: PrivateEnds, } | { "type": "takeBackRefused",
  /** The drive. */
  drive: DocId,
  /** The names of the positions: [`RefusedView::id`](crate::replica::views::RefusedView::id); at most 5,000. */
  fixes: Array<string>,
  /** Whether they count. */
  holds: boolean, } | { "type": "renewLink",
  /** The drive. */
  drive: DocId, } | { "type": "openDrive",
  /** The drive. */
  drive: DocId, } | { "type": "closeDrive" } | { "type": "putCar",
  /** The car to change; absent for a new one. */
  car: DocId | null,
  /** All its fields. */
  fields: CarFields, } | { "type": "putLogEntry",
  /** The car. */
  car: DocId,
  /** The entry to change; absent for a new one. */
  entry: DocId | null,
  /** All its fields. */
  fields: LogEntry, } | { "type": "removeLogEntry",
  /** The car. */
  car: DocId,
  /** The entry. */
  entry: DocId, } | { "type": "relate",
  /** The other account. */
  account: AccountId,
  /** How to be related to it. */
  relation: Relation,
  /** Whether to be so or no more. */
  holds: boolean, } | { "type": "react",
  /** The published copy. */
  drive: DocId,
  /** What one feels; absent to take it back. */
  reaction: Reaction | null, } | { "type": "comment",
  /** The published copy. */
  drive: DocId,
  /** 1 to 2,000 characters. */
  text: string, } | { "type": "removeComment",
  /** The published copy. */
  drive: DocId,
  /** The comment. */
  comment: DocId, } | { "type": "putMeet",
  /** The meet to change; absent for a new one. */
  meet: DocId | null,
  /** All its fields. */
  fields: MeetFields,
  /**
   * When the newest of what the person saw was set, as the relay told it (`changedAt`): this is said after that, by
   * whatever clock.
   */
  seenAt: Timestamp | null, } | { "type": "amendMeet",
  /** The meet. */
  meet: DocId,
  /** All its fields as the person saw them. */
  seen: MeetFields,
  /** All its fields as the person wants them. */
  fields: MeetFields,
  /** As in [`Command::PutMeet`]. */
  seenAt: Timestamp | null, } | { "type": "cancelMeet",
  /** The meet. */
  meet: DocId,
  /** As in [`Command::PutMeet`]. */
  seenAt: Timestamp | null, } | { "type": "renewMeetLink",
  /** The meet. */
  meet: DocId,
  /** All its fields as the person saw them, also those that a co-organiser set: they count under the new link. */
  fields: MeetFields,
  /** As in [`Command::PutMeet`]. */
  seenAt: Timestamp | null, } | { "type": "grantOrganiser",
  /** The meet. */
  meet: DocId,
  /** The other account. */
  account: AccountId,
  /** Whether it may. */
  may: boolean, } | { "type": "rsvp",
  /** The meet. */
  meet: DocId,
  /** The answer; absent to take it back. */
  answer: Answer | null, } | { "type": "readToken" } | { "type": "putProfile",
  /** All its fields. */
  fields: ProfileFields, } | { "type": "putSettings",
  /** All its fields. */
  fields: SettingsFields, } | { "type": "nameDevice",
  /** At most 100 characters; empty for none. */
  name: string, } | { "type": "grantDevice",
  /** Its Ed25519 public key, 32 bytes. */
  device: Uint8Array, } | { "type": "checkGrant",
  /** What a [`Command::GrantDevice`] gave, here or on another device. */
  grant: Uint8Array, } | { "type": "joinAccount",
  /** What that device's [`Command::GrantDevice`] gave. */
  grant: Uint8Array,
};

/** Why a command was refused. */
export type CommandError = "already_recording" | "not_recording" | "not_finished" | "not_found" | "invalid" | "nothing_left_to_publish" | "too_long_to_publish" | "track_not_here" | "unreadable" | "bad_grant" | "foreign_grant" | "other_account" | "bad_handle" | "too_many" | "already_published" | "relay_unknown";

/** How a command ended. */
export type CommandOutcome = { "type": "done",
  /** The drive, car, entry, comment or meet that was made or changed, if it was one. */
  doc: DocId | null, } | { "type": "granted",
  /** Its bytes. */
  grant: Uint8Array, } | { "type": "grantChecked",
  /** The account that it lets a device into. */
  account: AccountId,
  /** Twelve digits that both devices show if nobody stands between them: see [`crate::wire::join_check`]. */
  check: string, } | { "type": "token",
  /** Its bytes: [`crate::read_token::ReadToken`]. */
  token: Uint8Array,
  /** From when on the relay refuses it, by this phone's clock. */
  expiresAt: Timestamp, } | { "type": "refused",
  /** Why. */
  code: CommandError, } | { "type": "invalid",
  /** The name of the field, as the command has it. */
  field: string,
  /** The values that are accepted, in words. */
  expected: string, } | { "type": "notStored",
  /** Why. */
  failure: StorageFailure,
};

/** A comment of the account on a published drive. */
export type CommentView = {
  /** The comment. */
  id: DocId,
  /** The published copy. */
  drive: DocId,
  /** When it was written. */
  at: Timestamp,
  /** 1 to 2,000 characters. */
  text: string,
};

/** An amount of money. */
export type Cost = {
  /** The amount in the currency's smallest unit, such as cents. */
  minor: number,
  /** Three upper-case letters (ISO 4217). */
  currency: string,
};

/**
 * The id of a document: a UUIDv7 made by the device that creates it, or a UUIDv8 computed from the account.
 *
 * Ids belong to accounts: two accounts that use one id have two documents. A document that others find by its id
 * alone, such as by a link, has an id that is bound to its account ([`DocId::bound`]).
 */
export type DocId = string;

/**
 * A field with concurrent values of several devices. Each value is listed once, the effective one first. Setting the
 * field again, also to the same value, resolves the conflict.
 */
export type DriveConflict = { "field": "car",
  /** The cars; `null` for none. */
  values: Array<DocId | null>, } | { "field": "visibility",
  /** The visibilities. */
  values: Array<Visibility>,
};

/** The statistics of a drive, rounded for display: whole metres, 0.1 m/s. */
export type DriveStats = {
  /** The distance over the ellipsoid, without gaps, metres. */
  distanceM: number,
  /** The sum of the straight lines over all gaps, metres: a lower bound of the unmeasured distance. */
  gapDistanceM: number,
  /** The time from the first fix to the last, with stops and gaps, milliseconds. */
  durationMs: number,
  /** The time in motion, without stops and gaps, milliseconds. */
  movingMs: number,
  /** Distance by moving time, metres per second; 0 without moving time. */
  meanSpeedMps: number,
  /** The greatest speed that two independent readings support, metres per second; never below the mean. */
  maxSpeedMps: number,
  /** The ascent, metres. */
  ascentM: number,
  /** The descent, metres. */
  descentM: number,
  /** The number of accepted fixes. */
  fixes: number,
  /** The number of refused fixes. */
  refused: number,
  /** The number of gaps: one less than the number of parts. */
  gaps: number,
};

/** Where a drive, its track and its published copy are. */
export type DriveSync = { "type": "saving" } | { "type": "onPhone",
  /** How many changes the relay has not acknowledged. */
  changes: number,
  /** Their size. After a relay was restored from a backup, the size of what it lost is counted as it is sent. */
  bytes: number,
  /** How many of them are on their way: pushed, and neither acknowledged nor refused. */
  sentChanges: number,
  /** Their size. */
  sentBytes: number,
  /** How many changes the relay has acknowledged. */
  ackedChanges: number, } | { "type": "onRelay",
  /** Whether the track is on this phone, too. */
  trackHere: boolean, } | { "type": "fetching",
  /** How many changes are still to come. */
  changes: number, } | { "type": "refused",
  /** Why. */
  code: NackCode,
};

/** A drive in a list. */
export type DriveView = {
  /** The drive. */
  id: DocId,
  /** May be empty. */
  title: string,
  /** May be empty. */
  notes: string,
  /** The car it was driven with. */
  car: DocId | null,
  /** When it began. */
  startedAt: Timestamp,
  /** What the clocks showed where it began, as minutes ahead of UTC; absent if nobody knew. */
  utcOffsetMin: UtcOffset | null,
  /** When it ended; absent while it is not finished. */
  endedAt: Timestamp | null,
  /** What was driven. */
  stats: DriveStats | null,
  /** How good its road is; absent while it is not finished, and where its track has not been on this phone. */
  road: RoadView | null,
  /** West, south, east, north of its track, degrees, as RFC 7946 has it; absent where `road` is, and without any fix. */
  bounds: [number, number, number, number] | null,
  /** Who may see its published copy; nobody if that is lost. */
  visibility: Visibility,
  /** The published copy; its id on the relay. Absent if that is lost, since neither this phone nor the relay has it any more. */
  published: DocId | null,
  /** Which of its ends are private places, and hidden in a published copy. */
  privateEnds: PrivateEnds,
  /** What several devices said of it at the same time, to be shown and settled. */
  conflicts: Array<DriveConflict>,
  /** Where it is. */
  sync: DriveSync,
};

/** Something that the shell shall do. */
export type Effect = { "type": "store",
  /** Comes back with the answer. */
  batch: number,
  /** The operations in order. */
  ops: Array<StoreOp>, } | { "type": "load",
  /** Comes back with the answer. */
  request: number,
  /** The ranges. */
  ranges: Array<KeyRange>, } | { "type": "sign",
  /** Comes back with the answer. */
  request: number,
  /** What to sign. */
  bytes: Uint8Array, } | { "type": "connect" } | { "type": "send",
  /** Its bytes. */
  bytes: Uint8Array, } | { "type": "disconnect" } | { "type": "setTimer",
  /** Milliseconds from now. */
  inMs: number,
  /** What for. */
  why: string, } | { "type": "settled",
  /** The command's `request`. */
  request: number,
  /** How. */
  outcome: CommandOutcome, } | { "type": "changed",
  /** What. */
  topics: Array<Topic>,
};

/**
 * One measured position, as the W3C Geolocation API gives it (WGS 84).
 *
 * A fix has three times. `fixed_at` is the time of the measurement, which orders a track. `recorded_at` is the time at
 * which the phone recorded the fix. The third, the time of arrival at the relay, is part of the log entry of the
 * change that holds the fix.
 */
export type Fix = {
  /** The time of the measurement. */
  fixedAt: Timestamp,
  /** The time at which the phone recorded the fix. */
  recordedAt: Timestamp,
  /** Geodetic latitude, degrees north, -90 to 90. */
  latDeg: number,
  /** Longitude, degrees east, -180 to 180. */
  lonDeg: number,
  /** Radius of the horizontal 95 % confidence circle, metres. */
  accuracyM?: number,
  /** Altitude, metres, above the ellipsoid or above sea level, depending on the phone: only differences are reliable. */
  altitudeM?: number,
  /** 95 % confidence of the altitude, metres. */
  altitudeAccuracyM?: number,
  /** Direction of travel, degrees clockwise from true north, 0 to 360; absent when standing. */
  headingDeg?: number,
  /** Ground speed by the sensor (Doppler), metres per second. */
  speedMps?: number,
};

/** Somebody whom the account follows. */
export type FollowView = {
  /** Who. */
  account: AccountId,
  /** Since when. */
  since: Timestamp,
};

/** Something that happened, told to the replica. */
export type Input = { "type": "start" } | { "type": "fix",
  /** The measurement as the sensor gave it; it need not be valid. A recording has its own `recorded_at`. */
  fix: Fix,
  /** When the page was given it, by the monotonic clock of [`Now`](crate::time::Now), milliseconds; absent for now. */
  arrivedMs?: number, } | { "type": "sensorFailed",
  /** Why. */
  reason: SensorFailure, } | { "type": "command",
  /** Chosen by the caller; comes back with the answer. */
  request: number,
  /** What is wanted. */
  command: Command, } | { "type": "stored",
  /** Which transaction. */
  batch: number, } | { "type": "storeFailed",
  /** Which transaction. */
  batch: number,
  /** Why. */
  failure: StorageFailure, } | { "type": "loaded",
  /** Which request. */
  request: number,
  /** The entries in the ranges asked for, ascending in each range. */
  entries: Array<StoredEntry>, } | { "type": "loadFailed",
  /** Which request. */
  request: number,
  /** Why. */
  failure: StorageFailure, } | { "type": "signed",
  /** Which request. */
  request: number,
  /** The Ed25519 signature, 64 bytes. */
  signature: Uint8Array, } | { "type": "zone",
  /** How far they are ahead of UTC, in minutes. */
  utcOffsetMin: number, } | { "type": "network",
  /** Whether it has. */
  online: boolean, } | { "type": "connected",
  /**
   * The origin that the shell dialled, as browsers write it: `https://relay.example` for
   * `wss://relay.example/v1/sync`. What the device signs is good there only, so it is never the relay's word.
   */
  origin: string, } | { "type": "received",
  /** Its bytes. */
  bytes: Uint8Array, } | { "type": "disconnected" } | { "type": "hidden" } | { "type": "shown" } | { "type": "tick" };

/** The keys from `from` up to and including `to`. */
export type KeyRange = {
  /** Where. */
  space: Space,
  /** The first key. */
  from: Uint8Array,
  /** The last key. */
  to: Uint8Array,
};

/** A line for a map. It has no segment over a gap, and none around the world where the track crosses the date line. */
export type Line = {
  /**
   * The points of each part as `[longitude, latitude]`, degrees; at least one. This is a MultiLineString of RFC
   * 7946, except for parts with a single point.
   */
  parts: Array<Array<[number, number]>>,
};

/** How the connection to the relay is. */
export type LinkStatus = { "type": "offline" } | { "type": "connecting" } | { "type": "syncing" } | { "type": "upToDate" } | { "type": "rejected",
  /** Why. */
  code: ByeCode,
};

/** One entry of a car's logbook. */
export type LogEntry = {
  /** The kind of the entry. */
  kind: LogKind,
  /** The time of the entry. */
  at: Timestamp,
  /** The reading of the odometer, metres; at most ten million kilometres. */
  odometerM: number | null,
  /** The amount of fuel, litres. */
  litres: number | null,
  /** The price. */
  cost: Cost | null,
  /** At most 1,000 characters. */
  note: string,
};

/** An entry with its id. */
export type LogItem = {
  /** The entry's id. */
  id: DocId,
  /** The entry. */
  entry: LogEntry,
};

/** The kind of an entry of a logbook. */
export type LogKind = "odometer" | "fuel" | "service";

/** The fields of a meet. */
export type MeetFields = {
  /** 1 to 200 characters. */
  title: string,
  /** At most 10,000 characters. */
  text: string,
  /** The name of the place; at most 200 characters. */
  place: string,
  /** The position: longitude and latitude in degrees, to seven decimals. */
  position: [number, number] | null,
  /** The start. */
  startsAt: Timestamp,
  /** The end: after the start, within a month. */
  endsAt: Timestamp | null,
  /** The time zone of the place, such as "Europe/Vienna" (IANA); may be empty. */
  timeZone: string,
  /** The maximum number of people. */
  capacity: number | null,
  /** The visibility of the meet. */
  visibility: Visibility,
  /** Whether the meet is cancelled. */
  cancelled: boolean,
};

/** A meet of the account, or what it makes of somebody else's. */
export type MeetView = {
  /** The id by which others find the meet, another one after its link was renewed; for an amendment, the meet that it amends. */
  id: DocId,
  /** Whether it is the account's own. */
  own: boolean,
  /** What the account says of it; without what co-organisers do. */
  fields: MeetFields,
  /** Which fields those are, and when each was set: all of one's own meet, and what an amendment is about. */
  said: Array<[keyof MeetFields, Timestamp]>,
  /** Whether some of it is on this phone only. */
  isUnsent: boolean,
  /** Who else may change it. */
  organisers: Array<AccountId>,
};

/** Why the relay refuses one change. `[P4]` */
export type NackCode = "malformed" | "too_large" | "unknown_deps" | "duplicate_seq" | "seq_gap" | "foreign_actor" | "not_your_document" | "kind_mismatch" | "unavailable" | "over_quota";

/** A device of the account with the name that its user gave it. */
export type NamedDevice = {
  /** Its public key, hexadecimal. */
  key: string,
  /** Never empty. */
  name: string,
};

/**
 * The readings of the shell's clocks at the time of an input.
 *
 * Phone clocks jump: deadlines and gaps use the monotonic clock, and times shown to users use the wall clock.
 */
export type Now = {
  /** The wall clock: `Date.now()`. */
  wall: Timestamp,
  /**
   * The monotonic clock, milliseconds from an arbitrary origin: `performance.timeOrigin + performance.now()`, which
   * pages and workers share.
   */
  monotonicMs: number,
};

/** The ends of a drive that are private places. */
export type PrivateEnds = {
  /** Whether the start is private. */
  start: boolean,
  /** Whether the end is private. */
  end: boolean,
};

/**
 * A profile for charts: columns of equal length, at most [`MAX_SAMPLES`].
 *
 * At a gap, speed and altitude are `null` once, so that a chart interrupts its line.
 */
export type Profile = {
  /** Time since the first fix, seconds; non-decreasing. */
  elapsedS: Array<number>,
  /** Way since the first fix, gaps as straight lines, metres; non-decreasing. */
  wayM: Array<number>,
  /** The receiver's speed, metres per second. */
  speedMps: Array<number | null>,
  /** Altitude, metres. */
  altitudeM: Array<number | null>,
};

/** The public profile of an account. Texts are empty when not given. */
export type ProfileFields = {
  /** The name by which others find the account: empty, or 2 to 30 letters and digits with `_`, `.`, `-` between them. */
  handle: string,
  /** The name that others see; at most 100 characters. */
  displayName: string,
  /** At most 1,000 characters. */
  bio: string,
  /** Whether followers must be accepted before they see content for followers. */
  byApproval: boolean,
};

/** A reaction to a published drive. */
export type Reaction = "like" | "wow" | "road" | "car";

/** What the account feels about a published drive. */
export type ReactionView = {
  /** The published copy. */
  drive: DocId,
  /** What it feels. */
  reaction: Reaction,
};

/** What a recording does. */
export type RecordingState = "recovering" | "unfinished" | "active" | "paused";

/** The drive that is being recorded. */
export type RecordingView = {
  /** What the recording does. */
  state: RecordingState,
  /** When the app was killed, as far as is known; while the drive is unfinished, and while its going on can be undone. */
  leftOffAt: Timestamp | null,
  /** Whether an unfinished drive is to go on by itself: it was left off in mid-drive, at most 10 minutes ago. */
  resumesItself: boolean,
  /** Whether the drive went on a moment ago, so that [`crate::replica::io::Command::UndoResume`] leaves it unfinished again. */
  canUndoResume: boolean,
  /** The drive. */
  drive: DocId,
  /** The car it is driven with. */
  car: DocId | null,
  /** When it began. */
  startedAt: Timestamp,
  /** What was driven so far. */
  stats: DriveStats,
  /** Speed at the last accepted fix, metres per second; absent if unknown or older than 5 s. */
  speedMps: number | null,
  /** The state of the position signal. */
  signal: Signal,
  /** How many fixes have been taken in since the app started. */
  taken: number,
  /** How many of those are not on disk yet. */
  unsaved: number,
  /** The last accepted position, `[longitude, latitude]` in degrees. */
  position: [number, number] | null,
  /** Why nothing is being recorded though positions come: all of late are refused. They are kept, and can be taken back. */
  notRecording: Refusal | null,
};

/** The reasons for which the recorder refuses a fix. The numbers are stored and never change their meaning. */
export type Refusal = "invalid" | "notLater" | "inTheFuture" | "beforeStart" | "tooInaccurate" | "outlier";

/** A position that is not part of a drive, unless it was taken back. */
export type RefusedView = {
  /** Its name, for [`TakeBackRefused`](crate::replica::io::Command::TakeBackRefused). */
  id: string,
  /** When it came, by the clock of the recording. */
  at: Timestamp,
  /** Where it was: longitude and latitude, degrees. */
  place: [number, number],
  /** 95 % radius, metres. */
  accuracyM: number | null,
  /** Why it was refused. */
  reason: Refusal,
  /** Whether it counts all the same. */
  isTakenBack: boolean,
};

/** A relation to another account. */
export type Relation = "follow" | "accept" | "block";

/** The parts of a score, each from 0 to 100. */
export type RoadParts = {
  /** The amount and sharpness of flowing bends. */
  twist: number,
  /** The number of flowing corners. */
  corners: number,
  /** The slope; absent without altitudes. */
  relief?: number,
  /** The flowing share of the road. */
  flow: number,
  /** The variety of its bends. */
  variety: number,
};

/** The quality of a road. Always shown with its parts and the length on which it was computed. */
export type RoadScore = {
  /** 0 to 100: the weighted geometric mean of the parts. */
  score: number,
  /** The parts of the score. */
  parts: RoadParts,
  /** The measured length, metres. */
  measuredM: number,
};

/** A good stretch of a drive. */
export type RoadStretch = {
  /** The time at its start. */
  fromAt: Timestamp,
  /** The time at its end. */
  toAt: Timestamp,
  /** The position of its start: longitude and latitude, degrees. */
  from: [number, number],
  /** The position of its end: longitude and latitude, degrees. */
  to: [number, number],
  /** Its score. */
  score: RoadScore,
};

/** How good the road of a drive is, as its owner sees it: computed on the phone, from the whole track. */
export type RoadView = {
  /** The whole; absent if too little of it was measured. */
  score: RoadScore | null,
  /** Its best stretches, the best first. */
  stretches: Array<RoadStretch>,
};

/** Why the position sensor gives nothing. */
export type SensorFailure = "denied" | "unavailable" | "timedOut";

/** The settings of an account. */
export type SettingsFields = {
  /** The units of distances and speeds on screens. */
  units: Units,
  /** The visibility that screens offer first when a drive is published. */
  defaultVisibility: Visibility,
};

/** The state of the position signal. */
export type Signal = { "type": "waiting" } | { "type": "good",
  /** 95 % radius of the last one, metres. */
  accuracyM: number | null, } | { "type": "inaccurate",
  /** 95 % radius of the last one, metres. */
  accuracyM: number, } | { "type": "lost" } | { "type": "failed",
  /** Why. */
  reason: SensorFailure,
};

/** What the account says about others and their things. */
export type SocialView = {
  /** Whom it follows, the latest first. */
  follows: Array<FollowView>,
  /** Whom it lets follow. */
  accepted: Array<AccountId>,
  /** Whom it blocks. */
  blocked: Array<AccountId>,
  /** What it feels about published drives. */
  reactions: Array<ReactionView>,
  /** Its comments on published drives, the latest first. */
  comments: Array<CommentView>,
  /** Its answers to meets, the latest first. */
  answers: Array<AnswerView>,
};

/** One of the key-value spaces of the phone's storage. In IndexedDB: one object store each. */
export type Space = "meta" | "journal" | "doc" | "row" | "change";

/** How storage and sync are. */
export type StatusView = {
  /** The phone's storage. */
  storage: StorageStatus,
  /** The connection to the relay. */
  link: LinkStatus,
  /** Changes that the relay has not acknowledged. */
  unsentChanges: number,
  /** Their size in bytes; see [`DriveSync::OnPhone`]. */
  unsentBytes: number,
  /** The documents that they belong to. */
  unsentDocuments: number,
  /** How many of these changes are on their way: pushed, and neither acknowledged nor refused. */
  sentChanges: number,
  /** Their size in bytes. */
  sentBytes: number,
  /** Documents of which something is being fetched or about to be. */
  fetchingDocuments: number,
  /** The changes that are to come of them. */
  fetchingChanges: number,
  /** Documents known, here or on the relay. */
  documents: number,
  /** Documents of which the relay refuses something. */
  refused: number,
  /** Why, of the first of them. */
  refusal: NackCode | null,
};

/** Why storage refused. */
export type StorageFailure = "quotaExceeded" | "aborted" | "unavailable";

/** How the phone's storage is. */
export type StorageStatus = { "type": "saved" } | { "type": "saving" } | { "type": "failing",
  /** Why. */
  failure: StorageFailure,
};

/** One operation of a transaction. */
export type StoreOp = { "type": "put" } & StoredEntry | { "type": "delete" } & KeyRange;

/** A key and its value. */
export type StoredEntry = {
  /** Where. */
  space: Space,
  /** The key; keys sort bytewise. */
  key: Uint8Array,
  /** The value. */
  value: Uint8Array,
};

/**
 * A wall-clock time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
 *
 * In JavaScript a `number`, as returned by `Date.now()`.
 */
export type Timestamp = number;

/** A thing that can be read and may change. */
export type Topic = "recording" | "drives" | "track" | "cars" | "social" | "meets" | "account" | "status";

/** The opened drive's track. */
export type TrackView = { "type": "loading",
  /** The drive. */
  drive: DocId, } | { "type": "ready",
  /** The drive. */
  drive: DocId,
  /** For a map. */
  line: Line,
  /** What of it nobody else sees when it is published, gaps as straight lines. */
  hidden: Line,
  /** The distance of what others see of it when it is published, metres; absent if that is too little to be published. */
  shownM: number | null,
  /** For charts. */
  profile: Profile,
  /** How good its road is. */
  road: RoadView,
  /** The lines of its stretches, in their order. */
  stretches: Array<Line>,
  /** What was refused of it and kept: the first 5,000. Of a drive that is being recorded the last minute is missing. */
  refused: Array<RefusedView>, } | { "type": "unavailable",
  /** The drive. */
  drive: DocId,
  /** Why. */
  code: CommandError,
};

/** Units of distances and speeds. */
export type Units = "metric" | "imperial";

/**
 * The difference of local time from UTC, minutes, from −18 h to +18 h as in ISO 8601 and Java. In JavaScript
 * `-date.getTimezoneOffset()`.
 */
export type UtcOffset = number;

/** The visibility of a published copy or a meet. */
export type Visibility = "private" | "link" | "public" | "followers";
