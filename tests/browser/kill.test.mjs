// Kills the browser at random moments of a recording, with and without signal. At most the last second may be missing, and nothing
// that the page showed as saved.
//
// TOURISMO_KILLS=50 kills more often; TOURISMO_SEED repeats a run.

import assert from "node:assert/strict";
import { test } from "node:test";
import { kill, newProfile, openPhone } from "./chromium.mjs";
import { watchDisk } from "./disk.mjs";
import { countFixes, sensorOf, straight } from "./drive.mjs";
import { hold } from "./hold.mjs";
import { startRelayOnNetwork } from "./network.mjs";
import { until } from "./relay.mjs";

const EVERY_MS = 250;
/** How much of the recording a killed browser may lose, in addition to the time of a write on this disk. */
const MAY_LOSE_MS = 1000;
const kills = Number(process.env.TOURISMO_KILLS ?? 5);
const seed = Number(process.env.TOURISMO_SEED ?? Math.floor(Math.random() * 2 ** 31));

test("a_browser_killed_at_any_moment_loses_at_most_a_second", { timeout: 300_000 + kills * 60_000 }, async (t) => {
  t.diagnostic(`TOURISMO_SEED=${seed} TOURISMO_KILLS=${kills}`);
  const random = chance(seed);
  const network = await startRelayOnNetwork(t);
  const profile = newProfile(t);
  let page;
  let phone = await openPhone(profile, { permissions: ["geolocation"] });
  let fixes = await countFixes(phone);
  page = phone.pages()[0];
  await page.goto(network.address);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.getByTestId("start").click();

  let recorded = 0;
  let way = 0;
  for (let round = 1; round <= kills; round++) {
    await page.getByTestId("live").waitFor();
    const online = random() < 0.5;
    if (!online) await network.cut();

    // What the page says is saved is noted until it dies.
    let saved = 0;
    const watching = (async () => {
      for (;;) saved = Math.max(saved, Number(await page.getByTestId("live").getAttribute("data-saved")));
    })().catch(() => {});
    const slowestWriteMs = await watchDisk(page);
    const driving = new AbortController();
    const stretch = straight(way, way + 200, EVERY_MS);
    const measured = (await sensorOf(page)).drive(stretch, EVERY_MS, driving.signal).catch(() => {});
    const beforeMs = random() * 4000;
    await new Promise((resolve) => setTimeout(resolve, beforeMs));
    const mayLoseMs = MAY_LOSE_MS + slowestWriteMs();
    const due = fixes.by(Date.now() - mayLoseMs);
    const came = fixes.by(Date.now());
    await kill(phone, profile);
    driving.abort();
    await Promise.all([watching, measured]);
    way += 200;

    phone = await openPhone(profile, { permissions: ["geolocation"] });
    fixes = await countFixes(phone);
    page = phone.pages()[0];
    await page.goto(network.address);
    // It goes on by itself; nothing is measured yet.
    await page.getByTestId("resumed").waitFor();
    const found = Number(await page.getByTestId("live").getAttribute("data-recorded")) - recorded;
    const story = `${came} came, ${saved} were called saved, ${found} are there`;
    t.diagnostic(`kill ${round}, after ${Math.round(beforeMs)} ms, ${online ? "with" : "without"} signal: ${story}`);
    assert.ok(found >= due, `${due} came more than ${mayLoseMs} ms before the kill: ${story}`);
    assert.ok(found >= saved, `what was called saved is there: ${story}`);
    recorded += found;
    if (!online) await network.restore();
  }

  await page.getByTestId("live").waitFor();
  const sync = page.getByTestId("sync");
  await hold(page, page.getByRole("button", { name: "Finish" }), () => sync.waitFor());
  await until("all of it is on the relay", async () => (await sync.textContent()).includes("On the server"), 60_000);
});

/** Pseudorandom numbers from 0 to 1 (mulberry32). */
function chance(state) {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
