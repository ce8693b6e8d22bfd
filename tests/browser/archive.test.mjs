// Everything of an account as one file, and imported into another account, without network.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { allDrives, serveApp } from "./app.mjs";
import { errorsOf, kill, newProfile, openPhone } from "./chromium.mjs";
import { FIXES, gpx } from "./files.mjs";
import { until } from "./relay.mjs";

const DRIVES = 100;

test("everything_of_an_account_is_one_file_and_another_account_has_it_after_an_import", { timeout: 600_000 }, async (t) => {
  const address = await serveApp(t);
  const folder = mkdtempSync(join(tmpdir(), "tourismo-archive-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));

  const first = await openPhone(newProfile(t), { locale: "en-GB" });
  const errors = [errorsOf(first)];
  const page = first.pages()[0];
  await page.goto(`${address}#/garage`);
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.reload();
  await first.setOffline(true);
  await page.getByRole("button", { name: "Add a car" }).first().click();
  await page.getByLabel("Make").fill("Alfa");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByTestId("car").waitFor();
  await importDrives(page, address, folder);
  await page.goto(`${address}#/settings`);
  await page.locator("[name=displayName]").fill("Anna");
  await page.locator("[name=displayName]").blur();
  await page.getByLabel("Distances").selectOption("imperial");
  const exporting = page.waitForEvent("download");
  await page.getByRole("button", { name: "Export everything" }).click();
  const archive = join(folder, "all.zip");
  await (await exporting).saveAs(archive);
  await page.getByTestId("export-account").getByText("The archive is in your downloads.").waitFor();
  const before = await contentOf(page, address);
  assert.equal(before.drives.length, DRIVES);

  // Another phone with an account of its own imports it, and is killed meanwhile.
  const profile = newProfile(t);
  let second = await openPhone(profile, { locale: "en-GB" });
  let other = second.pages()[0];
  await other.goto(`${address}#/drives/import`);
  await other.getByTestId("drop").locator("input").setInputFiles(archive);
  await other
    .getByTestId("archive")
    .filter({ hasText: `${DRIVES} drives, 1 car, 0 meets` })
    .waitFor();
  await other.getByTestId("keep").click();
  await until("some are imported", async () => /^[1-9]/.test(await other.getByTestId("import-progress").textContent()));
  await kill(second, profile);
  second = await openPhone(profile, { locale: "en-GB" });
  errors.push(errorsOf(second));
  other = second.pages()[0];
  await other.goto(`${address}#/drives/import`);
  await reported(other);
  assert.deepEqual(await contentOf(other, address), before);

  // Once more, also into its own account: nothing changes.
  for (const [where, content] of [
    [other, before],
    [page, before],
  ]) {
    await where.goto(`${address}#/drives/import`);
    await where.getByTestId("drop").locator("input").setInputFiles(archive);
    await where
      .getByTestId("archive")
      .getByText(/here already/)
      .waitFor();
    await where.getByTestId("archive").locator("input").check();
    await where.getByTestId("keep").click();
    await reported(where);
    assert.deepEqual(await contentOf(where, address), content);
  }
  assert.deepEqual(
    errors.flat().filter((error) => !/ERR_|WebSocket/.test(error)),
    [],
  );
});

async function importDrives(page, address, folder) {
  const files = Array.from({ length: DRIVES }, (_, index) => {
    const path = join(folder, `${index}.gpx`);
    writeFileSync(path, gpx(`Drive ${index}`, index));
    return path;
  });
  await page.goto(`${address}#/drives/import`);
  await page.getByTestId("drop").locator("input").setInputFiles(files);
  await page.getByLabel("Car").selectOption({ label: "Alfa" });
  await page.getByTestId("keep").click();
  await reported(page);
}

/** Waits for the report of an import of all drives, and closes it. */
async function reported(page) {
  await page.getByTestId("import-report").getByText(`${DRIVES} drives`).waitFor();
  await page.getByRole("button", { name: "Import more" }).click();
}

/** Everything that a person sees: drives with their positions as a file, cars and settings. */
async function contentOf(page, address) {
  await page.goto(`${address}#/drives`);
  await allDrives(page, DRIVES);
  const drives = await page.getByTestId("drive").evaluateAll((rows) =>
    rows.map((row) => {
      const text = row.cloneNode(true);
      text.querySelector(".row-states").remove();
      return text.textContent;
    }),
  );
  await page.getByTestId("drive").first().click();
  const downloading = page.waitForEvent("download");
  await page.getByTestId("export").getByRole("button", { name: "CSV", exact: true }).click();
  const stream = await (await downloading).createReadStream();
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const positions = Buffer.concat(chunks).toString();
  assert.equal(positions.trim().split("\n").length, FIXES + 1);
  await page.goto(`${address}#/garage`);
  const cars = await page.getByTestId("car").allTextContents();
  await page.goto(`${address}#/settings`);
  const name = await page.locator("[name=displayName]").inputValue();
  return { drives, positions, cars, name };
}
