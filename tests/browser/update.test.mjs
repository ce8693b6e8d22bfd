// A new version of the app is released while a drive is recorded.

import assert from "node:assert/strict";
import { test } from "node:test";

import { serveApp } from "./app.mjs";
import { newProfile, openPhone } from "./chromium.mjs";
import { sensorOf, straight } from "./drive.mjs";
import { hold } from "./hold.mjs";
import { until } from "./relay.mjs";

test("a_new_version_waits_until_the_drive_is_finished", { timeout: 300_000 }, async (t) => {
  let isNew = false;
  const release = (path, body) => (isNew && path === "/sw.js" ? `${body}\n// A newer version.` : body);
  const address = await serveApp(t, release);
  const phone = await openPhone(newProfile(t), { permissions: ["geolocation"] });
  const page = phone.pages()[0];
  await page.goto(address);
  await until("the app is on the phone", () => page.evaluate(() => navigator.serviceWorker.controller !== null));
  await page.getByTestId("start").click();
  await page.getByTestId("live").waitFor();
  // A drive without a position is discarded when it is finished.
  await (await sensorOf(page)).drive(straight(0, 3, 1_000), 1_000);

  isNew = true;
  const isWaiting = () =>
    page.evaluate(async () => {
      const registration = await navigator.serviceWorker.getRegistration();
      await registration.update();
      return registration.waiting !== null;
    });
  await until("the new version is on the phone", isWaiting);
  const banner = page.getByText("A new version is ready");
  assert.equal(await banner.count(), 0, "nothing is offered during a drive");

  const finish = page.getByRole("button", { name: "Finish" });
  await hold(page, finish, () => page.getByTestId("sync").waitFor());
  await banner.click();
  await until("the new version is what runs", async () => !(await isWaiting()) && (await banner.count()) === 0);
  await page.getByTestId("sync").waitFor();
});
