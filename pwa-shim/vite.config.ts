// Bundles the PWA in app/ into dist/, which the relay embeds and serves. The PWA imports `@tourismo/client` through the package's own
// `exports`, so that lib/ must be built first.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

import manifest from "./package.json" with { type: "json" };
import { compress } from "./vite-compress.ts";
import { shell } from "./vite-shell.ts";

const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: "app",
  plugins: [shell("sw.js"), compress(file("node_modules/.cache/brotli"))],
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2023",
    // Nothing is inlined: the Content-Security-Policy of the page allows no `data:` scripts.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      input: { index: file("app/index.html"), sw: file("app/sw/sw.ts") },
      // The URL of a service worker must not change.
      output: { entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
  worker: { format: "es" },
  define: { __VERSION__: JSON.stringify(manifest.version) },
  // `npm run dev` serves the app at http://localhost:5173 and proxies requests for the relay. The relay needs --public-url with this
  // origin; `just run` sets it.
  server: { proxy: { "/v1": { target: "http://localhost:8080", ws: true } } },
  test: {
    root: ".",
    testTimeout: 120_000,
    include: ["src/**/*.test.ts", "app/**/*.test.ts", "app/**/*.test.tsx"],
  },
});
