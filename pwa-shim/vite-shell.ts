// A Vite plug-in that gives the service worker the list of the files of the app, as the module `virtual:shell`.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

const VERSION = "__SHELL_VERSION__";
const FILES = "__SHELL_FILES__";

/** `worker` is the name of the built service worker. */
export function shell(worker: string): Plugin {
  let publicDir = "";
  return {
    name: "shell",
    // Runs after Vite has added index.html.
    enforce: "post",
    configResolved(config) {
      publicDir = config.publicDir;
    },
    resolveId: (id) => (id === "virtual:shell" ? "\0virtual:shell" : undefined),
    load: (id) => (id === "\0virtual:shell" ? `export const shell = { version: "${VERSION}", files: "${FILES}" };` : undefined),
    generateBundle(_, bundle) {
      const contents = new Map<string, string | Uint8Array>();
      for (const [name, built] of Object.entries(bundle)) {
        if (name !== worker) contents.set(`/${name}`, built.type === "chunk" ? built.code : built.source);
      }
      for (const name of readdirSync(publicDir)) contents.set(`/${name}`, readFileSync(join(publicDir, name)));
      const files = [...contents.keys()].sort();
      const hash = createHash("sha256");
      for (const file of files) hash.update(file).update(contents.get(file) ?? "");

      const script = bundle[worker];
      if (script?.type !== "chunk") this.error(`${worker} was not built`);
      hash.update(script.code);
      script.code = script.code
        .replace(new RegExp(`["'\`]${VERSION}["'\`]`), JSON.stringify(hash.digest("hex").slice(0, 16)))
        .replace(new RegExp(`["'\`]${FILES}["'\`]`), JSON.stringify(files));
    },
  };
}
