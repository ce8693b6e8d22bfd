// The interface of the core. The WASM binding implements it; unit tests have other implementations.

import type {
  AccountView,
  Bootstrap,
  CarView,
  DriveQuery,
  DriveView,
  Effect,
  FoundDrives,
  Input,
  MeetView,
  MembersView,
  Now,
  RecordingView,
  SocialView,
  StatusView,
  Topic,
  TrackView,
} from "./generated/types.ts";

/** An open replica. Its first input is `start`. */
export interface Core {
  handle(now: Now, input: Input): Effect[];
  recording(now: Now): RecordingView | null;
  drives(): DriveView[];
  findDrives(query: DriveQuery): FoundDrives;
  cars(): CarView[];
  social(): SocialView;
  meets(): MeetView[];
  track(): TrackView | null;
  account(): AccountView;
  members(now: Now): MembersView;
  status(): StatusView;
}

/** The state of storage and sync. */
export type Status = StatusView & {
  /**
   * Whether the relay answers HTTP requests but refuses the sync connections of this page. Its origin is not allowed there, or
   * a proxy does not pass on WebSockets.
   */
  isPageRefused: boolean;
};

/** Opens a replica. */
export type OpenCore = (opening: Bootstrap) => Core;

/** The views by topic. */
export interface Views {
  recording: RecordingView | null;
  drives: DriveView[];
  cars: CarView[];
  social: SocialView;
  meets: MeetView[];
  track: TrackView | null;
  account: AccountView;
  members: MembersView;
  status: Status;
}

/** All topics. Subscribers read all of them again when another tab took over. */
export const TOPICS = [
  "recording",
  "drives",
  "track",
  "cars",
  "social",
  "meets",
  "account",
  "members",
  "status",
] as const satisfies readonly Topic[];

/** Reads the view of one topic. */
export function readView(core: Core, topic: Topic, now: Now, isPageRefused: boolean): Views[Topic] {
  switch (topic) {
    case "recording":
      return core.recording(now);
    case "drives":
      return core.drives();
    case "cars":
      return core.cars();
    case "social":
      return core.social();
    case "meets":
      return core.meets();
    case "track":
      return core.track();
    case "account":
      return core.account();
    case "members":
      return core.members(now);
    case "status":
      return { ...core.status(), isPageRefused };
    default:
      return topic satisfies never;
  }
}
