// Drives over the date line, near Taveuni. Maps must show them on both sides of it without a line around the world: the user's own
// drive, its published copy, and roads.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { newProfile, openPhone } from "./chromium.mjs";
import { fixesOf, sensorOf } from "./drive.mjs";
import { hold } from "./hold.mjs";
import { startRelayOnNetwork } from "./network.mjs";
import { drawnOn } from "./pixels.mjs";
import { setPlaces } from "./places.mjs";
import { built, until } from "./relay.mjs";

/** The drive is replayed faster than it was generated, with adjusted speeds. */
const HASTE = 4;
const EVERY_MS = 1000 / HASTE;
/** Fewer than by default, since the test has few people. */
const FEWEST = 3;
const SCREEN = { permissions: ["geolocation"], locale: "en-GB", colorScheme: "light", viewport: { width: 375, height: 667 } };

test("a_drive_over_the_date_line_is_shown_where_it_is", { timeout: 600_000 }, async (t) => {
  const network = await startRelayOnNetwork(t, "--roads-every-seconds", "1", "--roads-from-drivers", String(FEWEST));
  await showDrives(t, network.port);
  const phone = await openPhone(newProfile(t), SCREEN);
  const page = phone.pages()[0];
  const at = (place) => page.goto(`${network.address}/#/${place}`);
  await page.goto(network.address);

  // While recording: the line on the live screen is whole and fills its square.
  const drive = fixesOf(atTheDateLine(await madeDrive(2))).map((fix) => ({ ...fix, speed: fix.speed * HASTE }));
  assert.ok(drive.some(({ longitude }) => longitude > 179) && drive.some(({ longitude }) => longitude < -179));
  await page.getByTestId("start").click();
  await page.getByTestId("live").waitFor();
  await (await sensorOf(page)).drive(drive, EVERY_MS);
  const fixes = async () => Number(await page.getByTestId("live").getAttribute("data-fixes"));
  await until("the drive is recorded", async () => (await fixes()) > drive.length - 10);
  await page.locator(".live-line polyline").waitFor();
  isOneLine(await pointsOf(page.locator(".live-line polyline")));
  await hold(page, page.getByRole("button", { name: "Finish" }), () => page.getByTestId("sync").waitFor());

  // The map of the drive and the preview of its copy: the view fits the line, and the line is whole.
  await page.getByLabel("Everyone").check();
  await setPlaces(page, "open");
  await page.getByLabel("Everyone").check();
  await page.getByTestId("preview").getByText("all of it").waitFor();
  await isShown(page.getByRole("img", { name: "Map of the drive" }));
  await isShown(page.getByRole("img", { name: "Map of what others will see" }));
  await page.getByTestId("publish").click();
  await page.getByTestId("sync").getByText("On the server").waitFor({ timeout: 60_000 });

  // Another person sees it in the feed and on a map. Its chart is as long as the drive.
  const stranger = await openPhone(newProfile(t), SCREEN);
  const theirs = stranger.pages()[0];
  await theirs.goto(`${network.address}/#/feed`);
  const row = theirs.getByTestId("feed-drive").filter({ hasNotText: "Person" }).first();
  const sketch = row.locator(".thumbnail polyline");
  await row.waitFor();
  assert.equal(await sketch.count(), 1, "the sketch has no gap at the date line");
  isOneLine(await pointsOf(sketch));
  await row.click();
  await isShown(theirs.getByRole("img", { name: "Map of the drive" }));

  // Roads: the map starts at the user's last drive.
  const found = await until("the relay has found roads on both sides", async () => {
    const { features } = await (await fetch(`${network.address}/v1/roads?limit=100`)).json();
    const lons = features.flatMap(({ geometry }) => geometry.coordinates.flat(Infinity).filter((value) => Math.abs(value) > 90));
    return lons.some((lon) => lon > 0) && lons.some((lon) => lon < 0) && features;
  });
  await at("roads");
  const map = page.getByRole("img", { name: "Map of the roads" });
  await until("the roads are on the map", async () => Number(await map.getAttribute("data-roads")) >= Math.min(found.length, 2));
  await page.getByTestId("road-row").first().waitFor();
  for (const points of await page.getByTestId("road-row").locator(".thumbnail polyline").all()) isOneLine(await pointsOf(points));
  assert.equal(await scaleKm(map), 5, "it looks at some ten kilometres");
  await page.getByRole("button", { name: "Around me" }).click();
  await page
    .getByTestId("road-row")
    .first()
    .getByText(/of you$/)
    .waitFor();
  const away = await page.getByTestId("road-row").first().locator(".row-line").textContent();
  assert.ok(Number.parseFloat(away) < 20, away);
});

