// @vitest-environment happy-dom
import "../testing/setup.ts";
import { signal } from "@preact/signals";
import { cleanup, fireEvent, render, screen, waitFor, within } from "@testing-library/preact";
import type { DriveStats, RefusedView } from "@tourismo/client";
import { afterEach, expect, test } from "vitest";

import { type Call, driveView, openFakeEngine } from "../testing/engine.ts";
import { RefusedFixes } from "./refused-fixes.tsx";

const at = Date.UTC(2026, 5, 14, 8);

function refusedFix(index: number, change: Partial<RefusedView> = {}): RefusedView {
  const id = `fix-${index}`;
  return { id, at: at + index * 1_000, place: [10, 46], accuracyM: 180, reason: "tooInaccurate", isTakenBack: false, ...change };
}

function show(
  refused: RefusedView[],
  total = refused.filter(({ isTakenBack }) => !isTakenBack).length,
): { calls: Call[]; chosen: { value: string | undefined } } {
  const calls = openFakeEngine();
  const chosen = signal<string | undefined>(undefined);
  render(<RefusedFixes drive={driveView({ stats: { refused: total } as DriveStats })} refused={refused} chosen={chosen} />);
  return { calls, chosen };
}

const group = (reason: string) => within(screen.getByTestId(`refused-${reason}`));

afterEach(cleanup);

test("a drive without refused positions shows no list", () => {
  show([]);
  expect(screen.queryByTestId("refused")).toBeNull();
});

test("positions are grouped by reason and can be used one by one, or all of a reason", async () => {
  const { calls } = show([refusedFix(1), refusedFix(2), refusedFix(3, { reason: "outlier" })]);
  expect(screen.getByTestId("refused").getAttribute("data-left")).toBe("3");
  const inaccurate = group("tooInaccurate");
  expect(inaccurate.getAllByRole("listitem").map(({ textContent }) => textContent)).toEqual([
    expect.stringMatching(/^10:00:01.* · ± 180 mUse$/),
    expect.stringMatching(/^10:00:02.* · ± 180 mUse$/),
  ]);
  fireEvent.click(inaccurate.getByText("Use all 2"));
  await waitFor(() => expect(calls).toEqual([["takeBackRefused", "drive-1", ["fix-1", "fix-2"], true]]));
  fireEvent.click(group("outlier").getByText("Use it"));
  await waitFor(() => expect(calls[1]).toEqual(["takeBackRefused", "drive-1", ["fix-3"], true]));
});

test("used positions can be left out again", async () => {
  const { calls } = show([refusedFix(1, { isTakenBack: true }), refusedFix(2)]);
  const inaccurate = group("tooInaccurate");
  expect(inaccurate.getByText("1 of 2")).toBeTruthy();
  fireEvent.click(inaccurate.getByText("Leave out the one in use"));
  await waitFor(() => expect(calls).toEqual([["takeBackRefused", "drive-1", ["fix-1"], false]]));
});

test("a long list is shown in pages, and a position is highlighted on the map", () => {
  const { chosen } = show(Array.from({ length: 45 }, (_, i) => refusedFix(i)));
  const inaccurate = group("tooInaccurate");
  expect(inaccurate.getAllByRole("listitem").length).toBe(20);
  fireEvent.click(inaccurate.getByText("Show more"));
  expect(inaccurate.getAllByRole("listitem").length).toBe(40);
  const [first] = inaccurate.getAllByRole("button", { pressed: false });
  if (first) fireEvent.click(first);
  expect(chosen.value).toBe("fix-0");
});

test("positions with invalid coordinates are only counted", () => {
  show([refusedFix(1)], 4);
  expect(screen.getByText(/^3 more had invalid coordinates/)).toBeTruthy();
});
