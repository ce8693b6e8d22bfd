// Packs the package as npm would publish it, installs the tarball in an empty folder, and checks it as its users meet it:
// every entry of `exports` imports in Node, and its types compile under `strict`.

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
  run("node", [tsc, ...options, "consumer.ts"], consumer);
  console.log(`${packed.filename}: ${packed.files.length} files, ${packed.size} bytes; imports as ${entries.join(", ")}`);
} finally {
  rmSync(consumer, { recursive: true, force: true });
}
