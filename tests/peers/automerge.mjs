// Measures Automerge's own npm module: `automerge.mjs <drive.json>` appends a map for each fix, and prints one JSON object.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { brotliCompressSync } from "node:zlib";
import * as Automerge from "@automerge/automerge";

const APPENDS = 200;
const LOADS = 5;

const fixes = JSON.parse(readFileSync(process.argv[2], "utf8")).map((fix) => ({
  t: fix.fixedAt,
  lat: Math.round(fix.latDeg * 1e6),
  lon: Math.round(fix.lonDeg * 1e6),
  acc: Math.round(fix.accuracyM ?? 0),
  alt: Math.round((fix.altitudeM ?? 0) * 10),
  altAcc: Math.round(fix.altitudeAccuracyM ?? 0),
  head: Math.round(fix.headingDeg ?? 0),
  speed: Math.round((fix.speedMps ?? 0) * 10),
}));

function cpuUs() {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function median(values) {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

/** Appends the fixes one by one; returns the time for each. */
function append(document, count) {
  const costs = [];
  for (const fix of fixes.slice(0, count)) {
    const before = cpuUs();
    document = Automerge.change(document, (draft) => void draft.fixes.push(fix));
    costs.push(cpuUs() - before);
  }
  return median(costs);
}

function loadMs(bytes) {
  const before = cpuUs();
  Automerge.load(bytes);
  return (cpuUs() - before) / 1000;
}

append(Automerge.from({ fixes: [] }), APPENDS);
const firstUs = append(Automerge.from({ fixes: [] }), APPENDS);
const long = Automerge.from({ fixes });
const lastUs = append(long, APPENDS);
const saved = Automerge.save(long);

const module = dirname(createRequire(import.meta.url).resolve("@automerge/automerge"));
const wasm = readFileSync(`${module.replace(/dist.*$/, "dist")}/automerge.wasm`);
const figures = {
  firstUs,
  lastUs,
  loadMs: median(Array.from({ length: LOADS }, () => loadMs(saved))),
  wasmBytes: wasm.length,
  brotliBytes: brotliCompressSync(wasm).length,
};
console.log(JSON.stringify(figures));
