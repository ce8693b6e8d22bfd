// Checks that every rule of PROTOCOL.md has a test. A rule's paragraph begins with its id (**H1**); the name of a test of that
// rule begins with the id (`h1_a_hello_of_an_unknown_version_is_refused`), or with several (`h1_h2_…`). Fails for a rule without
// a test, and for a test with an id that is no rule.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const sources = ["core", "wasm", "sync-server", "tests", "pwa-shim/src", "pwa-shim/app"];

const protocol = readFileSync("PROTOCOL.md", "utf8");
const rules = new Set([...protocol.matchAll(/\*\*([A-Z]\d+)\*\*/g)].map(([, id]) => id));
const letters = new Set([...rules].map((id) => id[0]));
const names = sources.flatMap(testNames);
const tested = new Set(names.flatMap((name) => idsIn(name, /(?:^|[_ ])([a-z]\d+)(?=[_ ])/g)));

const untested = [...rules].filter((id) => !tested.has(id));
const opening = new Set(names.flatMap((name) => idsIn(name, /^([a-z]\d+)(?=[_ ])/g)));
const unknown = [...opening].filter((id) => !rules.has(id) && letters.has(id[0]));
for (const id of untested) console.error(`spec: rule ${id} has no test`);
for (const id of unknown) console.error(`spec: a test bears the id ${id}, which is no rule of PROTOCOL.md`);
if (rules.size === 0) console.error("spec: PROTOCOL.md has no rules");
if (rules.size === 0 || untested.length + unknown.length > 0) process.exit(1);
console.log(`spec: ${rules.size} rules, each with a test`);

/** The names of all tests in a folder: functions under `#[test]` and its kin, titles of `test("…")` and `it("…")`. */
function testNames(folder) {
  return readdirSync(folder, { recursive: true })
    .filter((path) => !path.includes("node_modules") && /\.(rs|ts|mjs)$/.test(path))
    .flatMap((path) => {
      const test = path.endsWith(".rs")
        ? /#\[(?:\w+::)*test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:async\s+)?fn\s+(\w+)/g
        : /\b(?:test|it)\(\s*["'`]([^"'`]+)/g;
      return [...readFileSync(join(folder, path), "utf8").matchAll(test)].map(([, name]) => name);
    });
}

/** The ids that a pattern finds in a test's name, as PROTOCOL.md writes them. */
function idsIn(name, pattern) {
  return [...name.matchAll(pattern)].map(([, id]) => id.toUpperCase());
}
