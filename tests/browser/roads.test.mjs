// Good roads. Three people publish a drive over the same pass. A person who drives there without signal sees the road score of the
// drive at once, and later finds the road without signal, since it was fetched while there was a connection.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { errorsOf, newProfile, openPhone } from "./chromium.mjs";
import { fixesOf, sensorOf } from "./drive.mjs";
import { hold } from "./hold.mjs";
import { startRelayOnNetwork } from "./network.mjs";
import { built, until } from "./relay.mjs";

/** The drive is replayed faster than it was generated, with adjusted speeds. */
const HASTE = 4;
const EVERY_MS = 1000 / HASTE;
/** Fewer than by default, since the test has few people. */
const FEWEST = 3;

test("good_roads_are_found_where_there_is_no_signal", { timeout: 600_000 }, async (t) => {
  const options = ["--roads-every-seconds", "1", "--roads-from-drivers", String(FEWEST)];
  const network = await startRelayOnNetwork(t, ...options);
  await showDrives(t, network.port);
  const roads = await until("the relay has found roads", async () => {
    const { features } = await (await fetch(`${network.address}/v1/roads?limit=100`)).json();
    return features.length > 0 && features;
  });
  // Roads between two junctions may be too short for the list.
  const best = roads.map(({ properties }) => properties).find(({ lengthM }) => lengthM >= 500);

  // A phone with the installed app drives there without signal. The score is in the list at once.
  const phone = await openPhone(newProfile(t), { permissions: ["geolocation"], locale: "en-GB" });
  const errors = errorsOf(phone);
  const asked = roadsAskedBy(phone);
  const page = phone.pages()[0];
  const at = (place) => page.goto(`${network.address}/#/${place}`);
  await page.goto(network.address);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await network.cut();
  await record(page);
  await at("drives");
  const own = page.getByTestId("drive").getByRole("img", { name: / of 100 on .* km, twist / });
  await own.waitFor();
  t.diagnostic(`their own drive: ${await own.getAttribute("aria-label")}`);
  await page.getByTestId("drive").click();
  await page.getByTestId("road").getByText("of 100, on").first().waitFor();
  assert.deepEqual(asked, [], "nobody was asked");

  // With signal the app fetches the squares around the drive, anonymously.
  await network.restore();
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

  // Without signal the app is opened again: the roads are there, the best first, with the time of their fetch.
  await network.cut();
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
  // A navigation app opens its start, or follows its line from a file.
  assert.match(await page.getByTestId("navigate").getAttribute("href"), /^geo:-?[\d.]+,-?[\d.]+\?q=/);
  const downloading = page.waitForEvent("download");
  await page.getByTestId("save-gpx").click();
  const saved = join(mkdtempSync(join(tmpdir(), "tourismo-road-")), "road.gpx");
  t.after(() => rmSync(dirname(saved), { recursive: true }));
  await (await downloading).saveAs(saved);
  const gpx = readFileSync(saved, "utf8");
  const { geometry } = roads.find(({ id }) => page.url().endsWith(id));
  assert.equal(gpx.match(/<trkpt /g).length, geometry.coordinates.length);
  assert.match(gpx, /<wpt [^>]+><name>[^<]+<\/name><desc>Road score \d+<\/desc><link href="http/);

  // With signal the page of a road lists drives over it, and a tap on the map opens a road.
  await network.restore();
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

/** Publishes drives of several people over the pass. */
async function showDrives(t, port) {
  const folder = mkdtempSync(join(tmpdir(), "tourismo-roads-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "pass.gpx");
  writeFileSync(file, lately(await madeDrive(30)));
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

/** Dates a drive a week ago: roads come from drives of the last year. */
function lately(gpx) {
  const time = /<time>([^<]+)<\/time>/g;
  const shiftMs = Date.now() - 7 * 86_400_000 - Date.parse(time.exec(gpx)[1]);
  return gpx.replace(time, (_, at) => `<time>${new Date(Date.parse(at) + shiftMs).toISOString()}</time>`);
}

/** Records the start of the same road. */
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

/** Centres the map on the midpoint of a line and taps it. */
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
