// Runs every example of the package's README in a page, in their order, against a real relay. Vite serves the examples, and
// resolves `@tourismo/client` as in a project that installed it.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { errorsOf, newProfile, openPhone } from "./chromium.mjs";
import { freePort, startRelayAt } from "./relay.mjs";

const packageFolder = fileURLToPath(new URL("../../pwa-shim/", import.meta.url));
const vite = await import(pathToFileURL(createRequire(join(packageFolder, "package.json")).resolve("vite")));

test("every_example_of_the_package_s_readme_runs", { timeout: 300_000 }, async (t) => {
  const examples = [...readFileSync(join(packageFolder, "README.md"), "utf8").matchAll(/^```ts\n(.*?)^```/gms)];
  assert.ok(examples.length >= 5, "the README has examples");
  const [relayPort, pagePort] = [await freePort(), await freePort()];
  const [relay, address] = [`http://localhost:${relayPort}`, `http://localhost:${pagePort}`];
  await startRelayAt(relayPort, t, "--public-url", relay, "--allow-origin", address);

  // Inside the package folder the name of the package resolves to the package.
  const cache = join(packageFolder, "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  const root = mkdtempSync(join(cache, "readme-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  writeFileSync(join(root, "index.html"), "<!doctype html><title>README</title>");
  for (const [i, [, example]] of examples.entries()) {
    writeFileSync(join(root, `example${i}.ts`), example.replaceAll("https://relay.example", relay));
  }
  const server = await vite.createServer({
    configFile: false,
    root,
    logLevel: "error",
    server: { port: pagePort, host: "localhost", strictPort: true, fs: { allow: [packageFolder] }, hmr: false, watch: null },
    optimizeDeps: { noDiscovery: true },
  });
  t.after(() => server.close());
  await server.listen();

  const phone = await openPhone(newProfile(t), {
    permissions: ["geolocation"],
    geolocation: { latitude: 46.5, longitude: 10.4 },
  });
  const errors = errorsOf(phone);
  const page = phone.pages()[0];
  page.on("dialog", (dialog) => dialog.accept());
  await page.goto(address);
  for (const i of examples.keys()) {
    const failed = await page.evaluate(
      (path) =>
        import(path).then(
          () => undefined,
          (thrown) => `${thrown?.code} ${thrown?.message ?? thrown}`,
        ),
      `/example${i}.ts`,
    );
    assert.equal(failed, undefined, `example ${i + 1}: ${failed}`);
    t.diagnostic(`example ${i + 1} ran`);
  }
  assert.deepEqual(
    errors.filter((error) => !/favicon|status of 404/.test(error)),
    [],
  );
});
