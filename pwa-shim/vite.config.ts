// How the PWA in app/ is bundled into dist/, which the relay embeds and serves. The PWA imports `@tourismo/client` as
// anybody else would: through the package's own `exports`, so that lib/ is built before it.
import { defineConfig } from "vite";

export default defineConfig({
  root: "app",
  build: {
    outDir: "../dist",
    emptyOutDir: true,
    target: "es2023",
    // Nothing is inlined: the page is served under a policy without `data:` scripts.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1500,
  },
  worker: { format: "es" },
  test: {
    root: ".",
    include: ["src/**/*.test.ts", "app/**/*.test.ts"],
  },
});
