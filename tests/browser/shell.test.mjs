// The built PWA, served as static files: it opens without a relay, and fits the phone.

import assert from "node:assert/strict";
import { test } from "node:test";

import { serveApp } from "./app.mjs";
import { errorsOf, newProfile, openPhone } from "./chromium.mjs";
import { until } from "./relay.mjs";

test("the_app_opens_without_an_error", { timeout: 300_000 }, async (t) => {
  const address = await serveApp(t);
  const phone = await openPhone(newProfile(t));
  const errors = errorsOf(phone);

  const page = phone.pages()[0];
  await page.goto(address, { waitUntil: "load" });

  await page.waitForFunction(() => document.title === "Record · Tourismo");
  assert.deepEqual(errors, []);
});

test("on_a_phone_that_lies_on_its_side_what_ends_a_drive_is_in_reach", { timeout: 300_000 }, async (t) => {
  const address = await serveApp(t);
  const phone = await openPhone(newProfile(t), { permissions: ["geolocation"], viewport: { width: 740, height: 360 } });
  const page = phone.pages()[0];
  await page.goto(address);
  await page.getByTestId("start").click();
  const below = page.getByRole("navigation");
  for (const name of ["Finish", "Pause"]) {
    const button = page.getByRole("button", { name });
    await button.waitFor();
    const isInReach = async () => {
      const { y, height } = await button.boundingBox();
      // The navigation may be hidden while a drive is recorded.
      const end = (await below.isVisible()) ? (await below.boundingBox()).y : page.viewportSize().height;
      return y >= 0 && y + height <= end;
    };
    await until(`${name} is on the screen, above the navigation`, isInReach);
  }
});
