// Generated from the Rust types of tourismo-core and tourismo-import by `just types`. Do not edit.

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
  /** Its public profile. */
  profile: ProfileFields,
  /** Its settings. */
  settings: SettingsFields,
  /** The public key of this device, hexadecimal. */
  device: string,
  /** The devices of the account that have names, including this one if it has a name. */
  devices: Array<NamedDevice>,
  /** The private places of the account. */
  places: Array<PlaceView>,
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

/** A document of an archive with its content, as [`Command::ReadDocument`](super::Command::ReadDocument) returned it. */
export type ArchivedDocument = {
  /** Its kind: settings, profile, car, drive, social or meet. */
  kind: DocKind,
  /** Its id in the archive. */
  id: DocId,
  /** The document as a file of Automerge; at most 16 MiB. */
  bytes: Uint8Array,
  /** The track of a drive, likewise. */
  track: Uint8Array | null,
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
export type ByeCode = "malformed" | "too_large" | "out_of_order" | "unknown_protocol" | "not_authentic" | "too_slow" | "going_away" | "overloaded" | "over_quota" | "wrong_origin" | "revoked" | "not_invited" | "registration_closed";

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

/** The sums of a car. */
export type CarTotals = {
  /** The car; absent for drives without a car. */
  car: DocId | null,
  /** The sums. */
  totals: DriveTotals,
};

/** A car in the garage. */
export type CarView = {
  /** The car. */
  id: DocId,
  /** Its fields. */
  fields: CarFields,
  /** The number of drives with it. */
  drives: number,
  /** The distance of these drives, metres. */
  distanceM: number,
  /**
   * The expected reading of its odometer, metres: the newest reading in its logbook plus the drives that began after
   * it.
   */
  odometerM: number | null,
  /** Its logbook, the latest entry first. */
  log: Array<LogItem>,
};

/** A command of the user or of a program. */
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
  /** The visibility of the copy. */
  visibility: Visibility, } | { "type": "addPlace",
  /** Longitude and latitude, degrees. */
  position: [number, number],
  /** The kind. */
  kind: PlaceKind,
  /** The size of the zone; none only for an open place. */
  size: ZoneSize, } | { "type": "changePlace",
  /** The place. */
  place: DocId,
  /** The kind. */
  kind: PlaceKind,
  /** The size of the zone; none only for an open place. */
  size: ZoneSize, } | { "type": "attackProfile" } | { "type": "takeBackRefused",
  /** The drive. */
  drive: DocId,
  /** The ids of the positions: [`RefusedView::id`](crate::replica::views::RefusedView::id); at most 5,000. */
  fixes: Array<string>,
  /** Whether they count. */
  holds: boolean, } | { "type": "renewLink",
  /** The drive. */
  drive: DocId, } | { "type": "importDrive",
  /** A digest of the source, 32 bytes: see [`ImportCandidate::source`]. */
  source: Uint8Array,
  /** At most 200 characters. */
  title: string,
  /** At most 10,000 characters. */
  notes: string,
  /** The car it was driven with. */
  car: DocId | null,
  /** The fixes in the order of time, 1 to 500,000, as [`crate::fix::packed`] writes them. */
  fixes: Uint8Array, } | { "type": "checkImport",
  /** The drives of files; at most 20,000. */
  drives: Array<ImportCandidate>, } | { "type": "readFixes",
  /** The drive. */
  drive: DocId, } | { "type": "listDocuments" } | { "type": "readDocument",
  /** The document. */
  doc: DocId, } | { "type": "checkDocuments",
  /** The documents; at most 100,000. */
  documents: Array<DocumentRef>, } | { "type": "importDocument",
  /** The document. */
  document: ArchivedDocument, } | { "type": "openDrive",
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
  /** The relation to it. */
  relation: Relation,
  /** Whether the relation begins or ends. */
  holds: boolean, } | { "type": "react",
  /** The published copy. */
  drive: DocId,
  /** The reaction; absent to remove it. */
  reaction: Reaction | null, } | { "type": "comment",
  /** The published copy. */
  drive: DocId,
  /** 1 to 2,000 characters. */
  text: string, } | { "type": "removeComment",
  /** The published copy. */
  drive: DocId,
  /** The comment. */
  comment: DocId, } | { "type": "hideComment",
  /** The published copy. */
  drive: DocId,
  /** The author of the comment. */
  account: AccountId,
  /** The comment. */
  comment: DocId,
  /** Whether it is removed. */
  hides: boolean, } | { "type": "putMeet",
  /** The meet to change; absent for a new one. */
  meet: DocId | null,
  /** All its fields. */
  fields: MeetFields,
  /**
   * The time of the newest field that the user saw, as reported by the relay (`changedAt`): the change counts as
   * later, whatever the clocks show.
   */
  seenAt: Timestamp | null, } | { "type": "amendMeet",
  /** The meet. */
  meet: DocId,
  /** All its fields as the user saw them. */
  seen: MeetFields,
  /** All its fields as the user wants them. */
  fields: MeetFields,
  /** As in [`Command::PutMeet`]. */
  seenAt: Timestamp | null, } | { "type": "cancelMeet",
  /** The meet. */
  meet: DocId,
  /** As in [`Command::PutMeet`]. */
  seenAt: Timestamp | null, } | { "type": "renewMeetLink",
  /** The meet. */
  meet: DocId,
  /** All its fields as the user saw them, also those set by a co-organiser: they count under the new link. */
  fields: MeetFields,
  /** As in [`Command::PutMeet`]. */
  seenAt: Timestamp | null, } | { "type": "grantOrganiser",
  /** The meet. */
  meet: DocId,
  /** The other account. */
  account: AccountId,
  /** Whether it may change the meet. */
  may: boolean, } | { "type": "rsvp",
  /** The meet. */
  meet: DocId,
  /** The answer; absent to remove it. */
  answer: Answer | null, } | { "type": "readToken" } | { "type": "putProfile",
  /** All its fields. */
  fields: ProfileFields, } | { "type": "putSettings",
  /** All its fields. */
  fields: SettingsFields, } | { "type": "nameDevice",
  /** At most 100 characters; empty for none. */
  name: string, } | { "type": "grantDevice",
  /** Its Ed25519 public key, 32 bytes. */
  device: Uint8Array, } | { "type": "checkGrant",
  /** The result of [`Command::GrantDevice`], here or on another device. */
  grant: Uint8Array, } | { "type": "newRecoveryWords" } | { "type": "readRecoveryWords",
  /** The words, with any blanks, commas or numbers between them. */
  text: string, } | { "type": "lookUpRecovery",
  /** The secret. */
  secret: Uint8Array, } | { "type": "enrolRecovery",
  /** 16 random bytes, which twelve words stand for, or the 32 bytes that a passkey gives. */
  secret: Uint8Array, } | { "type": "objectToRecovery",
  /** The key, 32 bytes. */
  key: Uint8Array, } | { "type": "removeKey",
  /** The key, 32 bytes. */
  key: Uint8Array,
  /** The secret of a recovery key, which signs in place of this device. */
  secret?: Uint8Array | null,
  /** Whether everything that the key let in goes, too. Only a recovery key can do that. */
  removesGranted: boolean, } | { "type": "recoverAccount",
  /** The account, as the relay tells it: see [`crate::membership::recovery_lookup`]. */
  account: AccountId,
  /** The secret of the recovery key. */
  secret: Uint8Array, } | { "type": "joinAccount",
  /** The result of [`Command::GrantDevice`] on that device. */
  grant: Uint8Array,
};

