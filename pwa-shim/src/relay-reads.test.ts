import { afterEach, describe, expect, test, vi } from "vitest";

import { TourismoError } from "./errors.ts";
import { MemoryReadCache } from "./read-cache.ts";
import { RelayReads, socketAddress } from "./relay-reads.ts";
import { driveFeature, driveItem, roadFeature } from "./testing/answers.ts";

const relay = new RelayReads(new URL("https://relay.test/app/"));

afterEach(() => void vi.unstubAllGlobals());

/** Answers all requests and returns their URLs. */
function answering(answer: () => Response): URL[] {
  const asked: URL[] = [];
  vi.stubGlobal("fetch", async (url: URL) => {
    asked.push(url);
    return answer();
  });
  return asked;
}

describe("the public feed", () => {
  test("is read page by page", async () => {
    const line = [
      [
        [10.4, 46.5],
        [10.5, 46.6],
      ],
    ];
    const asked = answering(() => Response.json({ drives: [driveItem({ line })], next: "further" }));
    const page = await relay.publicFeed({ after: "here", limit: 5 });
    expect(asked.map(String)).toEqual(["https://relay.test/v1/feed/public?after=here&limit=5"]);
    expect(page.next).toBe("further");
    expect(page.drives).toMatchObject([
      { id: "0190-copy", title: "Pass", handle: "dan", stats: { distanceM: 12_000 }, line: { parts: line } },
    ]);
  });

  test.each([
    ["relay_failed", () => Response.json({ drives: "none" })],
    ["relay_failed", () => Response.json({ drives: [{ ...driveItem(), line: [["46.5"]] }] })],
    ["relay_failed", () => Response.json({ drives: [driveItem({ line: [[[1]]] })] })],
    ["relay_failed", () => Response.json(null)],
    ["relay_failed", () => new Response("<html>")],
    ["relay_failed", () => new Response("", { status: 400 })],
    ["relay_unreachable", () => new Response("", { status: 429 })],
    ["relay_unreachable", () => new Response("<html>", { status: 502 })],
    [
      "relay_unreachable",
      () => {
        throw new TypeError("Failed to fetch");
      },
    ],
  ])("that cannot be had rejects with %s", async (code, answer) => {
    answering(answer);
    await expect(relay.publicFeed()).rejects.toMatchObject({ code });
  });
});

test("an answer that is wrong names the field and its value", async () => {
  const { stats, ...drive } = driveItem();
  answering(() => Response.json({ drives: [driveItem(), { ...drive, stats: { ...stats, distanceM: "far" } }], next: null }));
  await expect(relay.publicFeed()).rejects.toThrow(
    `the relay's answer has "far" at drives[1].stats.distanceM where a number was expected`,
  );
});

describe("a published drive", () => {
  test("has one profile of all its parts, interrupted at gaps", async () => {
    const coordinates = [
      [
        [0, 0],
        [0, 0.01],
      ],
      [
        [0, 0.02],
        [0, 0.03],
      ],
    ];
    const parts = [
      { gap: null, elapsedMs: [0, 1000], speedMps: [10, null], altitudeM: [100, 101] },
      { gap: "noSignal" as const, elapsedMs: [9000, 10_000], speedMps: [12, 13], altitudeM: [null, null] },
    ];
    answering(() => Response.json(driveFeature(coordinates, parts)));
    const { line, profile } = await relay.publishedDrive("0190-copy");
    expect(line.parts).toEqual(coordinates);
    expect(profile.elapsedS).toEqual([0, 1, 9, 9, 10]);
    expect(profile.speedMps).toEqual([10, null, null, 12, 13]);
    expect(profile.altitudeM).toEqual([100, 101, null, null, null]);
    expect(profile.wayM.map((metres) => Math.round(metres))).toEqual([0, 1112, 2224, 2224, 3336]);
  });

  test("over the date line is as long as it is, and has no gap where its line was cut", async () => {
    const coordinates = [
      [
        [179.99, 0],
        [180, 0],
      ],
      [
        [-180, 0],
        [-179.99, 0],
      ],
    ];
    const parts = [
      { gap: null, elapsedMs: [0, 1000], speedMps: [10, 11], altitudeM: [1, 2] },
      { gap: null, elapsedMs: [1000, 2000], speedMps: [11, 12], altitudeM: [2, 3] },
    ];
    answering(() => Response.json(driveFeature(coordinates, parts)));
    const { profile } = await relay.publishedDrive("0190-copy");
    expect(profile.wayM.map((metres) => Math.round(metres))).toEqual([0, 1112, 1112, 2224]);
    expect(profile.speedMps).toEqual([10, 11, 11, 12]);
  });

  test("that does not exist or may not be read rejects with not_on_relay", async () => {
    answering(() => new Response("", { status: 404 }));
    await expect(relay.publishedDrive("0190-copy")).rejects.toMatchObject({ code: "not_on_relay" });
  });
});

