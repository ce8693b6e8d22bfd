// Drives and cars that the user deletes, restores and erases: here, on a second device, in the public feed, and in the storage of
// both browsers.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { errorsOf, newProfile } from "./chromium.mjs";
import { gpx, zip } from "./files.mjs";
import { hold } from "./hold.mjs";
import { addCar, letIn, openAt } from "./linking.mjs";
import { setPlaces } from "./places.mjs";
import { startRelay, until } from "./relay.mjs";

const SHOTS = process.env.TOURISMO_SCREENSHOTS;

/** Texts that are nowhere else. */
const CANARY = "Canary-8d21";
const CAR = "Canary-car-55e0";

test("a_deleted_drive_can_be_restored_and_an_erased_one_is_nowhere_any_more", { timeout: 600_000 }, async (t) => {
  const address = `http://localhost:${await startRelay(t)}`;
  const folder = mkdtempSync(join(tmpdir(), "tourismo-erasure-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [old, fresh] = [await openAt(address, newProfile(t)), await openAt(address, newProfile(t))];
  const errors = [old, fresh].map((page) => errorsOf(page.context()));
  for (const page of [old, fresh]) page.on("dialog", (dialog) => void dialog.accept());
  const feed = async () => (await (await fetch(`${address}/v1/feed/public`)).json()).drives;
  const titles = async (page) => (await page.getByTestId("drive").locator("h2").allTextContents()).sort().join();

  // Three drives, of which one is public and two were driven with a car.
  await addCar(old, CAR);
  writeFileSync(join(folder, "all.zip"), zip({ "0.gpx": gpx(CANARY, 0), "1.gpx": gpx("Second", 1), "2.gpx": gpx("Third", 2) }));
  await old.goto(`${address}/#/drives/import`);
  await old.getByTestId("drop").locator("input").setInputFiles(join(folder, "all.zip"));
  await old.getByTestId("import-preview").getByText("3 new").waitFor();
  await old.getByTestId("keep").click();
  await old.getByTestId("import-report").getByText("3 drives").waitFor();
  await old.goto(`${address}/#/drives`);
  for (const title of ["Second", "Third"]) {
    await old.getByTestId("drive").getByText(title).click();
    await old.getByLabel("Car").selectOption({ label: CAR });
    await old.goBack();
  }
  await old.getByTestId("drive").getByText(CANARY).click();
  await setPlaces(old, "open");
  await old.getByLabel("Everyone").check();
  await old.getByTestId("publish").click();
  await until("it is in the feed", async () => (await feed()).length === 1);
  await letIn(old, fresh, address);
  await until("the other device has them", async () => (await titles(fresh)) === [CANARY, "Second", "Third"].sort().join());
  // The answers of the relay are cached.
  await fresh.goto(`${address}/#/feed`);
  await fresh.getByText(CANARY).first().waitFor();
  for (const page of [old, fresh]) assert.notDeepEqual(await placesOf(page, CANARY), [], "the search finds it");

  // A deleted drive is hidden from everyone at once, and can be restored on any device.
  await old.goto(`${address}/#/drives`);
  await old.getByTestId("drive").getByText(CANARY).click();
  await old.getByRole("button", { name: "Delete this drive" }).click();
  await old.waitForURL(/#\/drives$/);
  await until("nobody sees it", async () => (await feed()).length === 0);
  await until("it is not in the list", async () => (await titles(old)) === "Second,Third");
  await old.getByTestId("recently-deleted").click();
  await old.getByTestId("deleted").getByText(CANARY).waitFor();
  await shot(old, "deleted-one");
  await fresh.goto(`${address}/#/drives/deleted`);
  await fresh.getByTestId("deleted").getByRole("button", { name: "Restore" }).click();
  await fresh.getByText("Nothing. Deleted drives").waitFor();
  await old.getByText("Nothing. Deleted drives").waitFor();
  await shot(old, "deleted-none");
  await old.goto(`${address}/#/drives`);
  await until("it is back", async () => (await titles(old)) === [CANARY, "Second", "Third"].sort().join());
  assert.deepEqual(await feed(), [], "it stays private");

  // Erased at once it is gone from both devices.
  await old.getByTestId("drive").getByText(CANARY).click();
  await old.getByRole("button", { name: "Delete this drive" }).click();
  await old.waitForURL(/#\/drives$/);
  await fresh.goto(`${address}/#/drives/deleted`);
  await fresh.getByTestId("deleted").getByText(CANARY).waitFor();
  await old.getByTestId("recently-deleted").click();
  const button = old.getByTestId("deleted").getByRole("button", { name: "Erase now" });
  await hold(old, button, () => old.getByText("Nothing. Deleted drives").waitFor());
  await fresh.getByText("Nothing. Deleted drives").waitFor();
  for (const page of [old, fresh]) {
    await page.goto(`${address}/#/drives`);
    await until("the others stay", async () => (await titles(page)) === "Second,Third");
    await until("no byte of it is stored", async () => (await placesOf(page, CANARY)).length === 0);
  }

  // A car is deleted with its drives, or without them.
  await old.goto(`${address}/#/garage`);
  await old.getByTestId("car").click();
  await old.getByRole("button", { name: "Delete car" }).click();
  await shot(old, "delete-car");
  await old.getByRole("button", { name: "Delete with 2 drives" }).click();
  await old.waitForURL(/#\/garage$/);
  await fresh.goto(`${address}/#/drives/deleted`);
  await until("all three are there", async () => (await fresh.getByTestId("deleted").count()) === 3);
  await shot(fresh, "deleted-car");
  const second = fresh.getByTestId("deleted").filter({ hasText: "Second" });
  await second.getByRole("button", { name: "Restore" }).click();
  await until("it is restored", async () => (await fresh.getByTestId("deleted").count()) === 2);
  const car = fresh.getByTestId("deleted").filter({ hasText: CAR });
  await hold(fresh, car.getByRole("button", { name: "Erase now" }), () =>
    until("it is erased", async () => (await car.count()) === 0),
  );
  for (const page of [old, fresh]) {
    await page.goto(`${address}/#/drives`);
    await until("the restored drive is back", async () => (await titles(page)) === "Second");
    await until("no byte of the car is stored", async () => (await placesOf(page, CAR)).length === 0);
    await page.goto(`${address}/#/garage`);
    assert.equal(await page.getByTestId("car").count(), 0);
  }
  const unexpected = errors.flat().filter((error) => !/ERR_|WebSocket|status of 40/.test(error));
  assert.deepEqual(unexpected, []);
});

/** Where a text is in the storage of a page: databases, caches, and key-value stores. */
function placesOf(page, text) {
  return page.evaluate(async (text) => {
    const found = [];
    const done = (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const textOf = (value) => {
      if (value instanceof ArrayBuffer) return new TextDecoder("latin1").decode(value);
      if (ArrayBuffer.isView(value)) return new TextDecoder("latin1").decode(value);
      return typeof value === "object" && value !== null ? Object.values(value).map(textOf).join() : String(value);
    };
    for (const { name } of await indexedDB.databases()) {
      const database = await done(indexedDB.open(name));
      for (const store of database.objectStoreNames) {
        const values = await done(database.transaction(store).objectStore(store).getAll());
        if (values.some((value) => textOf(value).includes(text))) found.push(`${name} ${store}`);
      }
      database.close();
    }
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const request of await cache.keys()) {
        const body = await (await cache.match(request))?.text();
        if (body?.includes(text)) found.push(`${name} ${request.url}`);
      }
    }
    for (const storage of [localStorage, sessionStorage]) {
      if (JSON.stringify({ ...storage }).includes(text)) found.push("storage");
    }
    return found;
  }, text);
}

/** Takes pictures of a page as on a phone and on a desktop, if a folder for them is named. */
async function shot(page, name) {
  if (!SHOTS) return;
  const size = page.viewportSize();
  await page.screenshot({ path: join(SHOTS, `${name}-phone.png`) });
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.screenshot({ path: join(SHOTS, `${name}-desktop.png`) });
  await page.setViewportSize(size);
}
