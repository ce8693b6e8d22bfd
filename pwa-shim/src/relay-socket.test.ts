import { afterEach, describe, expect, test, vi } from "vitest";

import { originOf, webSocketTo } from "./relay-socket.ts";

describe("the origin that a socket was opened to", () => {
  test.each([
    ["wss://relay.example/v1/sync", "https://relay.example"],
    ["wss://Relay.Example:443/v1/sync", "https://relay.example"],
    ["wss://relay.example:8443/v1/sync", "https://relay.example:8443"],
    ["ws://localhost:8080/v1/sync", "http://localhost:8080"],
    ["ws://localhost:80/v1/sync", "http://localhost"],
    ["ws://[2001:db8:0:0::1]:8080/v1/sync", "http://[2001:db8::1]:8080"],
    ["wss://b\u00fccher.example/v1/sync", "https://xn--bcher-kva.example"],
    ["wss://user:word@relay.example/v1/sync", "https://relay.example"],
  ])("of %s is %s", (url, origin) => {
    expect(originOf({ url })).toBe(origin);
  });
});

interface FakeSocket {
  url: string;
  onopen?: () => void;
  onclose?: () => void;
  onmessage?: (message: { data: unknown }) => void;
}

/** Replaces `WebSocket` and returns the sockets that are opened. */
function fakeSockets(): FakeSocket[] {
  const opened: FakeSocket[] = [];
  class FakeWebSocket implements FakeSocket {
    readonly url: string;
    constructor(url: string) {
      this.url = url;
      opened.push(this);
    }
    close(): void {}
  }
  vi.stubGlobal("WebSocket", FakeWebSocket);
  return opened;
}

describe("a socket", () => {
  afterEach(() => vi.unstubAllGlobals());

  test("reports the dialled origin, whatever the relay sends", () => {
    const opened = fakeSockets();
    const told: string[] = [];
    const events = {
      connected: (origin: string) => told.push(origin),
      received: () => {},
      disconnected: () => {},
      handshakeFailed: () => {},
    };
    webSocketTo("wss://relay.example/v1/sync")(events).connect();
    opened[0]?.onopen?.();
    opened[0]?.onmessage?.({ data: "https://evil.example" });
    expect(told).toEqual(["https://relay.example"]);
  });

  test.each([
    ["answers", true, async () => new Response("ok")],
    ["is behind a proxy that answers for it", false, async () => new Response("", { status: 502 })],
    ["does not answer", false, () => Promise.reject(new TypeError("Failed to fetch"))],
  ])("says after a failed handshake whether the relay answers: it %s", async (_, expected, answer) => {
    const opened = fakeSockets();
    const asked: string[] = [];
    vi.stubGlobal("fetch", (url: string) => {
      asked.push(url);
      return answer();
    });
    const events: unknown[] = [];
    webSocketTo("wss://relay.example/v1/sync")({
      connected: () => events.push("connected"),
      received: () => {},
      disconnected: () => events.push("disconnected"),
      handshakeFailed: (isAnswering) => events.push(isAnswering),
    }).connect();
    opened[0]?.onclose?.();
    await vi.waitFor(() => expect(events).toEqual(["disconnected", expected]), 30_000);
    expect(asked).toEqual(["https://relay.example/v1/health"]);
  });

  test("asks nothing when an open connection is lost", async () => {
    const opened = fakeSockets();
    const fetch = vi.fn();
    vi.stubGlobal("fetch", fetch);
    const events = { connected: () => {}, received: () => {}, disconnected: () => {}, handshakeFailed: () => {} };
    webSocketTo("wss://relay.example/v1/sync")(events).connect();
    opened[0]?.onopen?.();
    opened[0]?.onclose?.();
    expect(fetch).not.toHaveBeenCalled();
  });
});