describe("reads of an account", () => {
  const noon = new Date("2026-06-01T12:00:00Z");
  const item = { kind: "drive", ...driveItem() };
  afterEach(() => void vi.useRealTimers());

  /** Answers requests by their `Authorization` header. */
  function reading(answer: (authorization: string | null) => Response) {
    vi.useFakeTimers({ now: noon, toFake: ["Date"] });
    const sent: (string | null)[] = [];
    vi.stubGlobal("fetch", async (_: URL, init: RequestInit) => {
      const authorization = new Headers(init.headers).get("authorization");
      sent.push(authorization);
      return answer(authorization);
    });
    const reads = new RelayReads(new URL("https://relay.test/"));
    let made = 0;
    reads.readAs({
      account: "anna",
      token: async () => ({ token: Uint8Array.of(251, 255, ++made), expiresAt: Date.now() + 12 * 3_600_000 }),
    });
    return { reads, sent };
  }

  test("send a token, the same until it expires", async () => {
    const { reads, sent } = reading(() => Response.json({ items: [item], next: null }));
    expect((await reads.homeFeed()).items).toMatchObject([{ kind: "drive", id: "0190-copy" }]);
    await reads.homeFeed();
    vi.setSystemTime(noon.getTime() + 12 * 3_600_000 - 30_000);
    await reads.homeFeed();
    expect(sent).toEqual(["Bearer -_8B", "Bearer -_8B", "Bearer -_8C"]);
  });

  test("are repeated once with a new token when the relay rejects the token", async () => {
    const { reads, sent } = reading((token) => (token === "Bearer -_8C" ? Response.json({ items: [], next: null }) : refused()));
    expect((await reads.homeFeed()).items).toEqual([]);
    expect(sent).toEqual(["Bearer -_8B", "Bearer -_8C"]);
    const never = reading(refused);
    await expect(never.reads.homeFeed()).rejects.toMatchObject({ code: "not_allowed" });
    expect(never.sent.length).toBe(2);
  });

  test("return the cached answer with its age when the relay cannot be reached, only to the same account", async () => {
    let hasSignal = true;
    const { reads } = reading(() => {
      if (!hasSignal) throw new TypeError("Failed to fetch");
      return Response.json({ items: [item], next: null });
    });
    expect(await reads.homeFeed()).toMatchObject({ isStale: false, fetchedAt: noon.getTime() });
    hasSignal = false;
    vi.setSystemTime(noon.getTime() + 60_000);
    expect(await reads.homeFeed()).toMatchObject({ isStale: true, fetchedAt: noon.getTime(), items: [{ kind: "drive" }] });
    reads.readAs({ account: "ben", token: async () => Promise.reject(new TourismoError("relay_unknown")) });
    await expect(reads.homeFeed()).rejects.toMatchObject({ code: "relay_unreachable" });
  });

  test("leave out what only a newer relay knows", async () => {
    const { reads } = reading(() => Response.json({ items: [{ kind: "poll" }, item], next: null }));
    expect((await reads.homeFeed()).items.length).toBe(1);
    const counts = { like: 2, wow: 0, road: 0, car: 0, tree: 1 };
    vi.stubGlobal("fetch", async () => Response.json({ counts, mine: "tree", reactions: [], next: null }));
    expect(await reads.reactions("0190-copy")).toMatchObject({ mine: null, counts: { like: 2 } });
    vi.stubGlobal("fetch", async () => Response.json({ drives: [{ ...driveItem(), visibility: "club" }], next: null }));
    expect((await reads.publicFeed()).drives).toMatchObject([{ visibility: "private" }]);
  });

  test("forget a cached answer once the relay has nothing there any more", async () => {
    const reads = new RelayReads(new URL("https://relay.test/"), new MemoryReadCache());
    vi.stubGlobal("fetch", async () => Response.json({ drives: [driveItem()], next: null }));
    await reads.publicFeed();
    vi.stubGlobal("fetch", async () => new Response("", { status: 404 }));
    await expect(reads.publicFeed()).rejects.toMatchObject({ code: "not_on_relay" });
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    await expect(reads.publicFeed()).rejects.toMatchObject({ code: "relay_unreachable" });
  });

  test("ignore cached answers of another version of the app that cannot be read", async () => {
    const cache = new MemoryReadCache();
    const url = "https://relay.test/v1/people/anna";
    await cache.keep(` ${url}`, { body: JSON.stringify({ account: "anna" }), fetchedAt: 1 });
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    const reads = new RelayReads(new URL("https://relay.test/"), cache);
    await expect(reads.person("anna")).rejects.toMatchObject({ code: "relay_unreachable" });
    const body = JSON.stringify({
      account: "anna",
      displayName: "Anna",
      bio: "",
      byApproval: true,
      isAccepted: false,
      isFollowed: false,
    });
    await cache.keep(` ${url}`, { body, fetchedAt: 1 });
    expect(await reads.person("anna")).toMatchObject({ displayName: "Anna", handle: null, isStale: true });
  });

  function refused(): Response {
    return Response.json({ code: "bad_token" }, { status: 401 });
  }
});