/** Why a command was refused. */
export type CommandError = "already_recording" | "not_recording" | "not_finished" | "not_found" | "invalid" | "nothing_left_to_publish" | "too_long_to_publish" | "track_not_here" | "unreadable" | "bad_grant" | "foreign_grant" | "other_account" | "bad_handle" | "too_many" | "relay_unknown" | "nothing_to_import" | "recovery_key_needed" | "not_a_recovery_key";

/** The result of a command. */
export type CommandOutcome = { "type": "done",
  /** The drive, car, entry, comment or meet that was made or changed, if any. */
  doc: DocId | null, } | { "type": "granted",
  /** Its bytes. */
  grant: Uint8Array, } | { "type": "grantChecked",
  /** The account that it lets a device into. */
  account: AccountId,
  /** Twelve digits that both devices show if nobody intercepts the connection: see [`crate::wire::join_check`]. */
  check: string, } | { "type": "importChecked",
  /** One for each drive or document. */
  found: Array<ImportMatch>, } | { "type": "attacked",
  /** Empty if too few drives are shown. */
  looks: Array<LookView>, } | { "type": "documents",
  /** The documents. */
  documents: Array<DocumentRef>, } | { "type": "document",
  /** The document as a file of Automerge: its changes one after another. */
  bytes: Uint8Array, } | { "type": "fixes",
  /** In the format of [`crate::fix::packed`]. */
  fixes: Uint8Array,
  /** The number of fixes in each part. There is a gap between two parts. */
  parts: Array<number>, } | { "type": "recoveryWords",
  /** 16 random bytes. */
  secret: Uint8Array,
  /** The twelve words that stand for them. */
  words: Array<string>, } | { "type": "recoverySecret",
  /** Its bytes: 16 of words, 32 of a passkey. */
  secret: Uint8Array,
  /** What to ask the relay for, hexadecimal: see [`crate::membership::recovery_lookup`]. */
  lookup: string, } | { "type": "wrongWords",
  /** What is wrong with them. */
  wrong: WrongWords, } | { "type": "token",
  /** Its bytes: [`crate::read_token::ReadToken`]. */
  token: Uint8Array,
  /** The time from which on the relay refuses it, by this phone's clock. */
  expiresAt: Timestamp, } | { "type": "refused",
  /** The reason. */
  code: CommandError, } | { "type": "invalid",
  /** The name of the field, as the command has it. */
  field: string,
  /** A description of the accepted values. */
  expected: string, } | { "type": "notStored",
  /** The reason. */
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

/** A place to go to, or a road with its line. */
export type Destination = {
  /** The title of the file. */
  name: string,
  /** Further text; may be empty. */
  description: string,
  /** The address of a page about it; may be empty. */
  link: string,
  /** The place, or the start of the road: longitude and latitude, degrees. */
  position: [number, number],
  /** The line of the road, likewise; empty for a place. */
  line: Array<[number, number]>,
};

/**
 * The id of a document: a UUIDv7 made by the device that creates it, or a UUIDv8 computed from the account.
 *
 * Ids belong to accounts: two accounts that use one id have two documents. A document that others find by its id
 * alone, such as by a link, has an id that is bound to its account ([`DocId::bound`]).
 */
export type DocId = string;

/** The kind of a document, fixed by its first change. It decides how the document syncs and who may read it. */
export type DocKind = "settings" | "profile" | "car" | "drive" | "track" | "published" | "social" | "meet";

/** A document of an archive. */
export type DocumentRef = {
  /** Its kind: settings, profile, car, drive, social or meet. */
  kind: DocKind,
  /** Its id. */
  id: DocId,
  /** The document of its track, for a drive. */
  track: DocId | null,
};

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

/** Which drives are wanted. Every condition must hold; absent ones hold for all drives. */
export type DriveQuery = {
  /**
   * Words, in upper or lower case. Each of them must be part of the title, the notes, or the make, model, nickname,
   * year or colour of the car. At most 200 characters.
   */
  text?: string,
  /** The car. */
  car?: DocId,
  /**
   * The earliest start, as the time at which a clock in UTC shows what a clock showed at the start: `Date.UTC(2026,
   * 5, 14)`, or `valueAsNumber` of an input field.
   */
  from?: Timestamp,
  /** The same for the latest start, which is not included. */
  until?: Timestamp,
  /**
   * West, south, east, north, degrees, as in RFC 7946: the drive was measured there, or at most 1.6 km from there. A
   * drive whose track was never on this device is not found.
   */
  area?: [number, number, number, number],
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

/** Where a drive, its track and its published copy are stored. */
export type DriveSync = { "type": "saving" } | { "type": "onPhone",
  /** The number of changes that the relay has not acknowledged. */
  changes: number,
  /** Their size. After a relay was restored from a backup, lost changes are counted when they are sent. */
  bytes: number,
  /** The number of changes that are pushed and neither acknowledged nor refused. */
  sentChanges: number,
  /** Their size. */
  sentBytes: number,
  /** The number of changes that the relay has acknowledged. */
  ackedChanges: number, } | { "type": "onRelay",
  /** Whether the track is also on this phone. */
  trackHere: boolean, } | { "type": "fetching",
  /** The number of missing changes. */
  changes: number, } | { "type": "refused",
  /** The reason. */
  code: NackCode,
};

/** Sums over drives. */
export type DriveTotals = {
  /** The number of drives, with unfinished ones. */
  drives: number,
  /** The distance, metres. */
  distanceM: number,
  /** The duration, milliseconds. */
  durationMs: number,
  /** The time in motion, milliseconds. */
  movingMs: number,
  /** The ascent, metres. */
  ascentM: number,
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
  /** The start. */
  startedAt: Timestamp,
  /** The UTC offset at the start, in minutes ahead of UTC; absent if unknown. */
  utcOffsetMin: UtcOffset | null,
  /** The end; absent while the drive is not finished. */
  endedAt: Timestamp | null,
  /** The statistics. */
  stats: DriveStats | null,
  /** Its road score; absent while the drive is not finished, and if its track was never on this phone. */
  road: RoadView | null,
  /** West, south, east, north of its track, degrees, as in RFC 7946; absent if `road` is absent, and without any fix. */
  bounds: [number, number, number, number] | null,
  /** The visibility of its published copy; private if the copy is lost. */
  visibility: Visibility,
  /** The id of the published copy. Absent if the copy is lost: neither this phone nor the relay has it. */
  published: DocId | null,
  /** Unresolved concurrent values of several devices. */
  conflicts: Array<DriveConflict>,
  /** Whether the drive was imported, not recorded. */
  isImported: boolean,
  /** Where the drive is stored. */
  sync: DriveSync,
};

/** An effect for the shell to perform. */
export type Effect = { "type": "store",
  /** The number of the transaction, which is part of the answer. */
  batch: number,
  /** The operations in order. */
  ops: Array<StoreOp>, } | { "type": "load",
  /** The number of the request, which is part of the answer. */
  request: number,
  /** The ranges. */
  ranges: Array<KeyRange>, } | { "type": "sign",
  /** The number of the request, which is part of the answer. */
  request: number,
  /** The bytes to sign. */
  bytes: Uint8Array, } | { "type": "connect" } | { "type": "send",
  /** Its bytes. */
  bytes: Uint8Array, } | { "type": "disconnect" } | { "type": "setTimer",
  /** Milliseconds from now. */
  inMs: number,
  /** The reason. */
  why: string, } | { "type": "settled",
  /** The command's `request`. */
  request: number,
  /** Its result. */
  outcome: CommandOutcome, } | { "type": "changed",
  /** The views. */
  topics: Array<Topic>,
};

/** The format of a file to write. */
export type ExportFormat = "gpx" | "geojson" | "csv" | "fit";

/** Why a file cannot be read. */
export type FileError = { "type": "empty" } | { "type": "unknownFormat" } | { "type": "tooLarge" } | { "type": "bomb" } | { "type": "encrypted" } | { "type": "damaged",
  /** The fault, in words of the parser. */
  detail: string, } | { "type": "noPositions" } | { "type": "noTimes" } | { "type": "tooLong" } | { "type": "newerVersion" } | { "type": "unreadable",
  /** The message of the system. */
  detail: string,
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

/** An account that the account follows. */
export type FollowView = {
  /** The followed account. */
  account: AccountId,
  /** The time since when. */
  since: Timestamp,
};

/** A result of reading a file. */
export type Found = { "type": "drive" } & FoundDrive | { "type": "document" } & FoundDocument | { "type": "refused" } & RefusedFile | { "type": "ignored",
  /** The number of these files. */
  files: number,
};

/** A document of an archive of an account. */
export type FoundDocument = {
  /** Its path in the archive. */
  file: string,
  /** Its kind. */
  kind: DocKind,
  /** Its id. */
  id: DocId,
  /** The document as a file of Automerge. */
  bytes: Uint8Array,
  /** The track of a drive, likewise. */
  track: Uint8Array | null,
};

/** A drive of a file. */
export type FoundDrive = {
  /** The name of the file; in an archive its path there. */
  file: string,
  /** The SHA-256 of `fixes`, which is the same under any name and in any archive. */
  source: Uint8Array,
  /** The title in the file; may be empty. At most 200 characters. */
  title: string,
  /** The kind of activity in the file, such as "Ride"; may be empty. */
  kind: string,
  /** The start. */
  startedAt: Timestamp,
  /** The end. */
  endedAt: Timestamp,
  /** West, south, east, north, degrees, as RFC 7946 has it. */
  bounds: [number, number, number, number],
  /** The length of the way through all fixes, metres. The recorder decides which of them count. */
  distanceM: number,
  /** The number of positions in the file, readable or not. */
  points: number,
  /** Whether their order in the file is not that of time. */
  isReordered: boolean,
  /** The parts that could not be read; at most 20 are listed. */
  problems: Array<string>,
  /** The number of problems. */
  problemCount: number,
  /** The positions that have a time, in the order of time, as [`packed`] writes them. */
  fixes: Uint8Array,
};

/** The drives that were found, and their sums. */
export type FoundDrives = {
  /** The drives, newest first. The drive that is being recorded is not among them. */
  drives: Array<DocId>,
  /** The sum of all. */
  total: DriveTotals,
  /** The sums of each year with a drive, the latest first. A period is that of the local time at the start. */
  years: Array<PeriodTotals>,
  /** The sums of each month with a drive, the latest first. */
  months: Array<PeriodTotals>,
  /** The sums of each car, the longest distance first. */
  cars: Array<CarTotals>,
};

/** A comment that the account removed from its published drive. */
export type HiddenCommentView = {
  /** The published copy. */
  drive: DocId,
  /** The author. */
  account: AccountId,
  /** The comment. */
  comment: DocId,
};

/** A drive of a file, to compare it with those that are here. */
export type ImportCandidate = {
  /**
   * The SHA-256 of its fixes, as [`crate::fix::packed`] writes them. It does not depend on the name of the file, or on the
   * archive that has it.
   */
  source: Uint8Array,
  /** The start. */
  startedAt: Timestamp,
  /** The end. */
  endedAt: Timestamp,
  /** West, south, east, north, degrees, as RFC 7946 has it. */
  bounds: [number, number, number, number],
};

/** The comparison of a drive of a file, or of a document of an archive, with those that are here. */
export type ImportMatch = { "type": "new" } | { "type": "here",
  /** The drive or document. */
  doc: DocId, } | { "type": "overlaps",
  /** The drive. */
  doc: DocId, } | { "type": "repeated",
  /** Its index in the list. */
  index: number,
};

/** An event for the replica. */
export type Input = { "type": "start" } | { "type": "fix",
  /** The measurement as reported; it may be invalid. The recording sets its own `recorded_at`. */
  fix: Fix,
  /**
   * The arrival at the page by the monotonic clock of [`Now`](crate::time::Now), milliseconds; absent for the
   * present time.
   */
  arrivedMs?: number, } | { "type": "sensorFailed",
  /** The reason. */
  reason: SensorFailure, } | { "type": "command",
  /** A number chosen by the caller, which is part of the answer. */
  request: number,
  /** The command. */
  command: Command, } | { "type": "stored",
  /** The number of the transaction. */
  batch: number, } | { "type": "storeFailed",
  /** The number of the transaction. */
  batch: number,
  /** The reason. */
  failure: StorageFailure, } | { "type": "loaded",
  /** The number of the request. */
  request: number,
  /** The entries in the requested ranges, ascending in each range. */
  entries: Array<StoredEntry>, } | { "type": "loadFailed",
  /** The number of the request. */
  request: number,
  /** The reason. */
  failure: StorageFailure, } | { "type": "signed",
  /** The number of the request. */
  request: number,
  /** The Ed25519 signature, 64 bytes. */
  signature: Uint8Array, } | { "type": "zone",
  /** The offset ahead of UTC, minutes. */
  utcOffsetMin: number, } | { "type": "network",
  /** Whether there is a network. */
  online: boolean, } | { "type": "connected",
  /**
   * The origin that the shell dialled, as browsers write it: `https://relay.example` for
   * `wss://relay.example/v1/sync`. A signature of the device is valid at this origin only, so it must not come
   * from a message of the relay.
   */
  origin: string, } | { "type": "received",
  /** Its bytes. */
  bytes: Uint8Array, } | { "type": "disconnected" } | { "type": "hidden" } | { "type": "shown" } | { "type": "tick" };

/** The keys from `from` up to and including `to`. */
export type KeyRange = {
  /** The space. */
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

/** The state of the connection to the relay. */
export type LinkStatus = { "type": "offline" } | { "type": "connecting" } | { "type": "syncing" } | { "type": "upToDate" } | { "type": "rejected",
  /** The reason. */
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

/** An area in which an attacker would look for a private place. */
export type LookView = {
  /** The middle of the area that is searched first: longitude and latitude, degrees. */
  position: [number, number],
  /** The land that holds the place with a probability of one half, square metres. */
  searchedM2: number,
  /** The number of ends of shown drives around it. */
  ends: number,
  /** The nearest private place, if one is within 2 km. */
  place: DocId | null,
  /** How far the middle is from that place, metres. */
  offM: number | null,
};

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

/** A meet of the account, or its amendment of another account's meet. */
export type MeetView = {
  /**
   * The id by which others find the meet, which changes when its link is renewed; for an amendment, the amended
   * meet.
   */
  id: DocId,
  /** Whether it is the account's own meet. */
  own: boolean,
  /** The fields as set by the account, without changes of co-organisers. */
  fields: MeetFields,
  /**
   * The fields that the account set, with their times: all fields of an own meet, the amended fields of an
   * amendment.
   */
  said: Array<[keyof MeetFields, Timestamp]>,
  /** Whether some changes are on this phone only. */
  isUnsent: boolean,
  /** The accounts that may also change it. */
  organisers: Array<AccountId>,
};

/** A device of the account. */
export type MemberView = {
  /** Its public key, hexadecimal. */
  key: string,
  /** Whether it was removed. */
  isRemoved: boolean,
  /** The devices that it let in, hexadecimal. They stay when it is removed, except with a recovery key on request. */
  granted: Array<string>,
};

/** The keys that may speak for the account, and those that may not any more. */
export type MembersView = {
  /** Whether this device was removed from the account. */
  isRemoved: boolean,
  /** The devices that this phone knows of, this one among them. */
  devices: Array<MemberView>,
  /** The recovery keys. */
  recovery: Array<RecoveryView>,
};

/** A word that may have been misread. */
export type Misreading = {
  /** Its place, from 0. */
  place: number,
  /** A word that makes the checksum right there. */
  instead: string,
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

/** The sums of a year or a month. */
export type PeriodTotals = {
  /** Such as "2026" or "2026-09". */
  period: string,
  /** The sums. */
  totals: DriveTotals,
};

/** The kind of a place for its owner. It is a label only; [`ZoneSize`] decides what is hidden. */
export type PlaceKind = "stop" | "home" | "work" | "friend" | "open";

/** A private place of the account. */
export type PlaceView = {
  /** The id. */
  id: DocId,
  /** Longitude and latitude, degrees. */
  position: [number, number],
  /** The kind. */
  kind: PlaceKind,
  /** The size of the zone. */
  size: ZoneSize,
  /** Whether it was found at a stop of a drive. */
  isFound: boolean,
  /** The disc inside which nothing is published; absent for an open place. */
  zone: ZoneView | null,
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

/** The account's reaction to a published drive. */
export type ReactionView = {
  /** The published copy. */
  drive: DocId,
  /** The reaction. */
  reaction: Reaction,
};

/** The state of a recording. */
export type RecordingState = "recovering" | "unfinished" | "active" | "paused";

/** The drive that is being recorded. */
export type RecordingView = {
  /** The state of the recording. */
  state: RecordingState,
  /**
   * The last known time before the app was killed; while the drive is unfinished, and while the resumption can be
   * undone.
   */
  leftOffAt: Timestamp | null,
  /**
   * Whether the app should resume an unfinished drive by itself: it was interrupted in mid-drive, at most 10 minutes
   * ago.
   */
  resumesItself: boolean,
  /**
   * Whether the drive was resumed a moment ago, so that [`crate::replica::io::Command::UndoResume`] can make it
   * unfinished again.
   */
  canUndoResume: boolean,
  /** The drive. */
  drive: DocId,
  /** The car it is driven with. */
  car: DocId | null,
  /** The start. */
  startedAt: Timestamp,
  /** The statistics so far. */
  stats: DriveStats,
  /** Speed at the last accepted fix, metres per second; absent if unknown or older than 5 s. */
  speedMps: number | null,
  /** The state of the position signal. */
  signal: Signal,
  /** The number of fixes received since the app started. */
  taken: number,
  /** The number of these that are not on disk yet. */
  unsaved: number,
  /** The last accepted position, `[longitude, latitude]` in degrees. */
  position: [number, number] | null,
  /**
   * Why all recent positions are refused; absent while fixes are accepted. Refused positions are kept and can be
   * taken back.
   */
  notRecording: Refusal | null,
};

/** Whether a recovery key counts. */
export type RecoveryState = { "type": "unsent" } | { "type": "pending",
  /** The time, by the relay's clock. */
  until: Timestamp, } | { "type": "effective" } | { "type": "objected" } | { "type": "revoked" };

/** A recovery key of the account. */
export type RecoveryView = {
  /** The public key, hexadecimal. */
  key: string,
  /** The key that enrolled it, hexadecimal. */
  by: string,
  /** Whether it counts. */
  state: RecoveryState,
};

/** The reasons for which the recorder refuses a fix. The numbers are stored and never change their meaning. */
export type Refusal = "invalid" | "notLater" | "inTheFuture" | "beforeStart" | "tooInaccurate" | "outlier";

/** A file that cannot be read. */
export type RefusedFile = {
  /** The name of the file; in an archive its path there. */
  file: string,
  /** The reason. */
  error: FileError,
};

/** A refused position, which does not count unless it was taken back. */
export type RefusedView = {
  /** Its id, for [`TakeBackRefused`](crate::replica::io::Command::TakeBackRefused). */
  id: string,
  /** The time of its arrival, by the clock of the recording. */
  at: Timestamp,
  /** The position: longitude and latitude, degrees. */
  place: [number, number],
  /** 95 % radius, metres. */
  accuracyM: number | null,
  /** The reason of the refusal. */
  reason: Refusal,
  /** Whether it was taken back and counts. */
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

/** Why the position sensor reports nothing. */
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
  /** The reason. */
  reason: SensorFailure,
};

/** The statements of the account about other accounts, drives and meets. */
export type SocialView = {
  /** The followed accounts, the latest first. */
  follows: Array<FollowView>,
  /** The accepted followers. */
  accepted: Array<AccountId>,
  /** The blocked accounts. */
  blocked: Array<AccountId>,
  /** Its reactions to published drives. */
  reactions: Array<ReactionView>,
  /** Its comments on published drives, the latest first. */
  comments: Array<CommentView>,
  /** Its answers to meets, the latest first. */
  answers: Array<AnswerView>,
  /** Comments of others that it removed from its published drives. */
  hidden: Array<HiddenCommentView>,
};

/** One of the key-value spaces of the phone's storage. In IndexedDB: one object store each. */
export type Space = "meta" | "journal" | "doc" | "row" | "change";

/** The state of storage and sync. */
export type StatusView = {
  /** The phone's storage. */
  storage: StorageStatus,
  /** The connection to the relay. */
  link: LinkStatus,
  /** The number of changes that the relay has not acknowledged. */
  unsentChanges: number,
  /** Their size in bytes; see [`DriveSync::OnPhone`]. */
  unsentBytes: number,
  /** The number of documents with such changes. */
  unsentDocuments: number,
  /** The number of changes that are pushed and neither acknowledged nor refused. */
  sentChanges: number,
  /** Their size in bytes. */
  sentBytes: number,
  /** The number of documents that are being fetched or wait for it. */
  fetchingDocuments: number,
  /** The number of their missing changes. */
  fetchingChanges: number,
  /** The number of documents on this phone or on the relay. */
  documents: number,
  /** The number of documents with refused changes. */
  refused: number,
  /** The reason for the first of them. */
  refusal: NackCode | null,
};

/** Why storage failed. */
export type StorageFailure = "quotaExceeded" | "aborted" | "unavailable";

/** The state of the phone's storage. */
export type StorageStatus = { "type": "saved" } | { "type": "saving" } | { "type": "failing",
  /** The reason. */
  failure: StorageFailure,
};

/** One operation of a transaction. */
export type StoreOp = { "type": "put" } & StoredEntry | { "type": "delete" } & KeyRange;

/** A key and its value. */
export type StoredEntry = {
  /** The space. */
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

/** A view that can change. */
export type Topic = "recording" | "drives" | "track" | "cars" | "social" | "meets" | "account" | "members" | "status";

/** The opened drive's track. */
export type TrackView = { "type": "loading",
  /** The drive. */
  drive: DocId, } | { "type": "ready",
  /** The drive. */
  drive: DocId,
  /** The line for a map. */
  line: Line,
  /** The parts that a published copy hides, gaps as straight lines. */
  hidden: Line,
  /** The distance that a published copy would show, metres; absent if that is too little to be published. */
  shownM: number | null,
  /** The profile for charts. */
  profile: Profile,
  /** Its road score. */
  road: RoadView,
  /** The lines of the stretches in `road`, in their order. */
  stretches: Array<Line>,
  /**
   * The refused positions, which are kept: the first 5,000. During a recording those of the last minute are
   * missing.
   */
  refused: Array<RefusedView>, } | { "type": "unavailable",
  /** The drive. */
  drive: DocId,
  /** The reason. */
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

/** What is wrong with words that a person typed. */
export type WrongWords = { "type": "count",
  /** How many there are. */
  words: number, } | { "type": "unknown",
  /** Its place, from 0. */
  place: number,
  /** The word. */
  word: string,
  /** The words of the list that begin like it, or differ from it by one letter; at most four. */
  similar: Array<string>, } | { "type": "checksum",
  /** The places at which a similar word makes the checksum right, each with that word; at most four. */
  misreadings: Array<Misreading>,
};

/** The size of the zone of a place. */
export type ZoneSize = "none" | "standard" | "large";

/** A disc inside which nothing is published. Its centre is not the place. */
export type ZoneView = {
  /** Longitude and latitude of the centre, degrees. */
  center: [number, number],
  /** The radius, metres. */
  radiusM: number,
};
