// @vitest-environment happy-dom
import "../testing/setup.ts";
import { cleanup, fireEvent, render, screen, waitFor } from "@testing-library/preact";
import { type Inbox, type InboxDrive, TourismoError } from "@tourismo/client";
import { afterEach, expect, test, vi } from "vitest";

import { gpsLoggerUrl, ownTracksSetup } from "../components/recorder-help.tsx";
import { relay } from "../engine.ts";
import { openFakeEngine } from "../testing/engine.ts";
import { InboxScreen } from "./inbox.tsx";

vi.mock("../components/qr-code.tsx", () => ({ QrCode: ({ link }: { link: string }) => <div data-testid="qr">{link}</div> }));

const drive: InboxDrive = {
  source: "ab",
  recorder: "owntracks/anna/phone",
  startedAt: Date.UTC(2026, 5, 14, 8),
  endedAt: Date.UTC(2026, 5, 14, 9),
  distanceM: 16_000,
  fixes: 40,
  isFinished: false,
  receivedAt: Date.UTC(2026, 5, 14, 9),
};

/** Shows the screen for an inbox that follows the requests. Returns the requests. */
function show(change: Partial<Inbox> = {}): string[] {
  openFakeEngine();
  const inbox: Inbox = { secret: null, postedAt: null, waiting: 0, refused: 0, drives: [], idle: [], ...change };
  const asked: string[] = [];
  let secrets = 0;
  vi.spyOn(relay, "inbox").mockImplementation(async () => ({ ...inbox, fetchedAt: 1, isStale: false }));
  vi.spyOn(relay, "openInbox").mockImplementation(async () => {
    asked.push("open");
    inbox.secret = `secret-${++secrets}`;
  });
  vi.spyOn(relay, "closeInbox").mockImplementation(async () => {
    asked.push("close");
    inbox.secret = null;
  });
  render(<InboxScreen />);
  return asked;
}

afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

test("an address is made, replaced and revoked, the last two after a question", async () => {
  const asked = show();
  fireEvent.click(await screen.findByText("Get an address"));
  const address = () => screen.getByLabelText<HTMLInputElement>("The address as text").value;
  await waitFor(() => expect(address()).toMatch(/\/v1\/inbox\/secret-1$/));
  expect(screen.getByTestId("qr").textContent).toBe(address());
  fireEvent.click(screen.getByText("Replace"));
  fireEvent.click(screen.getByText("Cancel"));
  fireEvent.click(screen.getByText("Replace"));
  fireEvent.click(screen.getByText("Replace the address"));
  await waitFor(() => expect(address()).toMatch(/secret-2$/));
  fireEvent.click(screen.getByText("Revoke"));
  fireEvent.click(screen.getByText("Revoke the address"));
  await screen.findByText("Get an address");
  expect(asked).toEqual(["open", "open", "close"]);
});

test("what waits is shown with its state, also without an address", async () => {
  const arrived = { drives: [drive, { ...drive, source: "cd", isFinished: true }], waiting: 81_000, refused: 1 };
  show({ ...arrived, postedAt: drive.endedAt });
  const text = (await screen.findByTestId("waiting")).textContent;
  for (const part of [
    "Still driving",
    "Saving",
    "owntracks/anna/phone",
    "81,000 positions wait",
    "1 position could not be read",
  ]) {
    expect(text).toContain(part);
  }
  expect(text).toContain("80,920 positions are not part of a drive");
});

test("without a connection it says so", async () => {
  openFakeEngine();
  vi.spyOn(relay, "inbox").mockRejectedValue(new TourismoError("relay_unreachable"));
  render(<InboxScreen />);
  await screen.findByText(/^The server cannot be reached\./);
});

test("the settings of an app have the address", () => {
  const address = "https://relay.example/v1/inbox/0f?~";
  const inline = new URL(ownTracksSetup(address)).searchParams.get("inline") ?? "";
  expect(JSON.parse(atob(inline))).toEqual({ _type: "configuration", mode: 3, url: address });
  expect(gpsLoggerUrl("https://a/b")).toMatch(/^https:\/\/a\/b\?lat=%LAT&lon=%LON&time=%TIME&/);
});
