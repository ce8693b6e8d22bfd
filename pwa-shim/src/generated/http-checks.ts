// Generated from sync-server/openapi.json by `just types`. Do not edit.

import { type Check, type Checked, exactly, listOf, merged, number, object, oneOf, orNull, text, truth, variants } from "../checks.ts";
import type { components } from "./http.ts";

type Schemas = components["schemas"];

export const reactionCounts: Check<Checked<Schemas["ReactionCounts"]>> = object({
  car: number,
  like: number,
  road: number,
  wow: number,
});
export const driveStats: Check<Checked<Schemas["DriveStats"]>> = object({
  ascentM: number,
  descentM: number,
  distanceM: number,
  durationMs: number,
  fixes: number,
  gapDistanceM: number,
  gaps: number,
  maxSpeedMps: number,
  meanSpeedMps: number,
  movingMs: number,
  refused: number,
});
export const visibilityName: Check<Checked<Schemas["VisibilityName"]>> = oneOf("private", "followers", "link", "public");
export const driveItem: Check<Checked<Schemas["DriveItem"]>> = object({
  account: text,
  bbox: listOf(number),
  car: orNull(text),
  comments: number,
  displayName: orNull(text),
  handle: orNull(text),
  id: text,
  line: listOf(listOf(listOf(number))),
  mine: orNull(text),
  reactions: reactionCounts,
  startedAt: number,
  stats: driveStats,
  title: text,
  utcOffsetMin: orNull(number),
  visibility: visibilityName,
});
export const drivePage: Check<Checked<Schemas["DrivePage"]>> = object({
  drives: listOf(driveItem),
  next: orNull(text),
});
export const homeDriveKind: Check<Checked<Schemas["HomeDriveKind"]>> = exactly("drive");
export const homeDrive: Check<Checked<Schemas["HomeDrive"]>> = merged(driveItem, object({
  kind: homeDriveKind,
}));
export const meetItem: Check<Checked<Schemas["MeetItem"]>> = object({
  account: text,
  cancelled: truth,
  capacity: orNull(number),
  displayName: orNull(text),
  endsAt: orNull(number),
  handle: orNull(text),
  id: text,
  place: text,
  position: orNull(listOf(number)),
  startsAt: number,
  text: text,
  timeZone: text,
  title: text,
  visibility: visibilityName,
});
export const homeMeetKind: Check<Checked<Schemas["HomeMeetKind"]>> = exactly("meet");
export const homeMeet: Check<Checked<Schemas["HomeMeet"]>> = merged(meetItem, object({
  kind: homeMeetKind,
}));
export const homeEntry: Check<Checked<Schemas["HomeEntry"]>> = variants("kind", {
  drive: homeDrive,
  meet: homeMeet,
});
export const homePage: Check<Checked<Schemas["HomePage"]>> = object({
  items: listOf(homeEntry),
  next: orNull(text),
});
export const linesType: Check<Checked<Schemas["LinesType"]>> = exactly("MultiLineString");
export const lines: Check<Checked<Schemas["Lines"]>> = object({
  coordinates: listOf(listOf(listOf(number))),
  type: linesType,
});
export const driveHead: Check<Checked<Schemas["DriveHead"]>> = object({
  account: text,
  car: orNull(text),
  displayName: orNull(text),
  handle: orNull(text),
  id: text,
  startedAt: number,
  stats: driveStats,
  title: text,
  utcOffsetMin: orNull(number),
});
export const gapName: Check<Checked<Schemas["GapName"]>> = oneOf("noSignal", "hidden", "restarted", "paused");
export const drivePart: Check<Checked<Schemas["DrivePart"]>> = object({
  altitudeM: listOf(orNull(number)),
  elapsedMs: listOf(number),
  gap: gapName,
  speedMps: listOf(orNull(number)),
});
export const driveProperties: Check<Checked<Schemas["DriveProperties"]>> = merged(driveHead, object({
  parts: listOf(drivePart),
}));
export const featureType: Check<Checked<Schemas["FeatureType"]>> = exactly("Feature");
export const driveFeature: Check<Checked<Schemas["DriveFeature"]>> = object({
  bbox: listOf(number),
  geometry: lines,
  id: text,
  properties: driveProperties,
  type: featureType,
});
export const reactionItem: Check<Checked<Schemas["ReactionItem"]>> = object({
  account: text,
  displayName: orNull(text),
  handle: orNull(text),
  isMine: truth,
  reaction: text,
});
export const reactionPage: Check<Checked<Schemas["ReactionPage"]>> = object({
  counts: reactionCounts,
  mine: orNull(text),
  next: orNull(text),
  reactions: listOf(reactionItem),
});
export const commentItem: Check<Checked<Schemas["CommentItem"]>> = object({
  account: text,
  at: number,
  displayName: orNull(text),
  handle: orNull(text),
  id: text,
  isHidden: truth,
  isMine: truth,
  text: text,
});
export const commentPage: Check<Checked<Schemas["CommentPage"]>> = object({
  comments: listOf(commentItem),
  count: number,
  next: orNull(text),
});
export const handleState: Check<Checked<Schemas["HandleState"]>> = oneOf("none", "handle_invalid", "handle_taken", "held");
export const documentKind: Check<Checked<Schemas["DocumentKind"]>> = oneOf("settings", "profile", "car", "drive", "track", "published", "social", "meet");
export const notShownDocument: Check<Checked<Schemas["NotShownDocument"]>> = object({
  document: text,
  kind: documentKind,
});
export const quarantineReason: Check<Checked<Schemas["QuarantineReason"]>> = oneOf("unreadable", "too_large");
export const quarantinedDocument: Check<Checked<Schemas["QuarantinedDocument"]>> = object({
  document: text,
  kind: documentKind,
  reason: quarantineReason,
});
export const ownProfile: Check<Checked<Schemas["OwnProfile"]>> = object({
  account: text,
  bio: text,
  byApproval: truth,
  displayName: text,
  handle: text,
  handleState: handleState,
  notShown: listOf(notShownDocument),
  quarantined: listOf(quarantinedDocument),
});
export const hiddenTarget: Check<Checked<Schemas["HiddenTarget"]>> = oneOf("account", "drive", "meet", "comment");
export const hiddenItem: Check<Checked<Schemas["HiddenItem"]>> = object({
  decidedAt: number,
  document: text,
  link: text,
  reason: text,
  target: hiddenTarget,
});
export const hiddenItems: Check<Checked<Schemas["HiddenItems"]>> = object({
  account: text,
  items: listOf(hiddenItem),
});
export const inboxDriveItem: Check<Checked<Schemas["InboxDriveItem"]>> = object({
  distanceM: number,
  endedAt: number,
  fixes: number,
  isFinished: truth,
  receivedAt: number,
  recorder: text,
  source: text,
  startedAt: number,
});
export const idleItem: Check<Checked<Schemas["IdleItem"]>> = object({
  receivedAt: number,
  recorder: text,
  until: number,
});
export const ownInbox: Check<Checked<Schemas["OwnInbox"]>> = object({
  drives: listOf(inboxDriveItem),
  idle: listOf(idleItem),
  postedAt: orNull(number),
  refused: number,
  secret: orNull(text),
  waiting: number,
});
export const ownDevice: Check<Checked<Schemas["OwnDevice"]>> = object({
  addedAt: number,
  grantedBy: orNull(text),
  key: text,
  removedAt: orNull(number),
  seenAt: orNull(number),
});
export const ownDevices: Check<Checked<Schemas["OwnDevices"]>> = object({
  items: listOf(ownDevice),
});
export const recoverableAccount: Check<Checked<Schemas["RecoverableAccount"]>> = object({
  account: text,
  from: orNull(number),
});
export const recoverableAccounts: Check<Checked<Schemas["RecoverableAccounts"]>> = object({
  items: listOf(recoverableAccount),
});
export const personItem: Check<Checked<Schemas["PersonItem"]>> = object({
  account: text,
  displayName: orNull(text),
  handle: orNull(text),
  isFollowed: truth,
  since: number,
});
export const peoplePage: Check<Checked<Schemas["PeoplePage"]>> = object({
  isHidden: truth,
  next: orNull(text),
  people: listOf(personItem),
});
export const personBody: Check<Checked<Schemas["PersonBody"]>> = object({
  account: text,
  bio: text,
  byApproval: truth,
  displayName: text,
  handle: orNull(text),
  isAccepted: truth,
  isFollowed: truth,
});
export const foundPerson: Check<Checked<Schemas["FoundPerson"]>> = object({
  account: text,
  displayName: text,
  handle: text,
});
export const foundPage: Check<Checked<Schemas["FoundPage"]>> = object({
  next: orNull(text),
  people: listOf(foundPerson),
});
export const publicCar: Check<Checked<Schemas["PublicCar"]>> = object({
  colour: text,
  id: text,
  make: text,
  model: text,
  nickname: text,
  year: orNull(number),
});
export const publicCarPage: Check<Checked<Schemas["PublicCarPage"]>> = object({
  cars: listOf(publicCar),
  next: orNull(text),
});
export const meetPage: Check<Checked<Schemas["MeetPage"]>> = object({
  meets: listOf(meetItem),
  next: orNull(text),
});
export const answerCounts: Check<Checked<Schemas["AnswerCounts"]>> = object({
  going: number,
  maybe: number,
  no: number,
});
export const answerName: Check<Checked<Schemas["AnswerName"]>> = oneOf("going", "maybe", "no");
export const meetBody: Check<Checked<Schemas["MeetBody"]>> = merged(meetItem, object({
  answers: answerCounts,
  changedAt: number,
  myAnswer: answerName,
  organisers: listOf(text),
  sequence: number,
}));
export const attendeeItem: Check<Checked<Schemas["AttendeeItem"]>> = object({
  account: text,
  answer: answerName,
  displayName: orNull(text),
  followedInCommon: number,
  handle: orNull(text),
  isFollowed: truth,
});
export const attendeePage: Check<Checked<Schemas["AttendeePage"]>> = object({
  answers: answerCounts,
  attendees: listOf(attendeeItem),
  next: orNull(text),
});
export const lineType: Check<Checked<Schemas["LineType"]>> = exactly("LineString");
export const line: Check<Checked<Schemas["Line"]>> = object({
  coordinates: listOf(listOf(number)),
  type: lineType,
});
export const roadGeometry: Check<Checked<Schemas["RoadGeometry"]>> = variants("type", {
  LineString: line,
  MultiLineString: lines,
});
export const driversName: Check<Checked<Schemas["DriversName"]>> = oneOf("few", "10+", "25+", "50+");
export const roadParts: Check<Checked<Schemas["RoadParts"]>> = object({
  corners: number,
  flow: number,
  relief: orNull(number),
  twist: number,
  variety: number,
});
export const roadProperties: Check<Checked<Schemas["RoadProperties"]>> = object({
  bearingDeg: number,
  drivers: driversName,
  drives: orNull(listOf(driveItem)),
  lengthM: number,
  measuredM: number,
  parts: roadParts,
  score: number,
});
export const roadFeature: Check<Checked<Schemas["RoadFeature"]>> = object({
  geometry: roadGeometry,
  id: text,
  properties: roadProperties,
  type: featureType,
});
export const collectionType: Check<Checked<Schemas["CollectionType"]>> = exactly("FeatureCollection");
export const roadCollection: Check<Checked<Schemas["RoadCollection"]>> = object({
  features: listOf(roadFeature),
  next: orNull(text),
  type: collectionType,
});
