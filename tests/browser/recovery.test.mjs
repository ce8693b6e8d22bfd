// A phone in the lake: its drives come back to a new browser profile by twelve words. The lost phone, found by somebody, is
// removed: it says so, keeps its drives and offers to download them.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { newProfile, openPhone } from "./chromium.mjs";
import { sensorOf, straight } from "./drive.mjs";
import { hold } from "./hold.mjs";
import { startRelay, until } from "./relay.mjs";

const EVERY_MS = 100;

test("g7_g9_drives_come_back_by_twelve_words_and_the_lost_phone_is_removed", { timeout: 600_000 }, async (t) => {
  const address = `http://localhost:${await startRelay(t)}`;
  const lost = await openAt(address, newProfile(t));

  // A drive; then the app asks for the words.
  await lost.goto(`${address}/#/record`);
  await lost.getByTestId("start").click();
  await lost.getByTestId("live").waitFor();
  await (await sensorOf(lost)).drive(straight(0, 30, EVERY_MS), EVERY_MS);
  await hold(lost, lost.getByRole("button", { name: "Finish" }), () => lost.getByTestId("sync").waitFor());
  await lost.locator("[name=title]").fill("Along the lake");
  await lost.locator("[name=title]").blur();
  await lost.goto(`${address}/#/drives`);
  await lost.getByTestId("recovery-reminder").getByRole("link", { name: "Get the words" }).click();
  await lost.getByTestId("make-words").click();
  await lost.getByTestId("recovery-sheet").waitFor();
  const words = await lost.locator(".recovery-words li").allTextContents();
  assert.equal(words.length, 12);
  assert.ok(await lost.getByRole("img", { name: "The words as QR code" }).isVisible());
  await lost.getByRole("button", { name: "I wrote them down" }).click();
  const asked = lost.getByTestId("confirm-words").getByRole("textbox");
  await asked.nth(0).fill(words[2]);
  await asked.nth(1).fill(words[8]);
  await lost.getByRole("button", { name: "Save" }).click();
  await lost.getByTestId("recovery-key").filter({ hasText: "Valid." }).waitFor();
  await lost.goto(`${address}/#/drives`);
  await lost.getByTestId("drive").waitFor();
  assert.equal(await lost.getByTestId("recovery-reminder").count(), 0, "it does not ask again");

  // The phone falls into the lake. On a new one a wrong word is named; then the drive is back.
  const found = await openAt(address, newProfile(t));
  await found.goto(`${address}/#/devices`);
  const form = found.getByTestId("bring-back");
  await form.getByLabel("Recovery words").fill(words.with(4, "tourismo").join(" "));
  await form.getByRole("button", { name: "Bring it back" }).click();
  await form.getByText("Word 5, “tourismo”, is not a recovery word.").waitFor();
  await form.getByLabel("Recovery words").fill(words.join(" ").toUpperCase());
  const began = Date.now();
  await form.getByRole("button", { name: "Bring it back" }).click();
  await found.getByTestId("drive").getByText("Along the lake").waitFor();
  t.diagnostic(`the drive was back after ${Date.now() - began} ms`);

  // It removes the lost phone, which says so within moments.
  await lost.goto(`${address}/#/devices`);
  await found.goto(`${address}/#/devices`);
  const other = found.getByTestId("member").filter({ hasNotText: "this device" });
  await other.getByRole("button", { name: "Remove" }).click();
  await other.getByRole("button", { name: /^Remove / }).click();
  await lost.getByTestId("removed").waitFor();
  const [download] = await Promise.all([
    lost.waitForEvent("download"),
    lost.getByRole("button", { name: "Download everything on this device" }).click(),
  ]);
  const file = JSON.parse(readFileSync(await download.path(), "utf8"));
  assert.equal(file.drives[0].title, "Along the lake");
  assert.ok(file.documents.length >= 2, "the drive and its track");
  await until("the other one is gone from the list", async () => (await found.getByTestId("member").count()) === 1);
});

async function openAt(address, profile) {
  const phone = await openPhone(profile, { permissions: ["geolocation"], acceptDownloads: true });
  const page = phone.pages()[0];
  await page.goto(`${address}/#/devices`);
  return page;
}
