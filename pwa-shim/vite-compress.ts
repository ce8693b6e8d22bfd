// A Vite plug-in that writes a Brotli file beside each built file. The relay sends `app.js.br` for `app.js` to browsers that accept it,
// so that it compresses nothing while a phone waits.

import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import type { Plugin } from "vite";

import { wasmOptions } from "../wasm/brotli.mjs";

/** Caches compressed files by the hash of their content: the highest quality takes seconds per MB. */
export function compress(cacheFolder: string): Plugin {
  let outDir = "";
  return {
    name: "compress",
    apply: "build",
    configResolved(config) {
      outDir = join(config.root, config.build.outDir);
    },
    closeBundle() {
      mkdirSync(cacheFolder, { recursive: true });
      for (const name of readdirSync(outDir, { recursive: true, encoding: "utf8" })) {
        if (!/\.(?:css|html|js|json|svg|wasm|webmanifest)$/.test(name)) continue;
        const file = join(outDir, name);
        const bytes = readFileSync(file);
        const compressed = brotli(bytes, name.endsWith(".wasm"), cacheFolder);
        if (compressed.length < bytes.length) writeFileSync(`${file}.br`, compressed);
      }
    },
  };
}

function brotli(bytes: Buffer, isWasm: boolean, cacheFolder: string): Buffer {
  const hash = createHash("sha256").update(bytes).digest("hex");
  const cached = join(cacheFolder, isWasm ? `${hash}.wasm.br` : `${hash}.br`);
  if (existsSync(cached)) return readFileSync(cached);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  const compressed = brotliCompressSync(bytes, isWasm ? wasmOptions(bytes.length) : { params });
  writeFileSync(cached, compressed);
  return compressed;
}
