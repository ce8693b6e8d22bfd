// Where in the app this page is: the part of the address after `#`, so that any server can serve it.

import { signal } from "@preact/signals";

export type Route =
  | { screen: "record" }
  | { screen: "drives" }
  | { screen: "drive"; id: string }
  | { screen: "feed" }
  | { screen: "public"; id: string }
  | { screen: "garage" }
  | { screen: "settings" }
  /** With the code of a link that was opened. */
  | { screen: "devices"; code?: string };

export const route = signal<Route>(parse(location.hash));

addEventListener("hashchange", () => {
  route.value = parse(location.hash);
  scrollTo(0, 0);
});

/** The address of a place in the app. */
export function href(to: Route): string {
  switch (to.screen) {
    case "drive":
      return `#/drives/${to.id}`;
    case "public":
      return `#/public/${to.id}`;
    case "record":
    case "drives":
    case "feed":
    case "garage":
    case "settings":
    case "devices":
      return `#/${to.screen}`;
    default:
      return to satisfies never;
  }
}

/** Whether a place shows what is the person's own rather than what others published. */
export function isOwn(place: Route): boolean {
  return place.screen !== "feed" && place.screen !== "public";
}

export function go(to: Route): void {
  location.hash = href(to);
}

function parse(hash: string): Route {
  const [screen, id] = hash.replace(/^#\/?/, "").split("/");
  switch (screen) {
    case "drives":
      return id ? { screen: "drive", id } : { screen: "drives" };
    case "public":
      return id ? { screen: "public", id } : { screen: "feed" };
    case "feed":
    case "garage":
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
