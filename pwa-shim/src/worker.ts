// The worker of a tab. It opens the WASM core if this tab is elected as owner, and follows the owner otherwise.

import init, { Core as WasmCore } from "../pkg/tourismo_wasm.js";

import type { Core, OpenCore } from "./core.ts";
import { TourismoError } from "./errors.ts";
import { monotonicMs } from "./geolocation.ts";
import { type FromWorker, failedReply, type ToWorker, type WorkerOptions } from "./messages.ts";
import { type Clock, Owner } from "./owner.ts";
import { type Channel, Peer } from "./peer.ts";
import { webSocketTo } from "./relay-socket.ts";
import { IndexedDbStorage } from "./storage/indexed-db.ts";

const clock: Clock = {
  now: () => ({ wall: Date.now(), monotonicMs: monotonicMs() }),
  utcOffsetMin: () => -new Date().getTimezoneOffset(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};

const openCore: OpenCore = (opening): Core => new WasmCore(opening);

let peer: Peer | undefined;

addEventListener("message", (event: MessageEvent<ToWorker>) => {
  const message = event.data;
  switch (message.type) {
    case "open":
      peer = open(message.options);
      break;
    case "ask":
      (peer?.ask(message.ask) ?? Promise.reject(new TourismoError("closed"))).then(
        (result) => post({ type: "reply", request: message.request, reply: { ok: true, result } }),
        (thrown) =>
          post({ type: "reply", request: message.request, reply: failedReply(TourismoError.from(thrown, "core_failed")) }),
      );
      break;
    case "close":
      peer?.close();
      close();
      break;
    default:
      message satisfies never;
  }
});

function open(options: WorkerOptions): Peer {
  return new Peer(
    {
      id: crypto.randomUUID(),
      lock: options.name,
      locks: navigator.locks,
      channel: new BroadcastChannel(options.name) as Channel,
      clock,
      openOwner: async (id, events) => {
        await init({ module_or_path: options.wasm ?? new URL("../pkg/tourismo_wasm_bg.wasm", import.meta.url) });
        return Owner.open(
          id,
          {
            openCore,
            storage: new IndexedDbStorage(options.name),
            openSocket: webSocketTo(options.relay),
            clock,
            isOnline: () => navigator.onLine,
          },
          events,
        );
      },
    },
    {
      changed: (topics) => post({ type: "changed", topics }),
      failed: (why) => post({ type: "failed", code: why.code, message: why.message }),
    },
  );
}

function post(message: FromWorker): void {
  postMessage(message);
}
