// Where in the app this page is: the part of the address after `#`, so that any server can serve it.

import { signal } from "@preact/signals";

import { restoreScroll } from "./scroll.ts";

export type Route =
  | { screen: "record" }
  | { screen: "drives" }
  | { screen: "drive"; id: string }
  | { screen: "feed" }
  | { screen: "roads" }
  | { screen: "road"; id: string }
  | { screen: "public"; id: string }
  | { screen: "person"; name: string }
  /** Who follows somebody, whom they follow, and whom of those one follows, too. */
  | { screen: FollowsScreen; name: string }
  | { screen: "people" }
  | { screen: "meets" }
  | { screen: "meet"; id: string }
  | { screen: "newMeet" }
  | { screen: "editMeet"; id: string }
  | { screen: "garage" }
  | { screen: "car"; id: string }
  | { screen: "settings" }
  /** With the code of a link that was opened. */
  | { screen: "devices"; code?: string };

type FollowsScreen = (typeof FOLLOWS)[number];

const FOLLOWS = ["followers", "following", "in-common"] as const;

export const route = signal<Route>(parse(location.hash));

addEventListener("hashchange", () => {
  route.value = parse(location.hash);
  restoreScroll();
});

/** The address of a place in the app. */
export function href(to: Route): string {
  switch (to.screen) {
    case "drive":
      return `#/drives/${to.id}`;
    case "public":
      return `#/public/${to.id}`;
    case "road":
      return `#/roads/${to.id}`;
    case "person":
      return `#/people/${encodeURIComponent(to.name)}`;
    case "followers":
    case "following":
    case "in-common":
      return `#/people/${encodeURIComponent(to.name)}/${to.screen}`;
    case "meet":
      return `#/meets/${to.id}`;
    case "newMeet":
      return "#/meets/new";
    case "editMeet":
      return `#/meets/${to.id}/edit`;
    case "car":
      return `#/garage/${to.id}`;
    case "record":
    case "drives":
    case "feed":
    case "roads":
    case "people":
    case "meets":
    case "garage":
    case "settings":
    case "devices":
      return `#/${to.screen}`;
    default:
      return to satisfies never;
  }
}

/** A place that shows what others published, to whoever has no account, too. */
export type PublicPlace = Extract<Route, { screen: (typeof PUBLIC)[number] }>;

const PUBLIC = ["feed", "roads", "road", "public", "person", ...FOLLOWS, "meet"] as const;

/** Whether a place shows what is the person's own rather than what others published. */
export function isOwn(place: Route): place is Exclude<Route, PublicPlace> {
  return !PUBLIC.some((screen) => screen === place.screen);
}

/** What a place in the app is called in the window's title. */
export function nameOf({ screen }: Route): string {
  switch (screen) {
    case "record":
      return "Record";
    case "drives":
      return "Drives";
    case "drive":
    case "public":
      return "A drive";
    case "feed":
      return "Discover";
    case "roads":
      return "Roads";
    case "road":
      return "A road";
    case "person":
      return "Somebody";
    case "followers":
      return "Followers";
    case "following":
      return "Following";
    case "in-common":
      return "In common";
    case "people":
      return "People";
    case "meets":
      return "Meets";
    case "meet":
      return "A meet";
    case "newMeet":
      return "A new meet";
    case "editMeet":
      return "Change the meet";
    case "garage":
      return "Garage";
    case "car":
      return "A car";
    case "settings":
      return "You";
    case "devices":
      return "Your devices";
    default:
      return screen satisfies never;
  }
}

export function go(to: Route): void {
  location.hash = href(to);
}

function parse(hash: string): Route {
  const [screen, id, what] = hash.replace(/^#\/?/, "").split("/");
  switch (screen) {
    case "drives":
      return id ? { screen: "drive", id } : { screen: "drives" };
    case "public":
      return id ? { screen: "public", id } : { screen: "feed" };
    case "roads":
      return id ? { screen: "road", id } : { screen: "roads" };
    case "people":
      if (id && isFollows(what)) return { screen: what, name: decoded(id) };
      return id ? { screen: "person", name: decoded(id) } : { screen: "people" };
    case "meets":
      if (id === "new") return { screen: "newMeet" };
      if (id && what === "edit") return { screen: "editMeet", id };
      return id ? { screen: "meet", id } : { screen: "meets" };
    case "garage":
      return id ? { screen: "car", id } : { screen: "garage" };
    case "feed":
    case "settings":
    case "devices":
      return { screen };
    case "link":
    case "join":
      return { screen: "devices", code: id ?? "" };
    default:
      return { screen: "record" };
  }
}

function isFollows(what: string | undefined): what is FollowsScreen {
  return FOLLOWS.some((screen) => screen === what);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Somebody mangled the link; there is nobody of that name.
    return text;
  }
}
