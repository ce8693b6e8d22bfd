// Records drives with the core in WebAssembly: `same_bits.mjs <drives.json>` prints the views of each as JSON, in which every number
// is the sixteen hexadecimal digits of its bits.

import { readFileSync } from "node:fs";
import { Phone } from "./bench/phone.mjs";

function bits(value) {
  if (typeof value === "number") {
    const view = new DataView(new ArrayBuffer(8));
    view.setFloat64(0, value);
    return view.getBigUint64(0).toString(16).padStart(16, "0");
  }
  if (Array.isArray(value)) return value.map(bits);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, bits(field)]));
  }
  return value;
}

function said(fixes) {
  const phone = new Phone(new Map(), 1, { wall: fixes[0].recordedAt });
  phone.command({ type: "startDrive", car: null });
  for (const fix of fixes) {
    phone.passTo(fix.recordedAt);
    phone.handle({ type: "fix", fix });
  }
  const { doc: drive } = phone.command({ type: "finishDrive" });
  phone.flush();
  phone.command({ type: "openDrive", drive });
  return bits({ track: phone.core.track(), drives: phone.core.drives() });
}

console.log(JSON.stringify(JSON.parse(readFileSync(process.argv[2], "utf8")).map(said)));
