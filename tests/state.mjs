// Checks that no struct of the phone's engine has more than ten fields of mutable state. Values are not state: structs that are
// encoded, serialized or borrowed, the inputs and effects (`io`), and the views. `node tests/state.mjs` checks core/src/replica;
// state.test.mjs tests the check.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { argv, exit } from "node:process";
import { fileURLToPath } from "node:url";

const maxFields = 10;
const folder = fileURLToPath(new URL("../core/src/replica", import.meta.url));
const isValue = (path) => /^(io|views)(\.rs|\/)|(^|\/)tests(\.rs|\/)/.test(path);

/** The structs of a file that have state, each with its fields. Fields for the simulator's faults do not count. */
export function statesOf(source) {
  const structs = source.matchAll(
    /((?:^ *(?:\/\/\/|#\[).*\n)*)^( *)(?:pub(?:\(.*?\))? )?struct (\w+)(<.*>)? \{\n([\s\S]*?)^\2\}/gm,
  );
  return [...structs].flatMap(([, attributes, , name, generics, body]) => {
    if (generics !== undefined || /derive\(.*\b(Encode|Serialize)\b/.test(attributes)) return [];
    const fields = [...body.matchAll(/((?:^ *#\[.*\n)*)^ *(?:pub(?:\(.*?\))? )?(\w+): /gm)];
    return [{ name, fields: fields.filter(([, cfg]) => !cfg.includes('feature = "faults"')).map(([, , field]) => field) }];
  });
}

function main() {
  const paths = readdirSync(folder, { recursive: true }).filter((path) => path.endsWith(".rs") && !isValue(path));
  const files = [["replica.rs", `${folder}.rs`], ...paths.map((path) => [path, join(folder, path)])];
  const states = files.flatMap(([path, file]) => statesOf(readFileSync(file, "utf8")).map((state) => ({ path, ...state })));
  const tooLarge = states.filter(({ fields }) => fields.length > maxFields);
  for (const { path, name, fields } of tooLarge) {
    console.error(`${path}: ${name} has ${fields.length} fields of state, more than ${maxFields}: ${fields.join(", ")}`);
  }
  if (tooLarge.length > 0) exit(1);
  console.log(`state: ${states.length} structs of the replica have at most ${maxFields} fields each`);
}

if (argv[1] === fileURLToPath(import.meta.url)) main();
