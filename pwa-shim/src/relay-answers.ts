// What the relay tells of people, drives and meets: the shapes of its answers, checked as far as this package relies on them.

import { type Check, listOf, number, object, oneOf, orElse, orNull, position, record, text, truth } from "./checks.ts";
import type {
  AccountId,
  Answer,
  DocId,
  DriveStats,
  Line,
  MeetFields,
  Profile,
  Reaction,
  Timestamp,
  Visibility,
} from "./generated/types.ts";

/** A page of something. */
export type Page<Name extends string, T> = { [K in Name]: T[] } & {
  /** What the next page wants as `after`; absent on the last. */
  next: string | null;
};

/** Somebody, as lists show them. */
export interface Person {
  account: AccountId;
  /** By which name others find them. */
  handle: string | null;
  displayName: string | null;
}

/** Somebody in full. */
export interface PersonPage extends Person {
  bio: string;
  byApproval: boolean;
  /** Whether the reader follows them. */
  isFollowed: boolean;
  /** Whether that counts: they accepted the reader, or accept everyone. */
  isAccepted: boolean;
}

/** One's own profile as the relay has it. */
export interface OwnProfile extends Person {
  bio: string;
  byApproval: boolean;
  /** Whether one's handle is one's own, or somebody else claimed it first. */
  handleState: "none" | "handle_invalid" | "handle_taken" | "held" | null;
  /** Documents of which the relay shows what it read last, because it cannot read what came since. */
  quarantined: QuarantinedDocument[];
  /** Published drives and meets that nobody is shown, because nobody can verify that their ids are this account's. */
  notShown: NotShownDocument[];
}

/** A published drive or a meet that the relay keeps, but shows to nobody. */
export interface NotShownDocument {
  document: DocId;
  kind: QuarantinedDocument["kind"];
}

/** A document that the relay keeps and passes on, but can no longer read. */
export interface QuarantinedDocument {
  document: DocId;
  kind: "settings" | "profile" | "car" | "drive" | "track" | "published" | "social" | "meet" | null;
  reason: "unreadable" | "too_large" | null;
}

/** Somebody who follows, or is followed. */
export type Follower = Person & {
  since: Timestamp;
  /** Whether the reader follows them. */
  isFollowed: boolean;
};

/** The public face of somebody's car. */
export interface PublicCar {
  id: DocId;
  make: string;
  model: string;
  year: number | null;
  nickname: string;
  colour: string;
}

/** How many feel what about a drive. */
export type ReactionCounts = Record<Reaction, number>;

/** A published drive. Everything in it is of the part that is shown; its start is told to the hour. */
export interface PublishedDrive extends Person {
  id: DocId;
  title: string;
  startedAt: Timestamp;
  /** What the clocks showed where it began, as minutes ahead of UTC. */
  utcOffsetMin: number | null;
  car: string | null;
  stats: DriveStats;
  visibility: Visibility;
}

/** A drive as a feed lists it, with a line of few points. Counts end at 1,000, which stands for more, too. */
export type FeedDrive = PublishedDrive & {
  line: Line;
  reactions: ReactionCounts;
  comments: number;
  /** What the reader feels. */
  mine: Reaction | null;
};

/** A page of drives, newest first. */
export type FeedPage = Page<"drives", FeedDrive>;

/** A published drive with its whole track. */
export type PublishedTrack = PublishedDrive & { line: Line; profile: Profile };

/** Something in the home feed. */
export type HomeItem = ({ kind: "drive" } & FeedDrive) | ({ kind: "meet" } & Meet);

/** What people feel about a drive. */
export type DriveReactions = Page<"reactions", Person & { reaction: Reaction | null }> & {
  counts: ReactionCounts;
  /** What the reader feels. */
  mine: Reaction | null;
};

/** What somebody says about a drive. */
export interface DriveComment extends Person {
  id: DocId;
  at: Timestamp;
  text: string;
  isMine: boolean;
}

/** A meet, as it is after everybody who may has changed it; its organiser is the person in it. */
export interface Meet extends MeetFields, Person {
  id: DocId;
}

/** How many answered what. */
export type AnswerCounts = Record<Answer, number>;

/** A meet with what was answered to it. */
export interface MeetPage extends Meet {
  /** Who besides its organiser may change it. */
  organisers: AccountId[];
  /** When the newest of it was set, by the clock of who set it: `putMeet` and `amendMeet` want it. */
  changedAt: Timestamp | null;
  answers: AnswerCounts;
  /** What the reader answered. */
  myAnswer: Answer | null;
}

/** Somebody who answered to a meet. */
export type Attendee = Person & {
  answer: Answer | null;
  /** Whether the reader follows them. */
  isFollowed: boolean;
  /** How many both of them follow. */
  followedInCommon: number;
};

const reaction = oneOf<Reaction>("like", "wow", "road", "car");
const answer = oneOf<Answer>("going", "maybe", "no");
const zero = orElse(number, 0);

const personFields = { account: text, handle: orNull(text), displayName: orNull(text) };
export const person: Check<Person> = object<Person>(personFields);

export const personPage: Check<PersonPage> = object<PersonPage>({
  ...personFields,
  bio: text,
  byApproval: truth,
  isFollowed: truth,
  isAccepted: truth,
});

const documentKind = oneOf("settings", "profile", "car", "drive", "track", "published", "social", "meet");

const quarantinedDocument: Check<QuarantinedDocument> = object<QuarantinedDocument>({
  document: text,
  kind: documentKind,
  reason: oneOf("unreadable", "too_large"),
});

const notShownDocument: Check<NotShownDocument> = object<NotShownDocument>({ document: text, kind: documentKind });

