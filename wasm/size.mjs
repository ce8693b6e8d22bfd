// Prints the size of a file, uncompressed and with brotli. Fails if the latter exceeds the limit: `size.mjs <file> <brotli bytes>`.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { wasmOptions } from "./brotli.mjs";

const [file, limit] = process.argv.slice(2);
const bytes = readFileSync(file);
const brotli = brotliCompressSync(bytes, wasmOptions(bytes.length)).length;
const inKb = (size) => `${(size / 1000).toFixed(1)} KB`;

console.log(`wasm: ${basename(file)} ${inKb(bytes.length)}, gzip ${inKb(gzipSync(bytes).length)}, brotli ${inKb(brotli)}`);
if (brotli > Number(limit)) {
  console.error(`wasm: over the limit of ${inKb(Number(limit))} with brotli`);
  process.exit(1);
}
