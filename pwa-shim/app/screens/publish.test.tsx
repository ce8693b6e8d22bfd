// @vitest-environment happy-dom
import "../testing/setup.ts";
import { signal } from "@preact/signals";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/preact";
import type { DriveView, TrackView } from "@tourismo/client";
import { afterEach, expect, test, vi } from "vitest";

import { account } from "../engine.ts";
import { driveView, openFakeEngine } from "../testing/engine.ts";
import { Publish } from "./publish.tsx";

vi.mock("../components/map.tsx", () => ({ DriveMap: ({ label }: { label: string }) => <div role="img" aria-label={label} /> }));

type Track = Extract<TrackView, { type: "ready" }>;

const track = (shownM: number | null): Track =>
  ({ shownM, line: { parts: [] }, hidden: { parts: [[[10, 46]]] } }) as unknown as Track;

/** Shows the card for a drive that follows the commands, as the engine would. */
function show(drive: DriveView, shownM: number | null) {
  const view = signal(drive);
  const shown = signal(shownM);
  const calls = openFakeEngine();
  function Card() {
    return <Publish drive={view.value} track={track(shown.value)} />;
  }
  render(<Card />);
  return { calls, shown, view };
}

const button = (): HTMLButtonElement => screen.getByTestId<HTMLButtonElement>("publish");
const preview = (): string | null => screen.getByTestId("preview").textContent;

afterEach(cleanup);

test("a drive that stays private offers nothing to publish", () => {
  show(driveView(), 12_000);
  expect(screen.queryByTestId("publish")).toBeNull();
  expect(screen.queryByTestId("preview")).toBeNull();
});

test("publishing shows the length of the copy first, then makes it", async () => {
  const { calls } = show(driveView(), 12_000);
  fireEvent.click(screen.getByLabelText(/^Everyone/));
  expect(preview()).toBe("Others will see 12.0 km. The dashed part stays hidden.");
  expect(screen.getByText(/Everything near your private places is left out/)).toBeTruthy();
  fireEvent.click(button());
  expect(button().disabled, "while it is being published").toBe(true);
  await waitFor(() => expect(calls).toEqual([["publishDrive", "drive-1", "public"]]));
  await waitFor(() => expect(button().disabled).toBe(false));
});

test("a drive of which too little is left can be published once a place is not private", async () => {
  const { shown } = show(driveView(), null);
  fireEvent.click(screen.getByLabelText(/^By link/));
  expect(preview()).toContain("Too little of this drive would be left");
  expect(button().disabled).toBe(true);
  expect(screen.getByText<HTMLAnchorElement>("Private places").getAttribute("href")).toBe("#/places");
  shown.value = 700;
  await waitFor(() => expect(preview()).toContain("0.7 km"));
  expect(button().disabled).toBe(false);
});

test("a published copy can be withdrawn, and has a link", () => {
  show(driveView({ visibility: "public", published: "copy-1" }), 12_000);
  expect(screen.queryByTestId("preview")).toBeNull();
  expect(screen.getByText<HTMLAnchorElement>("See it as others do").getAttribute("href")).toBe("#/public/copy-1");
  fireEvent.click(screen.getByLabelText(/^Only me/));
  expect(button().textContent).toBe("Withdraw the copy");
});

test("someone who accepts all followers is told what that means", () => {
  show(driveView(), 12_000);
  if (account.value) account.value = { ...account.value, profile: { ...account.value.profile, byApproval: false } };
  cleanup();
  render(<Publish drive={driveView()} track={undefined} />);
  expect(screen.getByLabelText(/^Followers/).closest("label")?.textContent).toContain("Anyone who presses Follow sees the copy");
});
