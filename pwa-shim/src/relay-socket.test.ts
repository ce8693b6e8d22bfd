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

describe("a socket", () => {
  afterEach(() => vi.unstubAllGlobals());

  test("tells the origin that was dialled, whatever the other side says", () => {
    const opened: { url: string; onopen?: () => void; onmessage?: (message: { data: unknown }) => void }[] = [];
    class FakeWebSocket {
      readonly url: string;
      constructor(url: string) {
        this.url = url;
        opened.push(this);
      }
      close(): void {}
    }
    vi.stubGlobal("WebSocket", FakeWebSocket);
    const told: string[] = [];
    const events = { connected: (origin: string) => told.push(origin), received: () => {}, disconnected: () => {} };
    webSocketTo("wss://relay.example/v1/sync")(events).connect();
    opened[0]?.onopen?.();
    opened[0]?.onmessage?.({ data: "https://evil.example" });
    expect(told).toEqual(["https://relay.example"]);
  });
});
