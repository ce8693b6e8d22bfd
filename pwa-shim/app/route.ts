// The screens of the app and their addresses. An address is the part after `#`, so that any server can serve the app.

import { signal } from "@preact/signals";
import { inject, parse, type RouteParams } from "regexparam";

import { restoreScroll } from "./scroll.ts";

/** Each screen by its path. The first path that matches an address counts. `isPublic`: it needs no account. */
const SCREENS = {
  record: { path: "/record", title: "Record" },
  drives: { path: "/drives", title: "Drives" },
  import: { path: "/drives/import", title: "Import" },
  totals: { path: "/drives/totals", title: "Totals" },
  drive: { path: "/drives/:id", title: "Drive" },
  feed: { path: "/feed", title: "Discover", isPublic: true },
  publicDrive: { path: "/public/:id", title: "Drive", isPublic: true },
  roads: { path: "/roads", title: "Roads", isPublic: true },
  road: { path: "/roads/:id", title: "Road", isPublic: true },
  people: { path: "/people", title: "People" },
  person: { path: "/people/:name", title: "Profile", isPublic: true },
  followers: { path: "/people/:name/followers", title: "Followers", isPublic: true },
  following: { path: "/people/:name/following", title: "Following", isPublic: true },
  inCommon: { path: "/people/:name/in-common", title: "In common", isPublic: true },
  meets: { path: "/meets", title: "Meets" },
  newMeet: { path: "/meets/new", title: "New meet" },
  meet: { path: "/meets/:id", title: "Meet", isPublic: true },
  editMeet: { path: "/meets/:id/edit", title: "Edit meet" },
  garage: { path: "/garage", title: "Garage" },
  car: { path: "/garage/:id", title: "Car" },
  settings: { path: "/settings", title: "You" },
  places: { path: "/places", title: "Private places" },
  inbox: { path: "/inbox", title: "Inbox" },
  devices: { path: "/devices", title: "Your devices" },
  recovery: { path: "/recovery", title: "Recovery" },
  /** A link with an invitation to this server. */
  invite: { path: "/invite/:code", title: "Invitation" },
  /** Links that pair two devices: the new device's key, and the answer to it. */
  link: { path: "/link/:code?", title: "Your devices" },
  join: { path: "/join/:code?", title: "Your devices" },
} as const satisfies Record<string, { path: string; title: string; isPublic?: true }>;

type Screens = typeof SCREENS;
export type Screen = keyof Screens;

/** A screen with the parameters of its path. */
export type Route = { [S in Screen]: { screen: S } & RouteParams<Screens[S]["path"]> }[Screen];

/** A screen that anybody may see, without an account. */
export type PublicRoute = Extract<
  Route,
  { screen: { [S in Screen]: Screens[S] extends { isPublic: true } ? S : never }[Screen] }
>;

const NAMES = Object.keys(SCREENS) as Screen[];
const MATCHERS = NAMES.map((screen) => ({ screen, ...parse(SCREENS[screen].path) }));

export const route = signal<Route>(routeAt(location.hash));

addEventListener("hashchange", () => {
  route.value = routeAt(location.hash);
  restoreScroll();
});

/** The address of a screen. */
export function href({ screen, ...parameters }: Route): string {
  const encoded = Object.entries(parameters).map(([name, value]) => [name, encodeURIComponent(value)]);
  return `#${inject(SCREENS[screen].path, Object.fromEntries(encoded))}`;
}

/** Shows a screen. */
export function go(to: Route): void {
  location.hash = href(to);
}

export function isPublic(at: Route): at is PublicRoute {
  return "isPublic" in SCREENS[at.screen];
}

/** The title of a screen in the window's title bar. */
export function titleOf({ screen }: Route): string {
  return SCREENS[screen].title;
}

/** The screen at an address. An unknown address shows the screen for recording. */
export function routeAt(hash: string): Route {
  const path = hash.replace(/^#?\/?/, "/");
  for (const { screen, keys, pattern } of MATCHERS) {
    const match = pattern.exec(path);
    if (!match) continue;
    const parameters = keys.flatMap((key, i) => (match[i + 1] === undefined ? [] : [[key, decoded(match[i + 1] ?? "")]]));
    // The pattern belongs to the screen, so that it yields the screen's parameters.
    return { screen, ...Object.fromEntries(parameters) } as Route;
  }
  return { screen: "record" };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // A damaged link. Nothing has that name.
    return text;
  }
}
