// Serves the built PWA as static files, without a relay.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

import { until } from "./relay.mjs";

const dist = fileURLToPath(new URL("../../pwa-shim/dist/", import.meta.url));
const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };

/**
 * Serves dist/ on a free port until the test ends. Resolves to the address.
 *
 * @param {import("node:test").TestContext} test
 * @param {(path: string, body: Buffer) => Buffer | string} [released] changes the content of a file, for a newer version of the app
 */
export async function serveApp(test, released = (_, body) => body) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const file = join(dist, normalize(pathname.endsWith("/") ? `${pathname}index.html` : pathname));
    try {
      const body = released(pathname, await readFile(file));
      response.writeHead(200, { "content-type": types[extname(file)] ?? "application/octet-stream" }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  test.after(() => server.close());
  return `http://localhost:${server.address().port}/`;
}

/** Waits until a list of drives has this many rows. Rows are drawn as the user scrolls. */
export async function allDrives(page, count) {
  await until(`${count} drives are shown`, async () => {
    await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
    return (await page.getByTestId("drive").count()) === count;
  });
  await page.evaluate(() => scrollTo(0, 0));
}
