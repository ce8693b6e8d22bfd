// A phone whose storage is full while a drive is recorded.

import { test } from "node:test";

import { serveApp } from "./app.mjs";
import { newProfile, openPhone } from "./chromium.mjs";
import { sensorOf } from "./drive.mjs";
import { until } from "./relay.mjs";

test("a_full_storage_is_told_and_what_was_measured_meanwhile_is_saved_when_there_is_room", { timeout: 120_000 }, async (t) => {
  const address = await serveApp(t);
  const phone = await openPhone(newProfile(t), { permissions: ["geolocation"] });
  const page = phone.pages()[0];
  const devtools = await phone.newCDPSession(page);
  const { origin } = new URL(address);
  await page.goto(address);
  await page.getByTestId("start").click();
  const safety = page.getByTestId("safety");
  const sensor = await sensorOf(page);
  let step = 0;
  const says = (words) => {
    const measured = async () => {
      step += 1;
      await sensor.measure({ latitude: 46.5 + step * 0.0001, longitude: 10.4, accuracy: 5 });
      return (await safety.textContent()).includes(words);
    };
    // The core tries again ever less often, at least every half minute.
    return until(`the app says "${words}"`, measured, 60_000);
  };
  await says("Everything saved");

  await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1 });
  await says("storage is full");
  await devtools.send("Storage.overrideQuotaForOrigin", { origin });
  await says("Everything saved");
});
