import { describe, expect, test } from "vitest";

import { type PairingCode, pairingLink, parsePairingCode } from "./pairing-code.ts";

const base = "https://drive.test/#/devices";
const key = Uint8Array.from({ length: 32 }, (_, i) => 251 + i);
const grant = Uint8Array.from({ length: 151 }, (_, i) => i * 7);

describe("a code", () => {
  test.each<PairingCode>([
    { type: "link", device: key },
    { type: "join", grant },
    { type: "join", grant, of: "Änne Müller (@änne) 🚗" },
  ])("of type $type comes back from its link, and from what stands at the link's end", (code) => {
    const link = pairingLink(code, base);
    expect(link).toMatch(new RegExp(`^https://drive.test/#/${code.type}/[\\w~-]+$`));
    expect(parsePairingCode(` ${link}\n`)).toEqual(code);
    expect(parsePairingCode(link.split("/").at(-1) ?? "")).toEqual(code);
  });

  test("has the name of the account without control characters", () => {
    const link = pairingLink({ type: "join", grant, of: `\u202e${"x".repeat(500)}` }, base);
    expect(parsePairingCode(link)).toEqual({ type: "join", grant, of: "x".repeat(150) });
    expect(parsePairingCode(`${pairingLink({ type: "join", grant }, base)}~%%`)).toEqual({ type: "join", grant });
  });

  test.each(["", "hello", "https://drive.test/", "%%%", pairingLink({ type: "link", device: key }, base).slice(0, -3)])(
    "is not read from %j",
    (text) => expect(parsePairingCode(text)).toBeUndefined(),
  );
});
