// Fails for retired terms of ARCHITECTURE.md's glossary: names of types, functions and files, and phrases in logs,
// help and documents. `node tests/vocabulary.mjs` checks all files that git tracks; vocabulary.test.mjs tests the check.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { argv, exit } from "node:process";
import { fileURLToPath } from "node:url";

/** Retired words, what to write, and the paths in which a word is allowed. Whole names are compared. */
const words = [
  ["Shelf|shelf", "DocumentStore, documents"],
  ["Desk|desk", "SyncContext, WriterContext, context"],
  ["dice", "random"],
  ["Suspects|suspects", "CrashGuard, crash_guard"],
  ["Parked|parked", "CommandQueue", [/^core\/src\/stats\/tests\.rs$/]],
  ["DocLog|check_fit", "DocumentState, check_continues"],
  ["AccountLog", "AccountState", [/^tests\/src\/sim\//]],
  ["Doorkeeper|doorkeeper", "RateLimiter"],
  [
    "Visitor|visitor",
    "Client",
    [/^wasm\/src\/read\.rs$/, /^core\/import\/src\/takeout\.rs$/, /^sync-server\/src\/runtime\/(metrics|log_throttle)\.rs$/],
  ],
  ["Surveyor|surveyor|Paving|paving|pave", "RoadBuilder, RoadUpdate, apply_road_update"],
  ["UpkeepError|upkeep", "MaintenanceError, maintenance"],
  ["look_and_mend", "inspect_and_repair"],
  ["shunned", "blocked_either_way, blocked_by"],
  ["Asked", "ReadRequest"],
  ["statements_said", "statements_executed"],
  ["Weather|weather", "FaultProfile, faults"],
  ["Plant|plant|Plants", "InjectedBug, bug"],
  ["Ledger|ledger", "ReferenceModel, reference"],
  ["Foe|foe", "HostileClient"],
  ["Crowd", "People"],
  ["Happening", "PhoneEvent"],
  ["useTold|useToldList|Telling|ToldList", "useRelayQuery, useRelayList, QueryState, RelayList"],
  ["isOld|toldAt", "isStale, fetchedAt", [/^pwa-shim\/app\/sw\//]],
  ["feltNow|commentsNow|answeredNow|meetNow|meetsNow|overruledIn", "withOwnReaction, withOwnComments, withOwnAnswer, …"],
  ["bestWays|backOf|courseOf", "pairedRoads, reverseOf, directionOf"],
  ["exactlyWhereIAm|whereIAm", "currentPosition, approximatePosition"],
  ["layCable|layCableToRelay", "startRelayOnNetwork"],
];

/** Retired phrases. */
const phrases = [
  ["no roads for the moment", "road update failed, will retry"],
  ["a document gets no snapshot", "snapshot skipped"],
  ["It has made a note of it", "It has been logged"],
  ["This is for people alone", "Authentication required"],
  ["Sent away by the relay", "Rejected by the server"],
];

/** Generated files, files about the past, and files that list these terms. */
const ignored = [
  /(^|\/)(package-lock\.json|Cargo\.lock|CHANGELOG\.md|BENCHMARKS\.md|vocabulary(\.test)?\.mjs)$/,
  /^pwa-shim\/src\/generated\//,
  /corpus\//,
  /^LICENSE/,
  /\.(png|svg|wasm|snap|gpx|bin|ico|woff2)$/,
];

/** The uses of retired terms in a file: line, term and replacement. */
export function retiredIn(path, text) {
  if (ignored.some((pattern) => pattern.test(path))) return [];
  const found = [];
  for (const [index, line] of text.split("\n").entries()) {
    for (const [names, instead, allowed = []] of words) {
      const [, , name] = line.match(new RegExp(`(^|[^\\w-])(${names})(?![\\w-])`)) ?? [];
      if (name !== undefined && !allowed.some((where) => where.test(path) || where.test(line)))
        found.push({ line: index + 1, term: name, instead });
    }
    for (const [phrase, instead] of phrases) if (line.includes(phrase)) found.push({ line: index + 1, term: phrase, instead });
  }
  const file = path.split("/").at(-1).split(".")[0];
  for (const [names, instead] of words) if (new RegExp(`^(${names})$`).test(file)) found.push({ line: 0, term: file, instead });
  return found;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const files = execFileSync("git", ["ls-files"], { encoding: "utf8" }).trim().split("\n");
  let count = 0;
  for (const path of files) {
    if (ignored.some((pattern) => pattern.test(path))) continue;
    for (const { line, term, instead } of retiredIn(path, readFileSync(path, "utf8"))) {
      console.error(`vocabulary: ${path}:${line}: "${term}" is retired; write ${instead}`);
      count += 1;
    }
  }
  if (count > 0) exit(1);
  console.log(`vocabulary: no retired term in ${files.length} files`);
}
