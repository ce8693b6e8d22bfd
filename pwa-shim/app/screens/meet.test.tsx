// @vitest-environment happy-dom
import "../testing/setup.ts";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/preact";
import type { Attendee, MeetPage, QueryMeta } from "@tourismo/client";
import { Importer, TourismoError } from "@tourismo/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { meets, relay, social } from "../engine.ts";
import { type Call, ME, openFakeEngine } from "../testing/engine.ts";
import { MeetScreen } from "./meet.tsx";

const { saveFile } = vi.hoisted(() => ({ saveFile: vi.fn() }));
vi.mock("../save-file.ts", () => ({ saveFile }));
vi.mock("../components/place-map.tsx", () => ({ PlaceMap: () => <div role="img" aria-label="Map of the place" /> }));

const meta: QueryMeta = { fetchedAt: Date.UTC(2026, 5, 1), isStale: false };
const fields = {
  title: "Coffee",
  text: "",
  place: "The upper car park",
  position: null,
  startsAt: Date.UTC(2026, 5, 14, 8),
  endsAt: null,
  timeZone: "Europe/Rome",
  capacity: null,
  visibility: "public",
  cancelled: false,
} as const;

let count = 0;
let calls: Call[];
let changed: () => void;

function answering(page: Partial<MeetPage>, attendees: Attendee[] = []): string {
  const id = `meet-${++count}`;
  const answers = { going: 0, maybe: 0, no: 0 };
  const meet = {
    ...fields,
    id,
    account: "ben",
    handle: "ben",
    displayName: "Ben",
    organisers: [],
    changedAt: 5,
    sequence: 1,
    answers,
    myAnswer: null,
  };
  vi.spyOn(relay, "meet").mockImplementation(async () => ({ ...meet, ...page, ...meta }));
  vi.spyOn(relay, "attendees").mockImplementation(async () => ({ attendees, answers, next: null, ...meta }));
  return id;
}

const attendee = (change: Partial<Attendee>): Attendee => ({
  account: "cleo",
  handle: "cleo",
  displayName: null,
  answer: "going",
  isFollowed: false,
  followedInCommon: 0,
  ...change,
});

beforeEach(() => {
  calls = openFakeEngine();
  vi.spyOn(relay, "onMeet").mockImplementation((_, callback) => {
    changed = callback;
    return () => {};
  });
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

test("an answer counts at once, and a second press removes it", async () => {
  const id = answering({ answers: { going: 2, maybe: 1, no: 0 } });
  render(<MeetScreen id={id} />);
  await screen.findByText("2 going, 1 maybe");
  fireEvent.click(screen.getByRole("button", { name: "Going" }));
  await waitFor(() => expect(calls).toEqual([["rsvp", id, "going"]]));
  if (social.value) social.value = { ...social.value, answers: [{ meet: id, answer: "going", at: 1 }] };
  await screen.findByText("3 going, 1 maybe");
  expect(screen.getByRole("button", { name: "Going" }).getAttribute("aria-pressed")).toBe("true");
  fireEvent.click(screen.getByRole("button", { name: "Going" }));
  await waitFor(() => expect(calls[1]).toEqual(["rsvp", id, null]));
});

test("the user is listed once, with people in common", async () => {
  const id = answering({ answers: { going: 3, maybe: 0, no: 0 }, myAnswer: "going" }, [
    attendee({ account: ME, handle: "anna" }),
    attendee({ followedInCommon: 2 }),
    attendee({ account: "dan", handle: "dan", isFollowed: true }),
  ]);
  if (social.value) social.value = { ...social.value, answers: [{ meet: id, answer: "going", at: 1 }] };
  render(<MeetScreen id={id} />);
  await waitFor(() => expect(screen.getAllByTestId("person").length).toBe(3));
  const lines = screen.getAllByTestId("person").map(({ textContent }) => textContent);
  expect(lines).toEqual([
    expect.stringContaining("@anna · you"),
    expect.stringContaining("@cleo · 2 people in common"),
    expect.stringContaining("@dan · you follow them"),
  ]);
});

test("attendees who hide themselves are explained", async () => {
  const id = answering({ answers: { going: 4, maybe: 0, no: 0 } });
  render(<MeetScreen id={id} />);
  await screen.findByText("The others are visible only to their accepted followers.");
});

test("the place of a meet opens in a navigation app, and is saved as GPX", async () => {
  const id = answering({ position: [12.5, 41.9] });
  const file = new File([""], "Coffee.gpx");
  const written = vi.spyOn(Importer.prototype, "writeDestination").mockResolvedValue(file);
  render(<MeetScreen id={id} />);
  const place = "41.900000,12.500000";
  const name = "Coffee, The upper car park";
  expect((await screen.findByTestId("navigate")).getAttribute("href")).toBe(
    `geo:${place}?q=${place}(${encodeURIComponent(name)})`,
  );
  fireEvent.click(screen.getByRole("button", { name: "Save as GPX" }));
  await waitFor(() => expect(saveFile).toHaveBeenCalledWith(file));
  const link = expect.stringContaining(`#/meets/${id}`);
  expect(written).toHaveBeenCalledWith({ name, description: expect.any(String), link, position: [12.5, 41.9], line: [] });
});

test("counts and list are read again when the meet changes", async () => {
  const id = answering({ answers: { going: 0, maybe: 0, no: 0 } });
  render(<MeetScreen id={id} />);
  await screen.findByText("0 going");
  await screen.findByText("Nobody else has answered yet.");
  answering({ id, answers: { going: 1, maybe: 0, no: 0 } }, [attendee({})]);
  changed();
  await screen.findByText("1 going");
  await screen.findByText("@cleo");
});

test("a co-organiser whose change was overridden is told which field", async () => {
  const id = answering({ organisers: [ME], place: "The middle car park", changedAt: 9 });
  meets.value = [
    { id, own: false, organisers: [], isUnsent: false, said: [["place", 7]], fields: { ...fields, place: "Below" } },
  ];
  render(<MeetScreen id={id} />);
  expect((await screen.findByTestId("overridden")).textContent).toBe(
    "Another organiser changed this after you: place. Their version counts.",
  );
  expect(screen.getByRole("link", { name: "Edit" }).getAttribute("href")).toBe(`#/meets/${id}/edit`);
});

test("a cancelled meet takes no answers, and one that cannot be read says why", async () => {
  const id = answering({ cancelled: true });
  render(<MeetScreen id={id} />);
  await screen.findByText("Cancelled");
  expect(screen.queryByRole("group", { name: "Your answer" })).toBeNull();
  cleanup();
  vi.spyOn(relay, "meet").mockRejectedValue(new TourismoError("not_on_relay"));
  render(<MeetScreen id={`${id}-gone`} />);
  await screen.findByText("It does not exist, or you may not see it.");
});
