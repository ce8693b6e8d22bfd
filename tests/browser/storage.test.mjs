// A phone whose storage fails while a drive is recorded, in every way that browsers have: the person is told, recording goes
// on in memory, and what was measured meanwhile is saved when the storage is back.

import assert from "node:assert/strict";
import { test } from "node:test";

import { serveApp } from "./app.mjs";
import { kill, newProfile, openPhone } from "./chromium.mjs";
import { countFixes, sensorOf, straight } from "./drive.mjs";
import { until } from "./relay.mjs";

const EVERY_MS = 250;
/** The core tries again ever less often, at least every half minute. */
const PATIENCE_MS = 60_000;

test("whatever_befalls_the_storage_is_told_and_nothing_is_lost", { timeout: 600_000 }, async (t) => {
  const address = await serveApp(t);
  const profile = newProfile(t);
  let phone = await openPhone(profile, { permissions: ["geolocation"] });
  const fixes = await countFixes(phone);
  let page = phone.pages()[0];
  await page.goto(address);
  await page.getByTestId("start").click();
  const safety = page.getByTestId("safety");
  await safety.waitFor();
  const driving = new AbortController();
  const driven = (await sensorOf(page)).drive(straight(0, 2000, EVERY_MS), EVERY_MS, driving.signal).catch(() => {});
  const says = (words) => until(`the app says "${words}"`, async () => (await safety.textContent()).includes(words), PATIENCE_MS);
  await says("Saved");

  for (const { befalls, told } of [
    { befalls: fullStorage, told: "storage is full" },
    { befalls: abortedTransactions, told: "storage aborted a write" },
    { befalls: deadHandles, told: "storage does not respond" },
  ]) {
    const heal = await befalls(page, address);
    await says(told);
    const before = fixes.by(Date.now());
    await until("recording goes on in memory", () => fixes.by(Date.now()) > before + 4);
    await heal();
    await says("Saved");
    t.diagnostic(`${befalls.name}: told, and healed`);
  }

  // A single dead handle is replaced before anybody notices.
  const heard = await listen(safety);
  await oneDeadHandle(page);
  const before = fixes.by(Date.now());
  await until("recording goes on", () => fixes.by(Date.now()) > before + 8);
  await says("Saved");
  assert.deepEqual(
    (await heard()).filter((words) => words.includes("storage")),
    [],
  );

  const saved = Number(await page.getByTestId("live").getAttribute("data-saved"));
  await kill(phone, profile);
  driving.abort();
  await driven;
  phone = await openPhone(profile);
  page = phone.pages()[0];
  await page.goto(address);
  const recorded = Number(await page.getByTestId("live").getAttribute("data-recorded"));
  assert.ok(saved > 0 && recorded >= saved, `${saved} fixes were called saved, ${recorded} are there`);
});

/** Notes what an element says from here on. */
async function listen(element) {
  const said = await element.evaluateHandle((node) => {
    const texts = [];
    new MutationObserver(() => texts.push(node.textContent)).observe(node, {
      childList: true,
      characterData: true,
      subtree: true,
    });
    return texts;
  });
  return () => said.jsonValue();
}

async function fullStorage(page, address) {
  const devtools = await page.context().newCDPSession(page);
  const { origin } = new URL(address);
  await devtools.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 1 });
  return () => devtools.send("Storage.overrideQuotaForOrigin", { origin });
}

/** The browser aborts every transaction, as it does when the disk fails. */
function abortedTransactions(page) {
  return inWorker(
    page,
    (begin) =>
      function (...args) {
        const transaction = begin.apply(this, args);
        queueMicrotask(() => transaction.abort());
        return transaction;
      },
  );
}

/** The browser has closed the database behind the app's back, and closes it again whenever it is opened. */
function deadHandles(page) {
  return inWorker(
    page,
    (begin) =>
      function (...args) {
        this.close();
        return begin.apply(this, args);
      },
  );
}

/** The browser closes the database once. */
function oneDeadHandle(page) {
  return inWorker(page, (begin) => {
    let isDead = false;
    return function (...args) {
      if (!isDead) this.close();
      isDead = true;
      return begin.apply(this, args);
    };
  });
}

/** Puts something in the place of `IDBDatabase.transaction` where the engine lives; the returned function takes it away. */
async function inWorker(page, replacement) {
  const [worker] = page.workers();
  await worker.evaluate((source) => {
    globalThis.begin ??= IDBDatabase.prototype.transaction;
    IDBDatabase.prototype.transaction = new Function(`return ${source}`)()(globalThis.begin);
  }, replacement.toString());
  return () => worker.evaluate(() => void (IDBDatabase.prototype.transaction = globalThis.begin));
}
