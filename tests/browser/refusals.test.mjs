// Refused positions, all without signal. A phone with wrong clocks still records its drive. While positions are refused, the screen
// says at once that nothing is being recorded and why. Refused positions can be used afterwards.

import assert from "node:assert/strict";
import { test } from "node:test";

import { serveApp } from "./app.mjs";
import { newProfile, openPhone } from "./chromium.mjs";
import { setClocks, wrapSensor } from "./clocks.mjs";
import { sensorOf, straight } from "./drive.mjs";
import { hold } from "./hold.mjs";
import { until } from "./relay.mjs";

const EVERY_MS = 250;
const FIXES = 40;
/** Maximum number of positions that a wrong clock costs, until the recorder knows its offset. */
const LOST = 2;

const HOUR_MS = 3_600_000;
/** Wrong clocks as observed on phones: from the start, or from the middle of the drive. */
const CLOCKS = [
  { name: "the sensor counts from 2001", before: { sensorMs: -978_307_200_000 } },
  { name: "the sensor is 1,024 weeks behind", before: { sensorMs: -1_024 * 7 * 24 * HOUR_MS } },
  { name: "the sensor is 2 hours behind", before: { sensorMs: -2 * HOUR_MS } },
  { name: "the sensor is 90 s ahead", before: { sensorMs: 90_000 } },
  { name: "the phone is set back an hour in mid-drive", before: {}, after: { phoneMs: -HOUR_MS } },
  { name: "the phone is set back an hour and its sensor is not", before: {}, after: { phoneMs: -HOUR_MS, sensorMs: HOUR_MS } },
];

/** Opens the installed app on a phone without signal. */
async function phoneWithNoSignal(t) {
  const phone = await openPhone(newProfile(t), {
    permissions: ["geolocation"],
    locale: "en-GB",
    viewport: { width: 375, height: 667 },
  });
  await wrapSensor(phone);
  const page = phone.pages()[0];
  const address = await serveApp(t);
  await page.goto(address);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await phone.setOffline(true);
  await page.goto(address);
  await page.getByTestId("start").waitFor();
  return { page, go: (to) => page.goto(`${address}#/${to}`) };
}

function screenOf(page) {
  const number = async (name) => Number(await page.getByTestId("live").getAttribute(name));
  return {
    kept: () => number("data-fixes"),
    came: () => number("data-recorded"),
    /** Both at one moment: another fix may come between two questions. */
    keptAndCame: () => page.getByTestId("live").evaluate((live) => [live.dataset.fixes, live.dataset.recorded].map(Number)),
    problem: page.getByTestId("not-recording"),
    safety: page.getByTestId("safety"),
    figure: (label) => page.locator(".figure", { hasText: label }).locator(".figure-value").textContent(),
  };
}

async function finish(page) {
  await hold(page, page.getByRole("button", { name: "Finish" }), () => page.getByTestId("sync").waitFor());
}

test("a_drive_is_recorded_whatever_the_clocks_show", { timeout: 600_000 }, async (t) => {
  const { page, go } = await phoneWithNoSignal(t);
  const screen = screenOf(page);
  for (const { name, before, after } of CLOCKS) {
    await go("record");
    await setClocks(page, before);
    await page.getByTestId("start").click();
    await page.getByTestId("live").waitFor();
    const sensor = await sensorOf(page);
    const fixes = straight(0, FIXES, EVERY_MS);
    await sensor.drive(fixes.slice(0, FIXES / 2), EVERY_MS);
    if (after) await setClocks(page, after);
    await sensor.drive(fixes.slice(FIXES / 2), EVERY_MS);
    await until(`all came: ${name}`, async () => (await screen.came()) >= FIXES - 1);
    const [kept, came] = await screen.keptAndCame();
    t.diagnostic(`${name}: ${kept} of ${came} kept`);
    assert.ok(kept >= came - LOST, `${name}: ${kept} of ${came} are kept`);
    assert.equal(await screen.problem.count(), 0, name);
    await screen.safety.getByText("Saved", { exact: true }).waitFor();
    await finish(page);
    assert.match(await screen.figure("Distance"), /^0\.2/, `${name}: 40 steps of 5 m`);
    // What was refused until the clock was known is listed, and can be used, too.
    if (kept < came) {
      const refused = page.getByTestId("refused");
      assert.equal(Number(await refused.getAttribute("data-left")), came - kept, name);
    }
    await setClocks(page);
  }
});

test("the_screen_says_at_once_that_nothing_is_recorded_and_what_was_refused_can_be_used", { timeout: 600_000 }, async (t) => {
  const { page, go } = await phoneWithNoSignal(t);
  const screen = screenOf(page);
  const fixes = straight(0, 85, EVERY_MS);
  const inaccurate = (fix) => ({ ...fix, accuracy: 180 });
  await setClocks(page, { sensorMs: -978_307_200_000 });
  await page.getByTestId("start").click();
  await page.getByTestId("live").waitFor();
  const sensor = await sensorOf(page);

  // The first position is dated 1994: the screen says so, and does not say "Saved".
  await sensor.measure(fixes[0]);
  await screen.problem.getByText("Nothing is being recorded.").waitFor();
  await screen.problem.getByText("before the start of the drive").waitFor();
  assert.equal(await screen.safety.textContent(), "Kept, not counted");
  await sensor.drive(fixes.slice(1, 20), EVERY_MS);
  await until("the drive is recorded", async () => (await screen.problem.count()) === 0 && (await screen.kept()) > 15);
  assert.equal(await screen.safety.textContent(), "Saved");
  const before = await screen.kept();

  // Inaccurate positions for long enough to make a gap.
  await sensor.drive(fixes.slice(20, 65).map(inaccurate), EVERY_MS);
  await screen.problem.getByText("too inaccurate, ± 180 m").waitFor();
  assert.equal(await screen.kept(), before, "none of these counts");
  assert.equal(await page.getByText("Everything is saved").count(), 0);
  assert.equal(await page.getByText("Saved", { exact: true }).count(), 0);
  await go("drives");
  await page.getByTestId("recorded").getByText("Nothing is being recorded").waitFor();
  await go("record");
  await sensor.drive(fixes.slice(65), EVERY_MS);
  await until("it goes on", async () => (await screen.problem.count()) === 0);
  await finish(page);

  // The page of the drive lists them. One is used, then all, then none.
  const group = page.getByTestId("refused-tooInaccurate");
  const refused = page.getByTestId("refused");
  const left = async () => Number(await refused.getAttribute("data-left"));
  const hasGap = async () => (await page.locator(".figure").getByText("in gaps").count()) === 1;
  const all = await left();
  await group.locator("summary").click();
  const rows = group.getByRole("listitem");
  while ((await group.getByRole("button", { name: "Show more" }).count()) > 0)
    await group.getByRole("button", { name: "Show more" }).click();
  const listed = await rows.count();
  assert.ok(listed >= 43 && listed <= 45, `${listed} are listed`);
  assert.match(await rows.first().textContent(), /^\d\d:\d\d:\d\d · ± 180 m/);
  assert.ok(await hasGap(), "what lies between is a gap");
  await rows.first().getByRole("button", { name: "Use", exact: true }).click();
  await until("one is used", async () => (await left()) === all - 1);
  await group.getByRole("button", { name: `Use all ${listed - 1}` }).click();
  await until("all are used", async () => (await left()) === all - listed);
  await until("there is no gap any more", async () => !(await hasGap()));
  await group.getByRole("button", { name: `Leave out the ${listed} in use` }).click();
  await until("none is used", async () => (await left()) === all);
  await until("there is a gap again", hasGap);
});
