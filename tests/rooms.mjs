// Checks that imports between the modules of a crate follow the code map of ARCHITECTURE.md: a module uses the modules in the
// rows above its own and in its own row, and none below. Unit tests may use everything. Fails also for a module without a row and
// for a row without a module. `node tests/rooms.mjs` checks the crates below; rooms.test.mjs tests the check.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { argv, exit } from "node:process";
import { fileURLToPath } from "node:url";

/** The crates that have a table in the code map. */
const crates = ["core", "sync-server"];

/** The row of each module in the table of a crate, the first row 0. */
export function rowsOf(architecture, crate) {
  const [, section = ""] = architecture.split(`\n**\`${crate}/\`**`);
  const table = section.match(/\| module \|.*\n\|[-|]+\n((?:\|.*\n)+)/)?.[1] ?? "";
  const rows = table.trim().split("\n");
  const names = (row) => [...row.split("|")[1].matchAll(/`(\w+)`/g)].map(([, name]) => name);
  return new Map(rows.flatMap((row, index) => names(row).map((name) => [name, index])));
}

/** The modules at the top of a crate that a file uses, each with its line. `path` is relative to the crate's `src/`. */
export function modulesUsedBy(path, source) {
  const depth = path.replace(/\.rs$/, "").split("/").length;
  const used = [];
  const text = withoutTests(source).replace(/\/\/.*/g, "");
  // One `super` for each level leads to the top, and so does `crate`.
  const top = new RegExp(`(?<![\\w:$])(?:crate|(?:super::){${depth - 1}}super)::(\\w+|\\{)`, "g");
  for (const { 1: name, index } of text.matchAll(top)) {
    const line = text.slice(0, index).split("\n").length;
    const names = name === "{" ? namesIn(text.slice(text.indexOf("{", index))) : [name];
    used.push(...names.map((name) => ({ name, line })));
  }
  return used;
}

/** The names at the first level of a group, such as `a` and `b` of `{a::{c, d}, b}`. */
function namesIn(group) {
  const names = [];
  let level = 0;
  let isFirst = false;
  for (const [token] of group.matchAll(/[{},]|\w+/g)) {
    if (token === "{") level += 1;
    if (token === "}") level -= 1;
    if (level === 0) break;
    if (level === 1 && isFirst && /\w/.test(token)) names.push(token);
    isFirst = token === "," || (token === "{" && level === 1);
  }
  return names;
}

/** A file without its unit tests, its lines in their places. */
function withoutTests(source) {
  return source.replace(/^#\[cfg\(test\)\]\n(?:#\[.*\]\n)*mod \w+ \{\n[\s\S]*?^\}$/gm, (tests) => tests.replace(/[^\n]/g, ""));
}

/** What is wrong with the modules of a crate: `files` has the path below `src/` and the text of each. */
export function wrongArrows(rows, files) {
  const wrong = [];
  const tests = files.flatMap(([path, source]) => testFilesOf(path, source));
  const tested = files.filter(([path]) => !tests.some((test) => path === `${test}.rs` || path.startsWith(`${test}/`)));
  const modules = new Set(tested.map(([path]) => moduleOf(path)).filter((name) => !isRoot(name)));
  for (const name of modules) if (!rows.has(name)) wrong.push(`${name} has no row in the code map`);
  for (const name of rows.keys())
    if (!modules.has(name) && !isRoot(name)) wrong.push(`${name} is in the code map, and no module`);
  for (const [path, source] of tested) {
    const from = moduleOf(path);
    if (isRoot(from)) continue;
    for (const { name, line } of modulesUsedBy(path, source)) {
      if (name === from || (rows.get(name) ?? Number.POSITIVE_INFINITY) <= rows.get(from)) continue;
      wrong.push(`${path}:${line}: ${from} uses ${name}, which is not above it in the code map`);
    }
  }
  return wrong;
}

/** The modules of unit tests that a file declares, as paths without their ending. */
function testFilesOf(path, source) {
  const folder = isRoot(path.replace(/\.rs$/, "")) ? "" : `${path.replace(/\.rs$/, "")}/`;
  const declared = source.matchAll(/^#\[cfg\(test\)\]\n(?:#\[.*\]\n)*(?:pub(?:\(\w+\))? )?mod (\w+);/gm);
  return [...declared].map(([, name]) => folder + name);
}

function isRoot(name) {
  return name === "lib" || name === "main";
}

function moduleOf(path) {
  return path.split("/")[0].replace(/\.rs$/, "");
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const architecture = readFileSync("ARCHITECTURE.md", "utf8");
  let count = 0;
  for (const crate of crates) {
    const folder = join(crate, "src");
    const paths = readdirSync(folder, { recursive: true }).filter((path) => path.endsWith(".rs"));
    const files = paths.map((path) => [path.replaceAll("\\", "/"), readFileSync(join(folder, path), "utf8")]);
    for (const fault of wrongArrows(rowsOf(architecture, crate), files)) {
      console.error(`rooms: ${crate}: ${fault}`);
      count += 1;
    }
  }
  if (count > 0) exit(1);
  console.log(`rooms: imports follow the code map in ${crates.join(" and ")}`);
}