test("a live feed calls back for every event except the first, until it is ended", async () => {
  const encode = new TextEncoder();
  let stream: ReadableStreamDefaultController | undefined;
  const say = (text: string): void => stream?.enqueue(encode.encode(text));
  let isCancelled = false;
  vi.stubGlobal("fetch", async (_: URL, { signal }: RequestInit) => {
    const body = new ReadableStream({
      start(begun) {
        stream = begun;
        signal?.addEventListener("abort", () => {
          isCancelled = true;
          begun.error(new Error("aborted"));
        });
      },
    });
    return new Response(body);
  });
  let called = 0;
  const end = new RelayReads(new URL("https://relay.test/")).onMeet("m", () => called++);
  await vi.waitFor(() => expect(stream).toBeDefined(), 30_000);
  say("event: open\ndata: {}\n\n: still here\n\nevent: me");
  say("et\ndata: {}\n\n");
  await vi.waitFor(() => expect(called).toBe(1), 30_000);
  end();
  expect(isCancelled).toBe(true);
});

test("r9 a live feed resumes after its last event, with a new token when the token has expired", async () => {
  vi.useFakeTimers();
  const asked: Record<string, string>[] = [];
  const streams = [
    "event: open\nid: 1-4\ndata: {}\n\nevent: item\nid: 1-5\ndata: {}\n\n",
    "event: open\nid: 1-5\ndata: {}\n\nevent: expired\ndata: {}\n\n",
    "event: open\nid: 1-5\ndata: {}\n\n",
  ];
  vi.stubGlobal("fetch", async (_: URL, { headers }: RequestInit) => {
    asked.push(headers as Record<string, string>);
    return new Response(streams[asked.length - 1] ?? "");
  });
  let made = 0;
  const reads = new RelayReads(new URL("https://relay.test/"));
  const token = async () => ({ token: Uint8Array.of(++made), expiresAt: Date.now() + 3_600_000 });
  reads.readAs({ account: "anna", token });
  let called = 0;
  const end = reads.onHomeFeed(() => called++);
  await vi.advanceTimersByTimeAsync(3_500);
  end();
  vi.useRealTimers();
  const [one, two] = ["Bearer AQ", "Bearer Ag"];
  expect(asked.slice(0, 3)).toEqual([
    { authorization: one },
    { authorization: one, "last-event-id": "1-5" },
    { authorization: two, "last-event-id": "1-5" },
  ]);
  expect(called).toBe(1);
});

test("the socket uses TLS if the page does", () => {
  expect(socketAddress(new URL("https://relay.test/"))).toBe("wss://relay.test/v1/sync");
  expect(socketAddress(new URL("http://localhost:8080/app"))).toBe("ws://localhost:8080/v1/sync");
});

