// Two tabs of one app in a real browser: one engine, whichever tab it lives in.

import assert from "node:assert/strict";
import { test } from "node:test";

import { serveApp } from "./app.mjs";
import { newProfile, openPhone } from "./chromium.mjs";
import { sensorOf } from "./drive.mjs";
import { hold } from "./hand.mjs";
import { until } from "./relay.mjs";

const EVERY_MS = 250;

test("a_drive_goes_on_in_another_tab_when_the_tab_that_owned_the_engine_is_closed", { timeout: 120_000 }, async (t) => {
  const address = await serveApp(t);
  const phone = await openPhone(newProfile(t), { permissions: ["geolocation"] });
  const owner = phone.pages()[0];
  await owner.goto(address);
  await owner.getByTestId("start").waitFor();
  const follower = await phone.newPage();
  await follower.goto(address);

  // What one tab starts, the other shows.
  await owner.getByTestId("start").click();
  const live = follower.getByTestId("live");
  await live.waitFor();
  // The phone has one sensor; one of the tabs listens to it.
  const sensors = [await sensorOf(owner), await sensorOf(follower)];
  await Promise.all(sensors.map((sensor) => sensor.drive(straight(0, 20), EVERY_MS)));
  const fixes = async () => Number(await live.getAttribute("data-fixes"));
  const before = await until("the first fixes are recorded", async () => (await fixes()) >= 15 && fixes());
  assert.ok(before <= 21, `${before} fixes were recorded: no measurement was taken twice`);

  await owner.close();
  await until("the drive goes on in the other tab", async () => {
    await sensors[1].measure(straight(20, 21)[0]);
    return live.isVisible();
  });
  await sensors[1].drive(straight(22, 42), EVERY_MS);
  await until("further fixes are recorded", async () => (await fixes()) >= before + 15);

  await hold(follower, follower.getByRole("button", { name: "Finish" }), () => follower.getByTestId("sync").waitFor());
  assert.equal(await follower.locator(".figures").count(), 1);
});

/** Fixes on a straight road, 20 m/s. */
function straight(from, to) {
  const fix = (i) => ({ latitude: 46.5 + (i * 20 * EVERY_MS) / 1000 / 111_320, longitude: 10.4, accuracy: 5, speed: 20 });
  return Array.from({ length: to - from }, (_, i) => fix(from + i));
}
