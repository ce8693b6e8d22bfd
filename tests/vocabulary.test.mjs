import assert from "node:assert/strict";
import { test } from "node:test";

import { retiredIn } from "./vocabulary.mjs";

test("a retired name is found in code, in a comment and as the name of a file", () => {
  const terms = (path, text) => retiredIn(path, text).map(({ term }) => term);
  assert.deepEqual(terms("core/src/a.rs", "let store = Shelf::open();"), ["Shelf"]);
  assert.deepEqual(terms("core/src/a.rs", "/// Asks the doorkeeper."), ["doorkeeper"]);
  assert.deepEqual(terms("sync-server/src/upkeep.rs", ""), ["upkeep"]);
  assert.deepEqual(terms("README.md", "roads: no roads for the moment"), ["no roads for the moment"]);
});

test("a retired name is no part of another name, and right where it is allowed", () => {
  assert.deepEqual(retiredIn("core/src/a.rs", "fn recommend(bookshelf: Shelfish) {}"), []);
  assert.deepEqual(retiredIn("wasm/src/read.rs", "fn any<V: Visitor>(visitor: V) {}"), []);
  assert.deepEqual(retiredIn("core/src/stats/tests.rs", "fn a_parked_car() { parked(); }"), []);
});
