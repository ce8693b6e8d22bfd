// @vitest-environment happy-dom
import "../testing/setup.ts";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/preact";
import type { MeetFields } from "@tourismo/client";
import { TourismoError } from "@tourismo/client";
import { afterEach, expect, test, vi } from "vitest";

import { hasDraft } from "../drafts.ts";
import { account } from "../engine.ts";
import { openFakeEngine } from "../testing/engine.ts";
import { NewMeetScreen } from "./meet-form.tsx";

/** A map on which every tap chooses the same place. */
function OnePlaceMap({ onPick }: { onPick?: (at: [number, number]) => void }) {
  return <button type="button" aria-label="Map of the place" onClick={() => onPick?.([8.54, 47.37])} />;
}
vi.mock("../components/place-map.tsx", () => ({ PlaceMap: OnePlaceMap }));

const title = (): HTMLInputElement => screen.getByLabelText("Title");
const field = (label: string): HTMLInputElement => screen.getByLabelText(label);
const type = (input: HTMLInputElement, value: string): void => void fireEvent.input(input, { target: { value } });

/** Shows the form and returns the fields with which the meet is created. */
function show(putMeet: (fields: MeetFields) => unknown = () => "meet-1"): MeetFields[] {
  const saved: MeetFields[] = [];
  openFakeEngine({
    putMeet: (fields: MeetFields) => {
      saved.push(fields);
      return putMeet(fields);
    },
  });
  render(<NewMeetScreen />);
  return saved;
}

afterEach(() => {
  cleanup();
  location.hash = "";
});

test("an unsaved meet is still there when the user comes back, until it is discarded", () => {
  show();
  type(title(), "Sunday at the pass");
  cleanup();
  show();
  expect(title().value).toBe("Sunday at the pass");
  fireEvent.click(screen.getByText("Discard"));
  expect(title().value).toBe("");
  expect(hasDraft("new meet")).toBe(false);
});

test("a saved meet is shown, and its draft is gone", async () => {
  const saved = show();
  type(title(), " Coffee ");
  type(field("Where"), "Above");
  fireEvent.click(screen.getByText("Save"));
  await waitFor(() => expect(location.hash).toBe("#/meets/meet-1"));
  expect(saved).toMatchObject([{ title: "Coffee", place: "Above" }]);
  expect(hasDraft("new meet")).toBe(false);
});

test("a pin near a private place is told, unless nobody else sees the meet", () => {
  show();
  const home = { id: "p", kind: "home", size: "standard", isFound: true, position: [8.54, 47.371] } as const;
  const zone = { center: [8.54, 47.374] as [number, number], radiusM: 800 };
  if (account.value) account.value = { ...account.value, places: [{ ...home, position: [8.54, 47.371], zone }] };
  expect(screen.queryByTestId("near-private")).toBeNull();
  fireEvent.click(screen.getByLabelText("Map of the place"));
  expect(screen.getByTestId("near-private").textContent).toContain("near one of your private places");
  fireEvent.change(screen.getByLabelText("Who can see this"), { target: { value: "private" } });
  expect(screen.queryByTestId("near-private")).toBeNull();
  fireEvent.click(screen.getByText("Discard"));
});

test("a refused meet keeps its draft", async () => {
  const saved = show(() => Promise.reject(new TourismoError("invalid")));
  type(title(), "Coffee");
  fireEvent.click(screen.getByText("Save"));
  await waitFor(() => expect(saved.length).toBe(1));
  expect(title().value).toBe("Coffee");
  fireEvent.click(screen.getByText("Discard"));
});

test("local times stay when the time zone changes, and the end moves with the start", async () => {
  const saved = show();
  type(title(), "Coffee");
  const zone = screen.getByLabelText<HTMLSelectElement>("Time zone of the place");
  fireEvent.change(zone, { target: { value: "Europe/Rome" } });
  type(field("Starts"), "2026-06-14T10:00");
  type(field("Ends (optional)"), "2026-06-14T12:00");
  fireEvent.blur(field("Ends (optional)"));
  fireEvent.change(zone, { target: { value: "America/New_York" } });
  expect([field("Starts").value, field("Ends (optional)").value]).toEqual(["2026-06-14T10:00", "2026-06-14T12:00"]);
  type(field("Starts"), "2026-06-14T11:00");
  fireEvent.click(screen.getByText("Save"));
  await waitFor(() => expect(saved.length).toBe(1));
  const [startsAt, endsAt] = [Date.UTC(2026, 5, 14, 15), Date.UTC(2026, 5, 14, 17)];
  expect(saved).toMatchObject([{ timeZone: "America/New_York", startsAt, endsAt }]);
});