/** Asserts that the line on a map fills the view without a break. */
async function isShown(map) {
  const drawn = await drawnOn(map);
  assert.ok(drawn, "the map shows a line");
  const { left, right, top, bottom, isWhole } = drawn;
  assert.ok(Math.max(right - left, bottom - top) > 0.4, `it fills the view: ${JSON.stringify(drawn)}`);
  assert.ok(left > 0.01 && right < 0.99, `it ends within the view: ${JSON.stringify(drawn)}`);
  assert.ok(isWhole, `it has no break: ${JSON.stringify(drawn)}`);
  assert.ok((await scaleKm(map)) <= 1, "the view is as wide as the drive");
}

/** The value of the scale of a map, kilometres. */
async function scaleKm(map) {
  const [, value, unit] = /([\d.]+)\s*(k?m)/.exec(await map.locator(".maplibregl-ctrl-scale").textContent());
  return Number(value) / (unit === "km" ? 1 : 1000);
}

async function pointsOf(polyline) {
  return (await polyline.getAttribute("points")).split(" ").map((point) => point.split(",").map(Number));
}

/** Asserts that no step of a thumbnail (100 units wide or high) is longer than half of it. */
function isOneLine(points) {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  assert.ok(Math.max(Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)) > 99);
  const leaps = points.slice(1).filter(([x, y], i) => Math.hypot(x - xs[i], y - ys[i]) > 50);
  assert.deepEqual(leaps, []);
}

/** Publishes drives of several people over the same road. They are on both sides of the date line outside the zones of their ends. */
async function showDrives(t, port) {
  const folder = mkdtempSync(join(tmpdir(), "tourismo-date-line-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "taveuni.gpx");
  writeFileSync(file, lately(atTheDateLine(await madeDrive(30, "lane"), 6)));
  const replay = await built("tourismo-tests", "tourismo-replay");
  const relay = `ws://127.0.0.1:${port}/v1/sync`;
  for (let person = 0; person < FEWEST; person++) {
    execFileSync(replay, [file, "--publish", "public", "--title", `Person ${person}`, "--relay", relay]);
  }
}

async function madeDrive(minutes, road = "mountain") {
  const made = await built("tourismo-tests", "tourismo-made");
  return execFileSync(made, ["--seed", "5", "--minutes", String(minutes), "--road", road], { encoding: "utf8" });
}

/** Moves a drive so that its middle, or a later part of it, is at Taveuni on 180°. */
function atTheDateLine(gpx, part = 2) {
  const points = fixesOf(gpx);
  const middle = points[Math.floor(points.length / part)];
  const [from, to] = [middle.latitude, -16.8].map((degrees) => Math.cos((degrees * Math.PI) / 180));
  return gpx.replace(/<trkpt lat="([^"]+)" lon="([^"]+)">/g, (_, lat, lon) => {
    const latitude = Number(lat) - middle.latitude - 16.8;
    const longitude = 180 + ((Number(lon) - middle.longitude) * from) / to;
    const wrapped = longitude >= 180 ? longitude - 360 : longitude;
    return `<trkpt lat="${latitude.toFixed(7)}" lon="${wrapped.toFixed(7)}">`;
  });
}

/** Dates a drive a week ago: roads come from drives of the last year. */
function lately(gpx) {
  const time = /<time>([^<]+)<\/time>/g;
  const shiftMs = Date.now() - 7 * 86_400_000 - Date.parse(time.exec(gpx)[1]);
  return gpx.replace(time, (_, at) => `<time>${new Date(Date.parse(at) + shiftMs).toISOString()}</time>`);
}
