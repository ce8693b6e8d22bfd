// Drives from files of other apps: a preview, an import without network that survives a kill, duplicates, and a drive as a file again.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { allDrives, serveApp } from "./app.mjs";
import { errorsOf, kill, newProfile, openPhone } from "./chromium.mjs";
import { FIXES, gpx, zip } from "./files.mjs";
import { until } from "./relay.mjs";

const SHOTS = process.env.TOURISMO_SCREENSHOTS;

test("drives_of_other_apps_come_in_without_network_and_go_out_again", { timeout: 600_000 }, async (t) => {
  const address = await serveApp(t);
  const folder = mkdtempSync(join(tmpdir(), "tourismo-import-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name, content) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const profile = newProfile(t);
  let phone = await openPhone(profile, { locale: "en-GB" });
  const errors = errorsOf(phone);
  let page = phone.pages()[0];
  const open = async () => {
    await page.goto(`${address}#/drives/import`);
    await page.getByTestId("import").waitFor();
  };
  const choose = (...files) => page.getByTestId("drop").locator("input").setInputFiles(files);
  const preview = () => page.getByTestId("import-preview");
  const keep = async (kept) => {
    await page.getByTestId("keep").click();
    await page.getByTestId("import-report").getByText(`${kept} drive`).waitFor();
  };
  const shot = async (name) => {
    if (!SHOTS) return;
    await page.screenshot({ path: join(SHOTS, `${name}-phone.png`), fullPage: true });
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.screenshot({ path: join(SHOTS, `${name}-desktop.png`) });
    await page.setViewportSize({ width: 390, height: 844 });
  };

  await open();
  await page.evaluate(() => navigator.serviceWorker.ready);
  await page.reload();
  await page.getByTestId("import").waitFor();
  await phone.setOffline(true);
  await shot("import-choose");

  // An archive of Strava, a file of its own that is in the archive, too, and a file that is no drive.
  const strava = zip({
    "activities.csv":
      "Activity ID,Date,Name,Type,Description,Filename\n1,,Stelvio,Drive,,activities/1.gpx.gz\n2,,Home,Drive,,activities/2.gpx\n3,,Park,Run,,activities/3.gpx.gz\n",
    "activities/1.gpx.gz": gzipSync(gpx("", 0)),
    "activities/2.gpx": gpx("", 1),
    "activities/3.gpx.gz": gzipSync(gpx("", 2)),
    "activities/4.gpx": gpx("", 3).slice(0, 250),
    "media/1.jpg": Buffer.from([0xff, 0xd8, 0xff]),
  });
  await choose(file("strava.zip", strava), file("again.gpx", gpx("The same", 1)), file("notes.txt", "a shopping list"));
  await preview().getByText("4 drives in 3 files: 3 new, 0 here already, 1 like others.").waitFor();
  await page.getByTestId("import-refused").getByText("Cannot be read (2)").waitFor();
  await page.getByTestId("import-refused").locator("summary").click();
  await page.getByTestId("import-refused").getByText("The app cannot read this kind of file.").waitFor();
  await shot("import-preview");
  await page.getByLabel("Run (1)").uncheck();
  await keep(2);
  await shot("import-report");
  await page.getByRole("link", { name: "Show drives" }).click();
  await until("both are shown", async () => (await page.getByTestId("drive").count()) === 2);
  assert.deepEqual(await page.getByTestId("drive").locator("h2").allTextContents(), ["Home", "Stelvio"]);

  // Once more: nothing changes.
  await open();
  await choose(file("strava.zip", strava));
  await preview().getByText("3 drives in 1 file: 1 new, 2 here already").waitFor();
  await preview().getByRole("button", { name: "Cancel" }).click();

  // As a file again, which is the same drive.
  await page.goto(`${address}#/drives`);
  await page.getByText("Stelvio").click();
  for (const format of ["FIT", "GeoJSON", "CSV", "GPX"]) {
    const downloading = page.waitForEvent("download");
    await page.getByTestId("export").getByRole("button", { name: format, exact: true }).click();
    const downloaded = await downloading;
    assert.match(downloaded.suggestedFilename(), /^Stelvio 2024-06-01\.(fit|geojson|csv|gpx)$/);
    await downloaded.saveAs(join(folder, `out.${format.toLowerCase()}`));
  }
  await page.getByTestId("export").scrollIntoViewIfNeeded();
  await shot("export");
  const out = readFileSync(join(folder, "out.gpx"), "utf8");
  assert.equal(out.match(/<trkpt /g).length, FIXES);
  assert.ok(out.includes("<gpxtpx:speed>20</gpxtpx:speed>") && out.includes("<opentracks:accuracy_horizontal>5<"));
  await open();
  await choose(join(folder, "out.gpx"), join(folder, "out.geojson"), join(folder, "out.csv"));
  await preview().getByText("3 drives in 3 files: 0 new, 1 here already, 2 like others.").waitFor();
  await preview().getByRole("button", { name: "Cancel" }).click();

  // The browser is killed while it keeps many, and goes on when it is opened again.
  const many = Object.fromEntries(Array.from({ length: MANY }, (_, i) => [`${i}.gpx`, gpx(`Drive ${i}`, 10 + i)]));
  await choose(file("many.zip", zip(many)));
  await preview().getByText(`${MANY} new`).waitFor();
  await page.getByTestId("keep").click();
  await until("some are kept", async () => /^[1-9]/.test(await page.getByTestId("import-progress").textContent()));
  await kill(phone, profile);
  phone = await openPhone(profile, { locale: "en-GB" });
  page = phone.pages()[0];
  // Chromium has a launch queue in installed apps only.
  await page.addInitScript(() => {
    const launchQueue = { setConsumer: (consumer) => (globalThis.openedByTest = consumer) };
    Object.defineProperty(globalThis, "launchQueue", { value: launchQueue, configurable: true });
  });
  await open();
  await page.getByTestId("import-report").getByText(`${MANY} drives`).waitFor();
  await page.getByRole("link", { name: "Show drives" }).click();
  await allDrives(page, MANY + 2);

  // Files are dropped, and an import is cancelled: the drives until then stay, and the others are new.
  const more = Object.fromEntries(Array.from({ length: MANY }, (_, i) => [`${i}.gpx`, gpx(`More ${i}`, 10 + MANY + i)]));
  await open();
  const dropped = await page.evaluateHandle(
    ([bytes]) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(atob(bytes), (character) => character.charCodeAt(0))], "more.zip"));
      return transfer;
    },
    [zip(more).toString("base64")],
  );
  await page.getByTestId("drop").dispatchEvent("drop", { dataTransfer: dropped });
  await preview().getByText(`${MANY} new`).waitFor();
  await page.getByTestId("keep").click();
  await until("some are imported", async () => /^[1-9]/.test(await page.getByTestId("import-progress").textContent()));
  await page.getByTestId("import-progress").getByRole("button", { name: "Cancel" }).click();
  const report = page.getByTestId("import-report");
  await report.getByText("The import was cancelled.").waitFor();
  const imported = Number((await report.locator("strong").textContent()).replace(/\D/g, ""));
  assert.ok(imported > 0 && imported < MANY, `${imported} before it was cancelled`);
  await page.reload();
  await page.getByTestId("drop").waitFor();
  await choose(file("more.zip", zip(more)));
  await preview()
    .getByText(`${MANY - imported} new, ${imported} here already`)
    .waitFor();
  await preview().getByRole("button", { name: "Cancel" }).click();

  // The system opens a file with the app.
  await page.evaluate(
    async ([content]) => {
      const handle = { getFile: async () => new File([content], "opened.gpx") };
      globalThis.openedByTest({ files: [handle] });
    },
    [gpx("Opened", 6)],
  );
  await page.getByTestId("candidate").getByText("Opened").waitFor();
  await preview().getByRole("button", { name: "Cancel" }).click();

  // Another app shares a file.
  await page.evaluate(
    async ([content]) => {
      const form = new FormData();
      form.append("files", new File([content], "shared.gpx", { type: "application/gpx+xml" }));
      await fetch("/share-files", { method: "POST", body: form });
    },
    [gpx("Shared", 5)],
  );
  await page.goto(`${address}#/drives`);
  await open();
  await preview().getByText("1 drive in 1 file: 1 new").waitFor();
  await page.getByTestId("candidate").getByText("Shared").waitFor();
  assert.deepEqual(
    errors.filter((error) => !/ERR_|WebSocket/.test(error)),
    [],
  );
});

const MANY = 400;
