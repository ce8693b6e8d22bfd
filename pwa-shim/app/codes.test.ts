import { describe, expect, test } from "vitest";

import { type Code, linkOf, readCode } from "./codes.ts";

const base = "https://drive.test/#/devices";
const key = Uint8Array.from({ length: 32 }, (_, i) => 251 + i);
const grant = Uint8Array.from({ length: 151 }, (_, i) => i * 7);

describe("a code", () => {
  test.each<Code>([
    { type: "link", device: key },
    { type: "join", grant },
    { type: "join", grant, of: "Änne Müller (@änne) 🚗" },
  ])("of type $type comes back from its link, and from what stands at the link's end", (code) => {
    const link = linkOf(code, base);
    expect(link).toMatch(new RegExp(`^https://drive.test/#/${code.type}/[\\w~-]+$`));
    expect(readCode(` ${link}\n`)).toEqual(code);
    expect(readCode(link.split("/").at(-1) ?? "")).toEqual(code);
  });

  test("says what the account calls itself as far as that can be shown", () => {
    const link = linkOf({ type: "join", grant, of: `\u202e${"x".repeat(500)}` }, base);
    expect(readCode(link)).toEqual({ type: "join", grant, of: "x".repeat(150) });
    expect(readCode(`${linkOf({ type: "join", grant }, base)}~%%`)).toEqual({ type: "join", grant });
  });

  test.each(["", "hello", "https://drive.test/", "%%%", linkOf({ type: "link", device: key }, base).slice(0, -3)])(
    "is not read from %j",
    (text) => expect(readCode(text)).toBeUndefined(),
  );
});
