// Private places are found in drives, hide the home in everything that is published, and an attack on the own profile looks for
// it, without signal.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { distanceM } from "./drive.mjs";
import { startRelayOnNetwork } from "./network.mjs";
import { newcomer } from "./person.mjs";
import { until } from "./relay.mjs";

const SHOTS = process.env.TOURISMO_SCREENSHOTS;
const HOME = { latitude: 46.5, longitude: 10.4 };
const DRIVES = 5;
const LONG_M = 9_000;
const STEP_M = 20;

test("private_places_hide_the_home_and_the_profile_is_attacked_without_signal", { timeout: 600_000 }, async (t) => {
  const network = await startRelayOnNetwork(t);
  const folder = mkdtempSync(join(tmpdir(), "tourismo-places-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const anna = await newcomer(t, network);
  const { page } = anna;
  const shot = async (name) => {
    if (!SHOTS) return;
    // Maps draw some moments after they are there.
    await page.waitForTimeout(4_000);
    await page.setViewportSize({ width: 390, height: 844 });
    await page.screenshot({ path: join(SHOTS, `${name}-phone.png`), fullPage: true });
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.screenshot({ path: join(SHOTS, `${name}-desktop.png`), fullPage: true });
  };

  // Drives from one home in several directions. Each of their ends is a place.
  await anna.at("drives/import");
  const files = Array.from({ length: DRIVES }, (_, number) => {
    const file = join(folder, `${number}.gpx`);
    writeFileSync(file, gpx(number));
    return file;
  });
  await page.getByTestId("drop").locator("input").setInputFiles(files);
  await page.getByTestId("import-preview").getByText(`${DRIVES} new`).waitFor();
  await page.getByTestId("keep").click();
  await page.getByTestId("import-report").getByText(`${DRIVES} drive`).waitFor();
  await anna.at("places");
  await until("the home and each destination are places", async () => (await page.getByTestId("place").count()) === DRIVES + 1);

  // They are published. Nothing near the home is shown.
  for (let number = 0; number < DRIVES; number++) {
    await anna.at("drives");
    await page.getByTestId("drive").nth(number).click();
    await page.getByLabel("Everyone").check();
    await page.getByTestId("preview").getByText("stays hidden").waitFor();
    if (number === 0) await shot("publish-with-places");
    await page.getByTestId("publish").click();
    await page.getByText("See it as others do").waitFor();
  }
  await anna.synced();
  const shown = async () => {
    const { drives } = await (await fetch(`${network.address}/v1/feed/public`)).json();
    const features = drives.map(async ({ id }) => (await fetch(`${network.address}/v1/drives/${id}`)).json());
    const positions = (await Promise.all(features)).flatMap(({ geometry }) => geometry.coordinates.flat());
    return positions.map(([longitude, latitude]) => distanceM({ longitude, latitude }, HOME));
  };
  const before = { ids: await shownIds(network), shown: await shown() };
  assert.equal(before.ids.length, DRIVES);
  assert.ok(Math.min(...before.shown) > 300, `${Math.min(...before.shown)} m from the home`);

  // Without signal the phone attacks the profile, and the owner enlarges the circle of the home.
  await network.cut();
  await anna.at("places");
  await page.getByTestId("attack").getByRole("button").click();
  await page.getByTestId("look").first().getByText("An attacker would look").waitFor();
  await page.getByTestId("look").first().getByText(`${DRIVES} shown ends`).waitFor();
  await page.getByTestId("look").first().locator("canvas").waitFor();
  await shot("attack-my-profile");
  const places = page.getByTestId("place");
  const home = places.filter({ hasText: `${HOME.latitude.toFixed(3)}°, ${HOME.longitude.toFixed(3)}°` });
  await home.getByLabel("What it is").selectOption("home");
  await home.getByLabel("What is hidden").selectOption("large");
  await home.getByText("Show on the map").click();
  await home.locator("canvas").waitFor();
  await shot("places");

  // With signal the drives are there again under the same links, and show less.
  await network.restore();
  await anna.synced();
  await until("all are shown again, and less of them", async () => {
    const ids = await shownIds(network);
    return ids.length === DRIVES && (await shown()).length < before.shown.length;
  });
  assert.deepEqual((await shownIds(network)).sort(), before.ids.sort());
  assert.deepEqual(anna.errors(), []);
});

async function shownIds(network) {
  const { drives } = await (await fetch(`${network.address}/v1/feed/public`)).json();
  return drives.map(({ id }) => id);
}

/** A straight drive away from the home, one of several directions, on a day of its own. */
function gpx(number) {
  const [sin, cos] = [Math.sin, Math.cos].map((of) => of(((number * 360) / DRIVES + 20) * (Math.PI / 180)));
  const metresPerDegree = 111_320;
  const points = Array.from({ length: LONG_M / STEP_M }, (_, second) => {
    const [north, east] = [(second * STEP_M * cos) / metresPerDegree, (second * STEP_M * sin) / metresPerDegree];
    const [lat, lon] = [HOME.latitude + north, HOME.longitude + east / Math.cos(HOME.latitude * (Math.PI / 180))];
    const time = new Date(Date.UTC(2024, 5, 1 + number, 9, 0, second)).toISOString();
    return `<trkpt lat="${lat.toFixed(7)}" lon="${lon.toFixed(7)}"><time>${time}</time></trkpt>`;
  });
  return `<?xml version="1.0"?><gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk><name>Drive ${number}</name><trkseg>${points.join("")}</trkseg></trk></gpx>`;
}
