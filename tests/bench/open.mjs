// Measures the time to open a drive from stored data: `open.mjs <given.json>` prints one JSON object.

import { readFileSync } from "node:fs";
import { name, openings } from "./phone.mjs";

const given = JSON.parse(readFileSync(process.argv[2], "utf8"));
const bytes = (entry) => ({ space: entry.space, key: Uint8Array.from(entry.key), value: Uint8Array.from(entry.value) });
const stored = new Map(given.stored.map(bytes).map((entry) => [name(entry.space, entry.key), entry]));
console.log(JSON.stringify(openings(stored, given.drive, { device: Uint8Array.from(given.device) })));
