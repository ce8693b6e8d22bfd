import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { TourismoError } from "./errors.ts";
import { roadFeature } from "./generated/http-checks.ts";
import { MemoryReadCache } from "./read-cache.ts";
import type { RoadsWanted } from "./relay-reads.ts";
import { road } from "./road-answers.ts";
import { RoadAtlas, squaresAround, squaresIn } from "./road-atlas.ts";
import * as answers from "./testing/answers.ts";

const noon = new Date("2026-06-01T12:00:00Z");
const HOME = { west: 20, south: 93 };

const roadOf = (id: string, score: number) => road(roadFeature(answers.roadFeature(id, { score })));

beforeEach(() => void vi.useFakeTimers({ now: noon, toFake: ["Date"] }));
afterEach(() => void vi.useRealTimers());

/** An atlas whose relay returns these pages, and the requests. */
function atlasOf(...pages: { id: string; score: number }[][]) {
  const asked: RoadsWanted[] = [];
  const relay = {
    hasSignal: true,
    async roads(wanted: RoadsWanted = {}) {
      if (!relay.hasSignal) throw new TourismoError("relay_unreachable");
      asked.push(wanted);
      const index = Number(wanted.after ?? 0);
      const roads = (pages[index] ?? []).map(({ id, score }) => roadOf(id, score));
      return { roads, next: index + 1 < pages.length ? String(index + 1) : null, fetchedAt: Date.now(), isStale: false };
    },
  };
  return { atlas: new RoadAtlas(relay, new MemoryReadCache()), asked, relay };
}

describe("the roads of a square", () => {
  test("are fetched page by page, and are there without signal, the best first", async () => {
    const { atlas, asked, relay } = atlasOf([{ id: "a", score: 70 }], [{ id: "b", score: 90 }]);
    expect(await atlas.ask([HOME])).toBe(true);
    expect(asked).toEqual([
      { bbox: [10, 46.5, 10.5, 47], limit: 100 },
      { bbox: [10, 46.5, 10.5, 47], limit: 100, after: "1" },
    ]);
    relay.hasSignal = false;
    const { roads, fetchedAt, missing } = await atlas.read([HOME, { west: 21, south: 93 }]);
    expect(roads.map(({ id }) => id)).toEqual(["b", "a"]);
    expect(roads[0]).toEqual(roadOf("b", 90));
    expect({ fetchedAt, missing }).toEqual({ fetchedAt: noon.getTime(), missing: 1 });
  });

  test("are fetched again after a day; kept ones stay while there is no connection", async () => {
    const { atlas, asked, relay } = atlasOf([{ id: "a", score: 70 }]);
    await atlas.ask([HOME]);
    vi.setSystemTime(noon.getTime() + 23 * 3_600_000);
    expect(await atlas.ask([HOME])).toBe(false);
    vi.setSystemTime(noon.getTime() + 25 * 3_600_000);
    relay.hasSignal = false;
    expect(await atlas.ask([HOME])).toBe(false);
    expect(await atlas.read([HOME])).toMatchObject({ fetchedAt: noon.getTime(), roads: [{ id: "a" }] });
    relay.hasSignal = true;
    expect(await atlas.ask([HOME])).toBe(true);
    expect(asked.length).toBe(2);
    expect((await atlas.read([HOME])).fetchedAt).toBe(noon.getTime() + 25 * 3_600_000);
  });

  test("that cannot be read are fetched again", async () => {
    const { relay } = atlasOf([{ id: "a", score: 70 }]);
    const cache = new MemoryReadCache();
    await cache.keep("20 93", { body: "[{}]", fetchedAt: Date.now() });
    const atlas = new RoadAtlas(relay, cache);
    expect((await atlas.read([HOME])).missing).toBe(1);
    expect(await atlas.ask([HOME])).toBe(true);
    expect((await atlas.read([HOME])).roads.length).toBe(1);
  });
});

describe("squares", () => {
  test("cover a box, also over the date line and at the poles", () => {
    expect(squaresIn([10.1, 46.6, 10.2, 46.7])).toEqual([HOME]);
    expect(squaresIn([10.4, 46.6, 10.6, 46.7])).toEqual([HOME, { west: 21, south: 93 }]);
    expect(squaresIn([179.9, 0.1, -179.9, 0.2])).toEqual([
      { west: 359, south: 0 },
      { west: -360, south: 0 },
    ]);
    expect(squaresIn([-180, -90, 180, 90]).length).toBe(720 * 360);
    expect(squaresAround([0.1, 89.9]).map(({ south }) => south)).toEqual([178, 178, 178, 179, 179, 179]);
  });

  test("around a position contain everything within half a degree", () => {
    const squares = squaresAround([10.1, 46.6]);
    expect(squares.length).toBe(9);
    expect(squares).toContainEqual({ west: 19, south: 92 });
    expect(squares).toContainEqual({ west: 21, south: 94 });
  });
});
