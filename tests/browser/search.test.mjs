// The search of the user's drives and their totals: by text, car, date and place, without network.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { allDrives, serveApp } from "./app.mjs";
import { errorsOf, newProfile, openPhone } from "./chromium.mjs";
import { gpx, zip } from "./files.mjs";

const SHOTS = process.env.TOURISMO_SCREENSHOTS;
const DRIVES = 120;

test("drives_are_found_by_text_car_date_and_place_without_network_and_summed_up", { timeout: 600_000 }, async (t) => {
  const address = await serveApp(t);
  const folder = mkdtempSync(join(tmpdir(), "tourismo-search-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const phone = await openPhone(newProfile(t), { locale: "en-GB" });
  const errors = errorsOf(phone);
  const page = phone.pages()[0];
  await page.setViewportSize({ width: 375, height: 812 });
  const shot = async (name) => {
    if (!SHOTS) return;
    await page.screenshot({ path: join(SHOTS, `${name}-phone.png`) });
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.screenshot({ path: join(SHOTS, `${name}-desktop.png`) });
    await page.setViewportSize({ width: 375, height: 812 });
  };
  const rows = () => page.getByTestId("drive");
  const sums = page.getByTestId("sums");
  const search = (text) => page.getByRole("searchbox", { name: "Search drives" }).fill(text);

  await page.goto(`${address}#/drives`);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.reload();
  await page.getByText("No drives yet.").waitFor();
  await phone.setOffline(true);

  // 120 drives of 120 days, each 5.5 km north of the one before.
  const names = Array.from({ length: DRIVES }, (_, i) => (i === 42 ? "Grüne Straße" : `Drive ${i}`));
  const files = Object.fromEntries(names.map((name, i) => [`${i}.gpx`, gpx(name, i)]));
  writeFileSync(join(folder, "all.zip"), zip(files));
  await page.goto(`${address}#/drives/import`);
  await page.getByTestId("drop").locator("input").setInputFiles(join(folder, "all.zip"));
  await page.getByTestId("import-preview").getByText(`${DRIVES} new`).waitFor();
  await page.getByTestId("keep").click();
  await page.getByTestId("import-report").getByText(`${DRIVES} drives`).waitFor({ timeout: 300_000 });

  // Other work on the machine delays the first row, so its time is only printed.
  await page.goto(`${address}#/record`);
  const firstRow = await firstRowMs(page, `${address}#/drives`);
  t.diagnostic(`first row of ${DRIVES} drives after ${firstRow.map((ms) => Math.round(ms)).join(", ")} ms`);
  await sums.getByText(`${DRIVES} drives`).waitFor();
  assert.ok((await rows().count()) < 100, "only the beginning of the list is drawn");
  await allDrives(page, DRIVES);

  // By text: the rows follow each keystroke.
  await search("STRASSE grün");
  await sums.getByText("1 drive, 2.4 km").waitFor();
  assert.deepEqual(await rows().locator("h2").allTextContents(), ["Grüne Straße"]);
  await shot("search-text");
  await search("no such drive");
  await page.getByText("No drives found.").waitFor();
  await page.getByRole("button", { name: "Show all" }).click();
  await sums.getByText(`${DRIVES} drives`).waitFor();

  // By car.
  await page.goto(`${address}#/garage`);
  await page.getByRole("button", { name: "Add a car" }).click();
  await page.getByLabel("Nickname").fill("Rosi");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByTestId("car").getByText("Rosi").waitFor();
  await page.goto(`${address}#/drives`);
  await rows().first().click();
  await page.getByLabel("Car").selectOption({ label: "Rosi" });
  await page.goBack();
  await search("rosi");
  await sums.getByText("1 drive, 2.4 km").waitFor();
  await search("");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.getByTestId("filters").getByLabel("Car").selectOption({ label: "Rosi" });
  await sums.getByText("1 drive, 2.4 km").waitFor();
  await page.getByRole("button", { name: "Clear all" }).click();

  // By date: both days are included.
  await page.getByLabel("First day").fill("2024-06-10");
  await page.getByLabel("Last day").fill("2024-06-16");
  await sums.getByText("7 drives").waitFor();
  await shot("search-dates");

  // And by place: a tap on the map zooms in, and the next one is exact enough.
  await page.getByText("Near a place").click();
  await page.getByRole("img", { name: "Map of the place" }).locator("canvas").click();
  await page.getByText("No drives found.").waitFor();
  await shot("search-place");
  await page.getByRole("button", { name: "Any place" }).click();
  await sums.getByText("7 drives").waitFor();

  // The totals are those of the filter.
  await page.getByRole("link", { name: "Totals" }).click();
  await page.getByTestId("totals").getByText("7", { exact: true }).waitFor();
  await page.getByText("Only drives that match the filter of the list.").waitFor();
  await page.getByRole("button", { name: "Show all" }).click();
  await page.getByTestId("totals").getByText("120", { exact: true }).waitFor();
  const groups = page.getByTestId("group");
  assert.equal(await groups.first().locator("h2").textContent(), "September 2024");
  await shot("totals-months");
  await page.getByRole("tab", { name: "Years" }).click();
  assert.deepEqual(await groups.locator("h2").allTextContents(), ["2024"]);
  assert.match(await groups.first().textContent(), /120 drives/);
  await shot("totals-years");
  await page.getByRole("tab", { name: "Cars" }).click();
  assert.deepEqual(await groups.locator("h2").allTextContents(), ["No car", "Rosi"]);
  await page.getByRole("tab", { name: "Months" }).click();
  await page.getByRole("button", { name: /^September 2024: / }).click();
  await sums.getByText("28 drives").waitFor();
  assert.deepEqual(
    errors.filter((error) => !/ERR_|WebSocket/.test(error)),
    [],
  );
});

/** The milliseconds from the navigation to the first row, several times. */
async function firstRowMs(page, address) {
  await page.addInitScript(() => {
    const seen = new MutationObserver(() => {
      if (!document.querySelector('[data-testid="drive"]')) return;
      seen.disconnect();
      globalThis.firstRowAt = performance.now();
    });
    seen.observe(document, { childList: true, subtree: true });
  });
  const taken = [];
  for (let time = 0; time < 5; time++) {
    await page.goto("about:blank");
    await page.goto(address);
    await page.getByTestId("drive").first().waitFor();
    taken.push(await page.evaluate(() => globalThis.firstRowAt));
  }
  return taken;
}
