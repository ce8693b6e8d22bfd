// Storage failures of browsers while a drive is recorded. The screen says so, recording continues in memory, and everything is saved
// when the storage works again.

import assert from "node:assert/strict";
import { test } from "node:test";

import { serveApp } from "./app.mjs";
import { kill, newProfile, openPhone } from "./chromium.mjs";
import { countFixes, sensorOf, straight } from "./drive.mjs";
import { until } from "./relay.mjs";

const EVERY_MS = 250;
/** The core retries with a growing delay of at most half a minute. */
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

  // A single dead handle is replaced without a message.
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

/** Records the texts of an element from now on. */
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

/** The browser aborts every transaction, like on a disk failure. */
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

/** The browser has closed the database without an event, and closes it again whenever it is opened. */
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

/** Replaces `IDBDatabase.transaction` in the worker of the engine. Returns a function that restores it. */
async function inWorker(page, replacement) {
  const [worker] = page.workers();
  await worker.evaluate((source) => {
    globalThis.begin ??= IDBDatabase.prototype.transaction;
    IDBDatabase.prototype.transaction = new Function(`return ${source}`)()(globalThis.begin);
  }, replacement.toString());
  return () => worker.evaluate(() => void (IDBDatabase.prototype.transaction = globalThis.begin));
}
