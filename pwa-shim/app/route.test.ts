// @vitest-environment happy-dom
import { expect, test } from "vitest";

import { href, isPublic, type Route, routeAt } from "./route.ts";

test.each<[string, Route]>([
  ["", { screen: "record" }],
  ["#/", { screen: "record" }],
  ["#/record", { screen: "record" }],
  ["#/nonsense/of/some/kind", { screen: "record" }],
  ["#/drives", { screen: "drives" }],
  ["#/drives/0190-a/", { screen: "drive", id: "0190-a" }],
  ["#/public/0190-a", { screen: "publicDrive", id: "0190-a" }],
  ["#/roads/a-b", { screen: "road", id: "a-b" }],
  ["#/people/%C3%A4nne", { screen: "person", name: "änne" }],
  ["#/people/100%", { screen: "person", name: "100%" }],
  ["#/people/dan/in-common", { screen: "inCommon", name: "dan" }],
  ["#/meets/new", { screen: "newMeet" }],
  ["#/meets/0190-m", { screen: "meet", id: "0190-m" }],
  ["#/meets/0190-m/edit", { screen: "editMeet", id: "0190-m" }],
  ["#/link/AbC-_9", { screen: "link", code: "AbC-_9" }],
  ["#/join/AbC-_9~Zm9v", { screen: "join", code: "AbC-_9~Zm9v" }],
  ["#/join/", { screen: "join" }],
])("the address %j shows %o", (hash, route) => {
  expect(routeAt(hash)).toEqual(route);
});

test.each<[Route, string]>([
  [{ screen: "record" }, "#/record"],
  [{ screen: "drive", id: "0190-a" }, "#/drives/0190-a"],
  [{ screen: "followers", name: "änne/x" }, "#/people/%C3%A4nne%2Fx/followers"],
  [{ screen: "editMeet", id: "0190-m" }, "#/meets/0190-m/edit"],
  [{ screen: "join", code: "AbC~Zm9v" }, "#/join/AbC~Zm9v"],
])("%o has the address %s, which leads back to it", (route, address) => {
  expect(href(route)).toBe(address);
  expect(routeAt(address)).toEqual(route);
});

test("screens with public data need no account", () => {
  expect([isPublic({ screen: "feed" }), isPublic({ screen: "meet", id: "m" }), isPublic({ screen: "drives" })]).toEqual([
    true,
    true,
    false,
  ]);
});