describe("roads", () => {
  const feature = roadFeature("a-b");
  const road = {
    id: "a-b",
    score: { score: 81, parts: { twist: 80, corners: 70, flow: 90, variety: 60 }, measuredM: 4_000 },
    lengthM: 2_000,
    drivers: "few",
    bearingDeg: 45,
    line: [
      [10.1, 46.6],
      [10.2, 46.7],
    ],
  };

  const ofNewerRelay = { ...feature, properties: { ...feature.properties, drivers: "a million" } };

  test("are found in a box and near a place, the best first", async () => {
    const asked = answering(() => Response.json({ type: "FeatureCollection", features: [ofNewerRelay], next: null }));
    expect(await relay.roads({ bbox: [10, 46.5, 10.5, 47], minScore: 60 })).toMatchObject({ roads: [road], next: null });
    await relay.roads({ near: [10.1, 46.6], radiusM: 50_000 });
    expect(asked.map(({ search }) => decodeURIComponent(search))).toEqual([
      "?bbox=10,46.5,10.5,47&min_score=60",
      "?radiusM=50000&near=46.6,10.1",
    ]);
  });

  test("have a URL template of tiles", () => {
    expect(relay.roadTiles()).toBe("https://relay.test/v1/roads/tiles/{z}/{x}/{y}.mvt");
  });

  test("are read one by one with the drives over them", async () => {
    answering(() => Response.json(roadFeature("a-b", { drives: [driveItem()] })));
    expect(await relay.road("a-b")).toMatchObject({ ...road, drivers: "10+", drives: [{ id: "0190-copy", title: "Pass" }] });
  });

  test.each([
    ["no line", { ...feature, geometry: { type: "LineString", coordinates: [[1, 2]] } }],
    ["no score", { ...feature, properties: { ...feature.properties, score: undefined } }],
    ["no parts", { ...feature, properties: { ...feature.properties, parts: {} } }],
  ])("with %s are told as relay_failed", async (_, strange) => {
    answering(() => Response.json({ type: "FeatureCollection", features: [strange], next: null }));
    await expect(relay.roads()).rejects.toMatchObject({ code: "relay_failed" });
  });
});

test("an inbox is read, claimed and taken as the account, and never cached", async () => {
  const cache = new MemoryReadCache();
  const reads = new RelayReads(new URL("https://relay.test"), cache);
  await expect(reads.inbox()).rejects.toMatchObject({ code: "relay_unreachable" });
  reads.readAs({ account: "a", token: async () => ({ token: new Uint8Array([1]), expiresAt: Date.now() + 3_600_000 }) });
  const asked: [string, RequestInit | undefined][] = [];
  const inbox = { postedAt: 5, waiting: 1, refused: 0, drives: [], idle: [{ recorder: "", until: 4, receivedAt: 5 }] };
  vi.stubGlobal("fetch", async (url: URL, init?: RequestInit) => {
    asked.push([url.pathname, init]);
    if (url.pathname === "/v1/me/inbox") return Response.json(inbox);
    return url.pathname.includes("drives") ? new Response(new Uint8Array(64)) : new Response(null, { status: 204 });
  });
  const [idle] = (await reads.inbox()).idle;
  expect(idle).toEqual({ recorder: "", until: 4, receivedAt: 5 });
  expect((await reads.inboxFixes("0f")).length).toBe(64);
  const drive = { recorder: "x", until: 4, receivedAt: 5, source: "0f" };
  await reads.claimInInbox(drive);
  await reads.takeFromInbox(drive);
  await reads.openInbox();
  await reads.closeInbox();
  expect(asked.map(([path]) => path.replace("/v1/me/inbox", ""))).toEqual([
    "",
    "/drives/0f",
    "/claim",
    "/take",
    "/open",
    "/close",
  ]);
  const bodies = asked.map(([, init]) => init?.body);
  expect(bodies.slice(2, 4)).toEqual(Array(2).fill('{"recorder":"x","until":4,"receivedAt":5}'));
  expect(asked.every(([, init]) => new Headers(init?.headers).get("authorization") === "Bearer AQ")).toBe(true);
  expect(reads.inboxAddress("0f")).toBe("https://relay.test/v1/inbox/0f");
  vi.stubGlobal("fetch", async () => Promise.reject(new TypeError("Failed to fetch")));
  await expect(reads.inbox()).rejects.toMatchObject({ code: "relay_unreachable" });
});
