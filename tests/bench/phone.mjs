// The core in WebAssembly with a disk in memory, and a clock that measures it, for the scripts in this folder.

import { readFileSync } from "node:fs";
import { Core, initSync } from "../../pwa-shim/pkg/tourismo_wasm.js";

const OPENINGS = 15;

export const wasm = readFileSync(new URL("../../pwa-shim/pkg/tourismo_wasm_bg.wasm", import.meta.url));
initSync({ module: wasm });

/** A core with a disk in memory and no network. */
export class Phone {
  constructor(stored, seed, { wall = 0, device = new Uint8Array(32).fill(2) } = {}) {
    this.stored = stored;
    this.now = { wall, monotonicMs: 0 };
    const opening = [...stored.values()].filter((entry) => entry.space !== "change");
    this.core = new Core({ seed: new Uint8Array(32).fill(seed), device, grant: null, stored: opening });
    this.waiting = [];
    /** The time in the core so far, including conversions, in milliseconds, and the clock that measures it. */
    this.spentMs = 0;
    this.clockMs = () => performance.now();
    this.handle({ type: "start" });
    this.handle({ type: "network", online: false });
  }

  passTo(wall) {
    this.now = { wall, monotonicMs: this.now.monotonicMs + Math.max(0, wall - this.now.wall) };
  }

  command(command) {
    this.handle({ type: "command", request: 1, command });
    return this.settled;
  }

  handle(input) {
    for (const inputs = [input]; inputs.length > 0; ) {
      const before = this.clockMs();
      const effects = this.core.handle(this.now, inputs.shift());
      this.spentMs += this.clockMs() - before;
      for (const effect of effects) {
        switch (effect.type) {
          case "store":
            this.waiting.push(effect.ops);
            inputs.push({ type: "stored", batch: effect.batch });
            break;
          case "load":
            inputs.push({ type: "loaded", request: effect.request, entries: effect.ranges.flatMap((range) => this.read(range)) });
            break;
          case "connect":
            inputs.push({ type: "disconnected" });
            break;
          case "settled":
            this.settled = effect.outcome;
            break;
        }
      }
    }
  }

  /** Executes the noted writes, outside of the measured time. */
  flush() {
    for (const op of this.waiting.splice(0).flat()) {
      if (op.type === "put") {
        this.stored.set(name(op.space, op.key), { space: op.space, key: op.key, value: op.value });
      } else {
        const [from, to] = [name(op.space, op.from), name(op.space, op.to)];
        for (const key of this.stored.keys()) if (from <= key && key <= to) this.stored.delete(key);
      }
    }
  }

  read(range) {
    const [from, to] = [name(range.space, range.from), name(range.space, range.to)];
    const found = [...this.stored].filter(([key]) => from <= key && key <= to);
    return found.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  }
}

export function name(space, key) {
  return `${space} ${Buffer.from(key).toString("hex")}`;
}

export function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** The CPU time so far in milliseconds: too coarse for a fix, and better than a clock for long operations. */
function cpuMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The milliseconds to open a drive in a new instance, and again while its document is in memory. */
export function openings(stored, drive, setup) {
  const [openMs, reopenMs] = [[], []];
  for (let seed = 10; seed < 10 + OPENINGS; seed++) {
    const phone = new Phone(stored, seed, setup);
    phone.clockMs = cpuMs;
    for (const taken of [openMs, reopenMs]) {
      const before = phone.spentMs;
      const outcome = phone.command({ type: "openDrive", drive });
      taken.push(phone.spentMs - before);
      if (outcome.type !== "done" || phone.core.track().type !== "ready") throw new Error("the drive does not open");
    }
  }
  return { openMs: median(openMs), reopenMs: median(reopenMs) };
}
