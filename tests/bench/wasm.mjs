// Measures the core in WebAssembly: `wasm.mjs <drive.json>` records the drive, opens it, and prints one JSON object.

import { readFileSync } from "node:fs";
import { brotliCompressSync } from "node:zlib";
import { wasmOptions } from "../../wasm/brotli.mjs";
import { Phone, median, openings, wasm } from "./phone.mjs";

const HOUR = 3600;
const WINDOW = 600;
const FIXES_PER_BLOCK = 60;

const fixes = JSON.parse(readFileSync(process.argv[2], "utf8"));
const setup = { wall: fixes[0].recordedAt };

/** Records the drive; returns for each fix the time in microseconds, and whether a block was encoded. */
function record(phone) {
  phone.command({ type: "startDrive", car: null });
  const costs = fixes.map((fix) => {
    phone.flush();
    const before = phone.spentMs;
    phone.passTo(fix.recordedAt);
    phone.handle({ type: "fix", fix });
    const packs = phone.waiting.flat().some((op) => op.space === "change");
    return { us: (phone.spentMs - before) * 1000, packs };
  });
  const outcome = phone.command({ type: "finishDrive" });
  phone.flush();
  return { drive: outcome.doc, costs };
}

/** The time for a fix, with its share of a block, in the fastest ten minutes, since other processes use this machine, too. */
function usPerFix(costs) {
  const windows = Array.from({ length: costs.length / WINDOW }, (_, index) => costs.slice(index * WINDOW, (index + 1) * WINDOW));
  const inWindow = (window) => {
    const [packing, plain] = [true, false].map((packs) => window.filter((cost) => cost.packs === packs).map((cost) => cost.us));
    return median(plain) + median(packing) / FIXES_PER_BLOCK;
  };
  return Math.min(...windows.map(inWindow));
}

// The first run is slower: one drive to warm up.
record(new Phone(new Map(), 1, setup));
const stored = new Map();
const { drive, costs } = record(new Phone(stored, 3, setup));
const figures = {
  firstUs: usPerFix(costs.slice(0, HOUR)),
  lastUs: usPerFix(costs.slice(-HOUR)),
  ...openings(stored, drive, setup),
  wasmBytes: wasm.length,
  brotliBytes: brotliCompressSync(wasm, wasmOptions(wasm.length)).length,
};
console.log(JSON.stringify(figures));
