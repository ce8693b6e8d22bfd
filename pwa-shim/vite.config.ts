// How the PWA in app/ is bundled into dist/, which the relay embeds and serves. The PWA imports `@tourismo/client` as
// anybody else would: through the package's own `exports`, so that lib/ is built before it.
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
    // Nothing is inlined: the page is served under a policy without `data:` scripts.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
    rolldownOptions: {
      input: { index: file("app/index.html"), sw: file("app/sw/sw.ts") },
      // A service worker keeps its address for ever.
      output: { entryFileNames: (chunk) => (chunk.name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
    },
  },
  worker: { format: "es" },
  define: { __VERSION__: JSON.stringify(manifest.version) },
  // `npm run dev` serves the app from here and passes on what is asked of the relay, which has to be told with --public-url
  // that the app dials this origin, http://localhost:5173: `just run` does.
  server: { proxy: { "/v1": { target: "http://localhost:8080", ws: true } } },
  test: {
    root: ".",
    include: ["src/**/*.test.ts", "app/**/*.test.ts", "app/**/*.test.tsx"],
  },
});
