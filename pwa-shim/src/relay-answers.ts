// Answers of the relay about people, drives and meets. Their types and checks are generated from its OpenAPI description; this
// file converts coordinates to the core's types, and gives each type the name under which the package exports it.

import { type Checked, listOf, oneOf, position } from "./checks.ts";
import type { components } from "./generated/http.ts";
import type { Line, Profile, Reaction, Visibility } from "./generated/types.ts";

type Schemas = components["schemas"];

/** A page of a list. */
export type Page<Name extends string, T> = { [K in Name]: T[] } & {
  /** The `after` of the next page; `null` on the last page. */
  next: string | null;
};

/** A person in a list. */
export type Person = Pick<Follower, "account" | "handle" | "displayName">;
/** A person's profile. */
export type PersonPage = Checked<Schemas["PersonBody"]>;
/** The reader's own profile as the relay has it. */
export type OwnProfile = Checked<Schemas["OwnProfile"]>;
/** A device of the reader's account as the relay knows it. */
export type OwnDevice = Checked<Schemas["OwnDevice"]>;
/** An account that a recovery key can bring back; `from` is when, if not yet. */
export type RecoverableAccount = Checked<Schemas["RecoverableAccount"]>;

/** Something of the reader that an operator of the relay hides from others. */
export type HiddenItem = Checked<Schemas["HiddenItem"]>;

/** The reader's inbox: positions of background recorders, and the drives in them. */
export type Inbox = Checked<Schemas["OwnInbox"]>;
/** A drive in an inbox. */
export type InboxDrive = Checked<Schemas["InboxDriveItem"]>;
/** Positions in an inbox: those of a recorder up to a time that had arrived when the inbox was read. */
export type InboxPortion = Schemas["InboxPortion"];

/** A report to the operators of the relay. A comment needs the fields `account` and `drive`. */
export type Report = Schemas["NewReportBody"];

/** Why something is reported. */
export type ReportReason = Schemas["ReportReasonName"];
/** A published drive or a meet that the relay keeps, but shows to nobody. */
export type NotShownDocument = Checked<Schemas["NotShownDocument"]>;
/** A document that the relay keeps and syncs, but can no longer read. */
export type QuarantinedDocument = Checked<Schemas["QuarantinedDocument"]>;
/** A person who follows, or is followed. */
export type Follower = Checked<Schemas["PersonItem"]>;
/** The public part of a person's car. */
export type PublicCar = Checked<Schemas["PublicCar"]>;
/** The number of reactions of each kind to a drive. */
export type ReactionCounts = Checked<Schemas["ReactionCounts"]>;
/** A comment on a drive. */
export type DriveComment = Checked<Schemas["CommentItem"]>;
/** The number of answers of each kind to a meet. */
export type AnswerCounts = Checked<Schemas["AnswerCounts"]>;
/** A person who answered to a meet. */
export type Attendee = Checked<Schemas["AttendeeItem"]>;

/** A drive in a feed, with a simplified line. Counts end at 1,000, which also stands for more. */
export type FeedDrive = Omit<Checked<Schemas["DriveItem"]>, "line" | "mine" | "visibility"> & {
  line: Line;
  /** The reader's reaction. */
  mine: Reaction | null;
  visibility: Visibility;
};

/** A page of drives, newest first. */
export type FeedPage = Page<"drives", FeedDrive>;

/** A published drive with its whole track. Its start is rounded to the hour. */
export type PublishedTrack = Omit<Checked<Schemas["DriveProperties"]>, "parts"> & { line: Line; profile: Profile };

/** A published drive without its track. */
export type PublishedDrive = Omit<PublishedTrack, "line" | "profile">;

/** An item of the home feed. */
export type HomeItem = ({ kind: "drive" } & FeedDrive) | ({ kind: "meet" } & Meet);

/** A page of the reactions to a drive. */
export type DriveReactions = Page<"reactions", Person & { reaction: Reaction | null }> & {
  counts: ReactionCounts;
  /** The reader's reaction. */
  mine: Reaction | null;
};

/** A meet with the changes of everybody who may change it; the person in it is the organiser. */
export type Meet = ReturnType<typeof meet>;

