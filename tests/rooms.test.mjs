import assert from "node:assert/strict";
import { test } from "node:test";

import { modulesUsedBy, rowsOf, wrongArrows } from "./rooms.mjs";

const architecture = `
**\`a-crate/\`** (\`a_crate\`):

| module | purpose |
|---|---|
| \`clock\`, \`db\` | low |
| \`writer\` | middle |
| \`http\`, \`lib\` | high |

**\`another/\`**:
`;
const rows = rowsOf(architecture, "a-crate");
const modules = [
  ["clock.rs", ""],
  ["db.rs", ""],
  ["writer.rs", ""],
  ["http.rs", ""],
];

test("the order of modules is that of the rows of the table", () => {
  assert.deepEqual(
    [...rows],
    [
      ["clock", 0],
      ["db", 0],
      ["writer", 1],
      ["http", 2],
      ["lib", 2],
    ],
  );
});

test("an import from a row below is found, however it is written", () => {
  for (const [path, source] of [
    ["writer.rs", "use crate::http::error::ApiError;"],
    ["writer/append.rs", "use crate::{db, http};"],
    ["writer/append.rs", "use crate::{clock::{A, B}, http::C};"],
    ["writer/append.rs", "fn a() { super::super::http::b() }"],
    ["writer.rs", "fn a() -> super::http::B { }"],
    ["db/sql.rs", "\n\nuse crate::writer::Writer;"],
    ["db.rs", "use crate::Config;"],
  ]) {
    const wrong = wrongArrows(rows, [...modules, [path, source]]);
    assert.equal(wrong.length, 1, source);
    assert.match(wrong[0], /uses (http|writer|Config), which is not above it/);
  }
});

test("imports from above and from the same row are right, and so are those of unit tests", () => {
  const source = `use crate::clock::Clock;
use crate::{db, writer};
use super::super::db::sql;
//! See [\`Http\`](crate::http::Http).
macro_rules! m { () => { $crate::http::x() } }
#[cfg(test)]
mod tests {
    use crate::http::Error;
}
`;
  assert.deepEqual(wrongArrows(rows, [...modules, ["writer/append.rs", source], ["clock/a.rs", "use crate::db::X;"]]), []);
  const tests = [
    ["db.rs", "#[cfg(test)]\nmod made;\n"],
    ["db/made.rs", "use crate::http::Error;"],
  ];
  assert.deepEqual(wrongArrows(rows, [...modules, ...tests]), []);
});

test("an import after unit tests is found in its line", () => {
  const source = "#[cfg(test)]\nmod tests {\n    use crate::a;\n}\n\nuse crate::http;\n";
  assert.deepEqual(modulesUsedBy("db.rs", source), [{ name: "http", line: 6 }]);
});

test("a module without a row and a row without a module are found", () => {
  const wrong = wrongArrows(rows, [...modules.slice(1), ["cache/map.rs", ""]]);
  assert.deepEqual(wrong, ["cache has no row in the code map", "clock is in the code map, and no module"]);
});
