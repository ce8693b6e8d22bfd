// Good roads: three people show a drive over the same pass. Somebody who drove there with no signal sees at once how good their
// own road was, and finds the others' road on a day without signal, because it came along while there was some.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { layCableToRelay } from "./cable.mjs";
import { errorsOf, newProfile, openPhone } from "./chromium.mjs";
import { fixesOf, sensorOf } from "./drive.mjs";
import { hold } from "./hand.mjs";
import { built, until } from "./relay.mjs";

/** The recorded drive is driven faster than it was made, so that it is done sooner; its speeds fit. */
const HASTE = 4;
const EVERY_MS = 1000 / HASTE;
/** Fewer than by default: the story is short of people. */
const FEWEST = 3;

test("good_roads_are_found_where_there_is_no_signal", { timeout: 600_000 }, async (t) => {
  const options = ["--roads-every-seconds", "1", "--roads-from-drivers", String(FEWEST)];
  const cable = await layCableToRelay(t, ...options);
  await showDrives(t, cable.port);
  const roads = await until("the relay has found roads", async () => {
    const { features } = await (await fetch(`${cable.address}/v1/roads?limit=100`)).json();
    return features.length > 0 && features;
  });
  // What lies between two junctions may be too short to be listed.
  const best = roads.map(({ properties }) => properties).find(({ lengthM }) => lengthM >= 500);

  // A phone that opened the app once drives there with no signal. How good the road was is in the list at once.
  const phone = await openPhone(newProfile(t), { permissions: ["geolocation"], locale: "en-GB" });
  const errors = errorsOf(phone);
  const asked = roadsAskedBy(phone);
  const page = phone.pages()[0];
  const at = (place) => page.goto(`${cable.address}/#/${place}`);
  await page.goto(cable.address);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await cable.cut();
  await record(page);
  await at("drives");
  const own = page.getByTestId("drive").getByRole("img", { name: / of 100 on .* km, twist / });
  await own.waitFor();
  t.diagnostic(`their own drive: ${await own.getAttribute("aria-label")}`);
  await page.getByTestId("drive").click();
  await page.getByTestId("road").getByText("of 100, on").first().waitFor();
  assert.deepEqual(asked, [], "nobody was asked");

  // Signal for a while: the squares in which they drove are asked for, and not by whom.
  await cable.mend();
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await until("the phone has asked for roads", () => asked.length > 0, 60_000);
  await page.getByTestId("sync").getByText("On the server").waitFor({ timeout: 60_000 });
  for (const { url, authorization } of asked) {
    const bbox = url.searchParams.get("bbox")?.split(",").map(Number);
    assert.ok(
      bbox?.every((degrees) => Number.isInteger(2 * degrees)),
      `a whole square: ${url}`,
    );
    assert.equal(authorization, undefined, "by nobody");
  }
  await until("what was told is kept", () =>
    page.evaluate(async () => (await (await caches.open("tourismo-roads")).keys()).length > 0),
  );

  // No signal again, and the app is opened anew: the roads are there, the best first, and say from when they are.
  await cable.cut();
  await at("roads");
  await page.reload();
  await page
    .getByTestId("roads-age")
    .getByText(/^Updated /)
    .waitFor();
  await page.locator(".map[data-drawn]").waitFor({ timeout: 60_000 });
  const rows = page.getByTestId("road-row");
  await rows
    .first()
    .getByRole("img", { name: new RegExp(`^Driven: ${best.score} of 100`) })
    .waitFor();
  const drawn = async () => Number(await page.locator(".map").getAttribute("data-roads"));
  await until("the map has all of the list", async () => (await drawn()) >= (await rows.count()));
  await page.getByRole("button", { name: "Around me" }).click();
  await rows
    .first()
    .getByText(/of you$/)
    .waitFor();
  await rows.first().click();
  await page.getByTestId("road").getByText("Twist").waitFor();
  await page.getByText("The server cannot be reached.").waitFor();

  // With signal it says who drove it, and a tap on the map leads to a road, too.
  await cable.mend();
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await page.getByTestId("feed-drive").first().waitFor();
  await until("all who drove it are listed", async () => (await page.getByTestId("feed-drive").count()) === FEWEST);
  await at("roads");
  await page.locator(".map[data-drawn]").waitFor({ timeout: 60_000 });
  await tapRoad(page, roads[0].geometry.coordinates);
  await page.getByTestId("road").getByText("Twist").waitFor();
  assert.deepEqual(
    errors.filter((error) => !/ERR_|WebSocket|status of 40/.test(error)),
    [],
  );
});

/** So many people drive over the pass for all to see, each with a phone of their own. */
async function showDrives(t, port) {
  const folder = mkdtempSync(join(tmpdir(), "tourismo-roads-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "pass.gpx");
  writeFileSync(file, lately(await madeDrive(12)));
  const replay = await built("tourismo-tests", "tourismo-replay");
  const relay = `ws://127.0.0.1:${port}/v1/sync`;
  for (let person = 0; person < FEWEST; person++) {
    execFileSync(replay, [file, "--publish", "public", "--title", `Person ${person}`, "--relay", relay]);
  }
}

async function madeDrive(minutes) {
  const made = await built("tourismo-tests", "tourismo-made");
  return execFileSync(made, ["--seed", "5", "--minutes", String(minutes), "--road", "mountain"], { encoding: "utf8" });
}

/** The same drive a week ago: roads are found in the drives of the last year. */
function lately(gpx) {
  const time = /<time>([^<]+)<\/time>/g;
  const shiftMs = Date.now() - 7 * 86_400_000 - Date.parse(time.exec(gpx)[1]);
  return gpx.replace(time, (_, at) => `<time>${new Date(Date.parse(at) + shiftMs).toISOString()}</time>`);
}

/** Records the beginning of the same road. */
async function record(page) {
  const drive = fixesOf(await madeDrive(2)).map((fix) => ({ ...fix, speed: fix.speed * HASTE }));
  await page.getByTestId("start").click();
  await page.getByTestId("live").waitFor();
  await (await sensorOf(page)).drive(drive, EVERY_MS);
  const fixes = async () => Number(await page.getByTestId("live").getAttribute("data-fixes"));
  await until("the drive is recorded", async () => (await fixes()) > drive.length - 10);
  await hold(page, page.getByRole("button", { name: "Finish" }), () => page.getByTestId("sync").waitFor());
}

/** The requests for roads that a phone makes. */
function roadsAskedBy(phone) {
  const asked = [];
  phone.on("request", (request) => {
    const url = new URL(request.url());
    if (url.pathname === "/v1/roads") asked.push({ url, authorization: request.headers()["authorization"] });
  });
  return asked;
}

/** Taps the middle of the map after it was made to look at the middle of a line. */
async function tapRoad(page, line) {
  const [longitude, latitude] = line[Math.floor(line.length / 2)];
  await (await sensorOf(page)).measure({ latitude, longitude, accuracy: 5 });
  await page.getByRole("button", { name: "Around me" }).click();
  const map = page.locator(".map");
  const box = await map.boundingBox();
  await until("the tap has found it", async () => {
    if (page.url().includes("#/roads/")) return true;
    await page.touchscreen.tap(box.x + box.width / 2, box.y + box.height / 2);
    await page.waitForTimeout(300);
    return page.url().includes("#/roads/");
  });
}