/** A meet with the answers to it. */
export type MeetPage = ReturnType<typeof meetPage>;

const reaction = oneOf<Reaction>("like", "wow", "road", "car");

export function feedDrive(drive: Checked<Schemas["DriveItem"]>): FeedDrive {
  return { ...drive, line: lineOf(drive.line), mine: reaction(drive.mine), visibility: visibilityOf(drive.visibility) };
}

export function feedPage({ drives, next }: Checked<Schemas["DrivePage"]>): FeedPage {
  return { drives: drives.map(feedDrive), next };
}

/** Leaves out items of a kind that only a newer relay knows. */
export function homePage({ items, next }: Checked<Schemas["HomePage"]>): Page<"items", HomeItem> {
  const known = items.flatMap((item): HomeItem[] => {
    switch (item?.kind) {
      case undefined:
        return [];
      case "drive":
        return [{ ...feedDrive(item), kind: "drive" }];
      case "meet":
        return [{ ...meet(item), kind: "meet" }];
      default:
        return item satisfies never;
    }
  });
  return { items: known, next };
}

export function driveReactions({ counts, mine, reactions, next }: Checked<Schemas["ReactionPage"]>): DriveReactions {
  return {
    counts,
    mine: reaction(mine),
    reactions: reactions.map((one) => ({ ...one, reaction: reaction(one.reaction) })),
    next,
  };
}

export function meet<Item extends Checked<Schemas["MeetItem"]>>(item: Item) {
  const place = item.position === null ? null : position(item.position, "position");
  return { ...item, position: place, visibility: visibilityOf(item.visibility) };
}

export function meetPage(body: Checked<Schemas["MeetBody"]>) {
  return meet<typeof body>(body);
}

export function meetList({ meets, next }: Checked<Schemas["MeetPage"]>): Page<"meets", Meet> {
  return { meets: meets.map(meet), next };
}

/** A published drive from its GeoJSON Feature, with the columns of its parts in one profile. */
export function publishedTrack({ geometry, properties }: Checked<Schemas["DriveFeature"]>): PublishedTrack {
  const { parts, ...drive } = properties;
  const line = lineOf(geometry.coordinates);
  return { ...drive, line, profile: profileOf(line, parts) };
}

export function lineOf(coordinates: number[][][]): Line {
  return { parts: listOf(listOf(position))(coordinates, "line") };
}

/** A visibility that only a newer relay knows is narrower than those known here. */
function visibilityOf(visibility: Visibility | null): Visibility {
  return visibility ?? "private";
}

/** The columns of the parts in one, with `null` where there is a gap, like the core's own profiles. */
function profileOf(line: Line, parts: Checked<Schemas["DrivePart"]>[]): Profile {
  const profile: Profile = { elapsedS: [], wayM: [], speedMps: [], altitudeM: [] };
  let wayM = 0;
  let before: [number, number] | undefined;
  parts.forEach(({ elapsedMs, speedMps, altitudeM }, index) => {
    line.parts[index]?.forEach((point, i) => {
      const elapsedS = (elapsedMs[i] ?? 0) / 1000;
      const isAfterGap = i === 0 && before !== undefined && !isCut(before, point);
      wayM += before ? planeDistanceM(before, point) : 0;
      before = point;
      if (isAfterGap) push(elapsedS, null, null);
      push(elapsedS, speedMps[i] ?? null, altitudeM[i] ?? null);
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

/** Whether two positions are where a line was cut at the date line: there is no gap. */
function isCut([lonA, latA]: [number, number], [lonB, latB]: [number, number]): boolean {
  return Math.abs(lonA) === 180 && lonB === -lonA && latA === latB;
}

/** The distance of two neighbouring positions for the axis of a chart: on a plane, with the mean radius of the earth (IUGG). */
function planeDistanceM([lonA, latA]: [number, number], [lonB, latB]: [number, number]): number {
  const metresPerDegree = (6_371_008.8 * Math.PI) / 180;
  const shrink = Math.cos((((latA + latB) / 2) * Math.PI) / 180);
  const lonStep = lonB - lonA - 360 * Math.round((lonB - lonA) / 360);
  return Math.hypot(lonStep * shrink, latB - latA) * metresPerDegree;
}
