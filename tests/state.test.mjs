import assert from "node:assert/strict";
import { test } from "node:test";

import { statesOf } from "./state.mjs";

test("the fields of a struct are counted, but for those of the simulator", () => {
  const source = `
/// A component.
#[derive(Debug)]
pub(super) struct Component {
    /// Its name: text.
    name: String,
    pub(crate) queue: Vec<(u32, String)>,
    #[cfg(feature = "faults")]
    faults: Faults,
}
`;
  assert.deepEqual(statesOf(source), [{ name: "Component", fields: ["name", "queue"] }]);
});

test("values are not state", () => {
  const values = ["#[derive(Debug, Encode)]\nstruct Stored {\n    a: u32,\n}\n", "struct Context<'a> {\n    a: &'a u32,\n}\n"];
  assert.deepEqual(values.flatMap(statesOf), []);
});
