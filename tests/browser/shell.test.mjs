// The built PWA in a browser, served as plain files: it opens without any relay.

import assert from "node:assert/strict";
import { test } from "node:test";

import { serveApp } from "./app.mjs";
import { errorsOf, newProfile, openPhone } from "./chromium.mjs";

test("the_app_opens_without_an_error", { timeout: 300_000 }, async (t) => {
  const address = await serveApp(t);
  const phone = await openPhone(newProfile(t));
  const errors = errorsOf(phone);

  const page = phone.pages()[0];
  await page.goto(address, { waitUntil: "load" });

  await page.waitForFunction(() => document.title === "Record · Tourismo");
  assert.deepEqual(errors, []);
});