export const ownProfile: Check<OwnProfile> = object<OwnProfile>({
  ...personFields,
  bio: text,
  byApproval: truth,
  handleState: oneOf("none", "handle_invalid", "handle_taken", "held"),
  quarantined: orElse(listOf(quarantinedDocument), []),
  notShown: orElse(listOf(notShownDocument), []),
});

export const follower: Check<Follower> = object<Follower>({ ...personFields, since: number, isFollowed: truth });

export const publicCar: Check<PublicCar> = object<PublicCar>({
  id: text,
  make: text,
  model: text,
  year: orNull(number),
  nickname: text,
  colour: orElse(text, ""),
});

// A visibility of a newer version is narrower than anything known here.
const visibility: Check<Visibility> = (value) => oneOf<Visibility>("private", "followers", "link", "public")(value) ?? "private";

const driveFields = {
  ...personFields,
  account: orElse(text, ""),
  id: text,
  title: text,
  startedAt: number,
  utcOffsetMin: orNull(number),
  car: orNull(text),
  stats: (value: unknown) => record(value) as unknown as DriveStats,
  visibility,
};
export const publishedDrive: Check<PublishedDrive> = object<PublishedDrive>(driveFields);

/** A MultiLineString's coordinates. */
export const line: Check<Line> = (value) => ({ parts: listOf(listOf(position))(value) });

const counts = object<ReactionCounts>({ like: zero, wow: zero, road: zero, car: zero });

export const feedDrive: Check<FeedDrive> = object<FeedDrive>({
  ...driveFields,
  line,
  reactions: (value) => counts(value ?? {}),
  comments: zero,
  mine: reaction,
});

export const driveReactions: Check<DriveReactions> = object<DriveReactions>({
  counts,
  mine: reaction,
  reactions: listOf(object<Person & { reaction: Reaction | null }>({ ...personFields, reaction })),
  next: orNull(text),
});

export const driveComment: Check<DriveComment> = object<DriveComment>({ ...personFields, id: text, at: number, text, isMine: truth });

const meetFields = {
  ...personFields,
  id: text,
  title: text,
  text,
  place: text,
  position: orNull(position),
  startsAt: number,
  endsAt: orNull(number),
  timeZone: text,
  capacity: orNull(number),
  visibility,
  cancelled: truth,
};
export const meet: Check<Meet> = object<Meet>(meetFields);

export const meetPage: Check<MeetPage> = object<MeetPage>({
  ...meetFields,
  organisers: listOf(text),
  changedAt: orNull(number),
  answers: object<AnswerCounts>({ going: zero, maybe: zero, no: zero }),
  myAnswer: answer,
});

export const attendee: Check<Attendee> = object<Attendee>({
  ...personFields,
  answer,
  isFollowed: orElse(truth, false),
  followedInCommon: zero,
});

/** An item of the home feed; of a sort that only a newer version knows, nothing. */
export const homeItem: Check<HomeItem | null> = (value) => {
  const { kind } = record(value);
  if (kind === "drive") return { kind, ...feedDrive(value) };
  return kind === "meet" ? { kind, ...meet(value) } : null;
};

export function pageOf<Name extends string, T>(name: Name, item: Check<T>): Check<Page<Name, T>> {
  return object({ [name]: listOf(item), next: orNull(text) } as never) as Check<Page<Name, T>>;
}

/** A published drive as GeoJSON, its columns in one profile. */
export const publishedTrack: Check<PublishedTrack> = (value) => {
  const feature = record(value);
  const properties = record(feature["properties"]);
  const lines = line(record(feature["geometry"])["coordinates"]);
  return { ...publishedDrive(properties), line: lines, profile: profileOf(lines, listOf(record)(properties["parts"])) };
};

/** The columns of the parts in one, with `null` where there is a gap, as core's own profiles have them. */
function profileOf(line: Line, parts: Record<string, unknown>[]): Profile {
  const profile: Profile = { elapsedS: [], wayM: [], speedMps: [], altitudeM: [] };
  const column = listOf(orNull(number));
  let wayM = 0;
  let before: [number, number] | undefined;
  parts.forEach((columns, index) => {
    const [speeds, altitudes] = [column(columns["speedMps"]), column(columns["altitudeM"])];
    const elapsed = listOf(number)(columns["elapsedMs"]).map((ms) => ms / 1000);
    line.parts[index]?.forEach((point, i) => {
      const isAfterGap = i === 0 && before !== undefined && !isCut(before, point);
      wayM += before ? planeDistanceM(before, point) : 0;
      before = point;
      if (isAfterGap) push(elapsed[i] ?? 0, null, null);
      push(elapsed[i] ?? 0, speeds[i] ?? null, altitudes[i] ?? null);
    });
  });
  return profile;

  function push(elapsedS: number, speedMps: number | null, altitudeM: number | null): void {
    profile.elapsedS.push(elapsedS);
    profile.wayM.push(wayM);
    profile.speedMps.push(speedMps);
    profile.altitudeM.push(altitudeM);
  }
}

/** Whether a line was cut between two positions because it crosses the date line: there is no gap. */
function isCut([lonA, latA]: [number, number], [lonB, latB]: [number, number]): boolean {
  return Math.abs(lonA) === 180 && lonB === -lonA && latA === latB;
}

/** Between two neighbouring positions, for the axis of a chart: on a plane, on a sphere of the earth's mean radius. */
function planeDistanceM([lonA, latA]: [number, number], [lonB, latB]: [number, number]): number {
  const metresPerDegree = (6_371_008.8 * Math.PI) / 180;
  const shrink = Math.cos((((latA + latB) / 2) * Math.PI) / 180);
  const lonStep = lonB - lonA - 360 * Math.round((lonB - lonA) / 360);
  return Math.hypot(lonStep * shrink, latB - latA) * metresPerDegree;
}
