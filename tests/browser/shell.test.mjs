// The built PWA in a browser, served as plain files: it opens without any relay.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { errorsOf, newProfile, openPhone } from "./chromium.mjs";

const dist = fileURLToPath(new URL("../../pwa-shim/dist/", import.meta.url));
const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };

test("the_app_opens_without_an_error", async (t) => {
  const address = await serve(t);
  const phone = await openPhone(newProfile(t));
  const errors = errorsOf(phone);

  const page = phone.pages()[0];
  await page.goto(address, { waitUntil: "load" });

  assert.equal(await page.title(), "Tourismo");
  assert.deepEqual(errors, []);
});

/** Serves dist/ on a port of the system's choice until the test ends. */
async function serve(t) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const file = join(dist, normalize(pathname.endsWith("/") ? `${pathname}index.html` : pathname));
    try {
      const body = await readFile(file);
      response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return `http://localhost:${server.address().port}/`;
}
