// The preview of a published copy. A race track is not private, so that its owner shows it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { newProfile, openPhone } from "./chromium.mjs";
import { setClocks, wrapSensor } from "./clocks.mjs";
import { distanceM, sensorOf } from "./drive.mjs";
import { hold } from "./hold.mjs";
import { startRelayOnNetwork } from "./network.mjs";
import { drawnOn } from "./pixels.mjs";
import { setPlaces } from "./places.mjs";
import { until } from "./relay.mjs";

/** The factor by which clocks run faster, so that 23 km take little more than a minute. */
const RATE = 8;
const EVERY_MS = 500;
/** 40 m/s, slow enough that a position that arrives early is not refused as a jump. */
const STEP_M = 20;
const LONG_M = 23_000;
/** All of the track is within the zone of a private place. */
const RADIUS_M = 140;

test("a_closed_circuit_is_published_as_its_owner_saw_it_before", { timeout: 600_000 }, async (t) => {
  const network = await startRelayOnNetwork(t);
  const screen = { viewport: { width: 375, height: 667 }, colorScheme: "light", locale: "en-GB" };
  const phone = await openPhone(newProfile(t), { permissions: ["geolocation"], ...screen });
  await wrapSensor(phone);
  const page = phone.pages()[0];
  await page.goto(network.address);
  await page.getByTestId("start").waitFor();
  await setClocks(page, { rate: RATE });
  const laps = circuit();
  await page.getByTestId("start").click();
  await page.getByTestId("live").waitFor();
  const sensor = await sensorOf(page);
  for (const fix of laps)
    await Promise.all([sensor.measure(fix), new Promise((resolve) => setTimeout(resolve, EVERY_MS / RATE))]);
  const fixes = async () => Number(await page.getByTestId("live").getAttribute("data-fixes"));
  await until("the circuit is recorded", async () => (await fixes()) > laps.length - 10);
  await hold(page, page.getByRole("button", { name: "Finish" }), () => page.getByTestId("sync").waitFor());

  // With hidden ends nothing would be left.
  await page.getByLabel("Everyone").check();
  const preview = page.getByTestId("preview");
  await preview.getByText("Too little of this drive would be left").waitFor();
  assert.ok(await page.getByTestId("publish").isDisabled(), "what would be nothing is not published");

  // The owner says that the place is not private, and sees all of the drive on both maps.
  await setPlaces(page, "open");
  await page.getByLabel("Everyone").check();
  await preview.getByText(/^Others will see 2[23]\.\d km, all of it\.$/).waitFor();
  const map = page.getByRole("img", { name: "Map of what others will see" });
  const drawn = await drawnOn(map);
  assert.ok(drawn && drawn.bottom - drawn.top > 0.4 && drawn.isWhole, JSON.stringify(drawn));
  await page.getByText("Nothing of it is hidden").waitFor();

  // With a private place nothing is left. The last choice counts.
  await setPlaces(page, "home");
  await page.getByLabel("Everyone").check();
  await preview.getByText("Too little of this drive would be left").waitFor();
  await setPlaces(page, "open");
  await page.getByLabel("Everyone").check();
  await preview.getByText("all of it").waitFor();
  await page.getByTestId("publish").click();
  const [item] = await until("it is in the feed", async () => {
    const { drives } = await (await fetch(`${network.address}/v1/feed/public`)).json();
    return drives.length === 1 && drives;
  });
  assert.ok(Math.abs(item.stats.distanceM / LONG_M - 1) < 0.03, `${item.stats.distanceM} m are shown`);
  const { geometry } = await (await fetch(`${network.address}/v1/drives/${item.id}`)).json();
  const [longitude, latitude] = geometry.coordinates[0][0];
  assert.ok(distanceM({ longitude, latitude }, laps[0]) < STEP_M + 1, "its start is shown");

  // A private place withdraws the published copy.
  await page.getByText("Others see all of it").waitFor();
  await setPlaces(page, "home");
  await until("nothing of it is in the feed", async () => {
    const { drives } = await (await fetch(`${network.address}/v1/feed/public`)).json();
    return drives.length === 0;
  });
});

/** Laps of a circle that end at their start. */
function circuit() {
  const count = Math.round(LONG_M / STEP_M);
  const laps = Math.round(LONG_M / (2 * Math.PI * RADIUS_M));
  return Array.from({ length: count + 1 }, (_, i) => {
    const angle = (2 * Math.PI * laps * i) / count;
    const [east, north] = [RADIUS_M * Math.sin(angle), RADIUS_M * (1 - Math.cos(angle))];
    const latitude = 50.33 + north / 111_320;
    const longitude = 6.94 + east / (111_320 * Math.cos((50.33 * Math.PI) / 180));
    return { latitude, longitude, accuracy: 4, speed: STEP_M / (EVERY_MS / 1000) };
  });
}
