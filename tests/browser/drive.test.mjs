// A drive from end to end: recorded without signal while the browser is killed, finished, synced when there is signal, published,
// and found in the public feed with its ends hidden.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { kill, newProfile, openPhone } from "./chromium.mjs";
import { distanceM, fixesOf, sensorOf } from "./drive.mjs";
import { hold } from "./hold.mjs";
import { startRelayOnNetwork } from "./network.mjs";
import { built, until } from "./relay.mjs";

/** Positions are replayed four times as fast as they were driven, with adjusted speeds. */
const HASTE = 4;
const EVERY_MS = 1000 / HASTE;
/** Positions with a longer time between them are separated by a gap. */
const GAP_MS = 11_000;
/** The radius that is hidden around both ends of a published drive. */
const HIDDEN_M = 300;

test("a_drive_recorded_with_no_signal_survives_a_kill_and_arrives_in_the_feed", { timeout: 600_000 }, async (t) => {
  const drive = await madeDrive();
  const network = await startRelayOnNetwork(t);
  const profile = newProfile(t);
  const open = () => openPhone(profile, { permissions: ["geolocation"] });
  const half = drive.slice(0, drive.length / 2);
  const rest = drive.slice(half.length);

  // With signal: opening the app once installs it on the phone.
  let phone = await open();
  let page = phone.pages()[0];
  await page.goto(network.address);
  await page.evaluate(() => navigator.serviceWorker.ready);

  // Without signal the app opens and records.
  await network.cut();
  await phone.setOffline(true);
  await page.goto(network.address);
  await page.getByTestId("start").click();
  await page.getByTestId("live").waitFor();
  const measuring = new AbortController();
  const measured = (await sensorOf(page)).drive(half, EVERY_MS, measuring.signal).catch(() => []);
  const fixes = async () => Number(await page.getByTestId("live").getAttribute("data-fixes"));
  await until("the first half is nearly recorded", async () => (await fixes()) > half.length - 10, 60_000);
  const saved = Number(await page.getByTestId("live").getAttribute("data-saved"));

  // The browser is killed.
  await kill(phone, profile);
  const killedAt = Date.now();
  measuring.abort();
  await measured;

  // It is opened again without signal: the drive resumes by itself.
  phone = await open();
  await phone.setOffline(true);
  page = phone.pages()[0];
  await page.goto(network.address);
  await page.getByTestId("resumed").waitFor();
  const after = await fixes();
  const left = Number(await page.getByTestId("live").getAttribute("data-recorded"));
  t.diagnostic(`${saved} fixes were called saved before the kill, ${left} are there after it`);
  assert.ok(left >= saved && left > half.length / 2, `${saved} fixes were called saved, ${left} are left`);

  // No position for long enough to make a gap.
  await until("the drive has a gap", () => Date.now() > killedAt + GAP_MS);

  // The resume is undone and repeated. Then the drive is finished.
  await page.getByTestId("undo").click();
  await page.getByTestId("unfinished").waitFor();
  await page.getByTestId("resume").click();
  await page.getByTestId("live").waitFor();
  await (await sensorOf(page)).drive(rest, EVERY_MS);
  await until("the rest is recorded", async () => (await fixes()) > after + rest.length - 10);
  const sync = page.getByTestId("sync");
  await hold(page, page.getByRole("button", { name: "Finish" }), () => sync.waitFor());
  await until("the drive is on this phone", async () => (await sync.textContent()).includes("On this phone"));

  // With signal the relay acknowledges it.
  await network.restore();
  await phone.setOffline(false);
  await until("the drive is on the relay", async () => (await sync.textContent()).includes("On the server"), 60_000);
  assert.deepEqual((await feed(network)).drives, [], "nobody else has heard of it");

  // The screen says what stays hidden. The drive is published, and another person finds it.
  await page.getByTestId("hidden").getByText("stays hidden").waitFor();
  await page.getByLabel("Everyone").check();
  await page.getByTestId("publish").click();
  const [item] = await until("the drive is in the feed", async () => {
    const { drives } = await feed(network);
    return drives.length === 1 && drives;
  });
  const published = await (await fetch(`${network.address}/v1/drives/${item.id}`)).json();
  const lines = published.geometry.coordinates;
  assert.ok(lines.length >= 2, "the kill is a gap, not a straight line");
  for (const [longitude, latitude] of lines.flat()) {
    for (const end of [drive[0], drive.at(-1)]) {
      const near = distanceM({ longitude, latitude }, end);
      assert.ok(near >= HIDDEN_M - 15, `a published position lies ${Math.round(near)} m from an end of the drive`);
    }
  }
  assert.ok(item.stats.distanceM < wayM(drive) - 2 * HIDDEN_M, "the figures are those of what is shown");
  assert.equal(item.startedAt % 3_600_000, 0, "the start is told to the hour");

  // The phone of that person shows it.
  const stranger = await openPhone(newProfile(t));
  const theirs = stranger.pages()[0];
  await theirs.goto(`${network.address}/#/feed`);
  await theirs.getByTestId("feed-drive").click();
  await theirs.locator(".map[data-drawn]").waitFor({ timeout: 60_000 });
});

/** A drive so long and straight that its middle is outside the zones of both ends. */
async function madeDrive() {
  const made = await built("tourismo-tests", "tourismo-made");
  const gpx = execFileSync(made, ["--seed", "5", "--minutes", "6", "--road", "motorway"], { encoding: "utf8" });
  return fixesOf(gpx).map((fix) => ({ ...fix, speed: fix.speed * HASTE }));
}

async function feed(network) {
  return (await fetch(`${network.address}/v1/feed/public`)).json();
}

function wayM(fixes) {
  return fixes.slice(1).reduce((sum, fix, i) => sum + distanceM(fixes[i], fix), 0);
}
