// Packs the package as npm would publish it, installs the tarball in an empty folder, and checks it: every entry of `exports` can be
// imported in Node, its types and the examples of the README compile under `strict`, the README explains every error code, and the
// licences are inside.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const packageFolder = dirname(dirname(fileURLToPath(import.meta.url)));
const manifest = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8"));
const consumer = mkdtempSync(join(tmpdir(), "tourismo-pack-"));
const run = (command, args, cwd) => execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

try {
  const [packed] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", consumer], packageFolder));
  writeFileSync(join(consumer, "package.json"), JSON.stringify({ name: "consumer", private: true, type: "module" }));
  run("npm", ["install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts", `./${packed.filename}`], consumer);

  const entries = Object.entries(manifest.exports)
    .filter(([, target]) => typeof target === "object" && "types" in target)
    .map(([path]) => manifest.name + path.slice(1));
  const program = entries.map((entry, i) => `import * as entry${i} from "${entry}";\nvoid entry${i};\n`).join("");
  writeFileSync(join(consumer, "consumer.ts"), program);
  writeFileSync(join(consumer, "consumer.mjs"), program);
  run("node", ["consumer.mjs"], consumer);
  const tsc = join(packageFolder, "node_modules", "typescript", "bin", "tsc");
  const options = ["--noEmit", "--strict", "--module", "NodeNext", "--target", "ES2023", "--lib", "ES2023,DOM"];
  const programs = ["consumer.ts"];
  const compiled = (name, text) => {
    writeFileSync(join(consumer, name), text);
    programs.push(name);
  };

  const installed = (name) => readFileSync(join(consumer, "node_modules", manifest.name, name), "utf8");
  for (const licence of ["LICENSE-MIT", "LICENSE-APACHE"]) {
    if (installed(licence) !== readFileSync(join(packageFolder, "..", licence), "utf8")) {
      throw new Error(`${licence} of the package differs from the one of the project`);
    }
  }
  const readme = installed("README.md");
  const examples = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, example]) => example);
  for (const [i, example] of examples.entries()) compiled(`example${i + 1}.ts`, example);
  // The type Record requires every code, and allows no other.
  const codes = [...readme.matchAll(/^\| `(\w+)` \| /gm)].map(([, code]) => `${code}: true,\n`);
  const record = `export const explained: Record<ErrorCode, true> = {\n${codes.join("")}};\n`;
  compiled("codes.ts", `import type { ErrorCode } from "${manifest.name}";\n${record}`);

  run("node", [tsc, ...options, ...programs], consumer);
  const checked = `imports as ${entries.join(", ")}; ${examples.length} examples compile`;
  console.log(`${packed.filename}: ${packed.files.length} files, ${packed.size} bytes; ${checked}`);
} finally {
  rmSync(consumer, { recursive: true, force: true });
}
