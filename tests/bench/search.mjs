// Measures a search of the user's drives in the core: `search.mjs <given.json>` prints one JSON object. The core has as many drives
// as the file says, and a text is typed letter by letter.

import { readFileSync } from "node:fs";
import { Phone, median } from "./phone.mjs";

const RUNS = 20;
const DAY_MS = 86_400_000;
const NOTES = "Dry and little traffic. Stopped at the top for coffee; the north side had fresh tarmac and long bends. ";

const { drives, typed } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const phone = new Phone(new Map(), 1, { wall: Date.UTC(2010, 0, 1) });
const car = phone.command({ type: "putCar", car: null, fields: carFields() }).doc;
for (let number = 0; number < drives; number++) {
  phone.passTo(Date.UTC(2010, 0, 1) + number * DAY_MS);
  const drive = phone.command({ type: "startDrive", car: number % 2 === 0 ? car : null }).doc;
  phone.command({ type: "finishDrive" });
  phone.command({ type: "editDrive", drive, title: `Over the Grimsel Straße ${number}`, notes: NOTES.repeat(number % 4) });
  phone.flush();
}
if (phone.core.findDrives({}).drives.length !== drives) throw new Error("a drive is missing");

const keystrokes = Array.from(typed, (_, index) => typed.slice(0, index + 1));
const costs = keystrokes.map((text) => {
  const runs = Array.from({ length: RUNS }, () => {
    const before = performance.now();
    phone.core.findDrives({ text });
    return performance.now() - before;
  });
  return { text, ms: median(runs), found: phone.core.findDrives({ text }).drives.length };
});
const slowest = costs.toSorted((a, b) => b.ms - a.ms)[0];
console.log(JSON.stringify({ medianMs: median(costs.map(({ ms }) => ms)), slowestMs: slowest.ms, found: costs.at(-1).found }));

function carFields() {
  return { make: "Mazda", model: "MX-5", year: 1999, nickname: "Rosi", colour: "soul red", isPublic: false };
}
