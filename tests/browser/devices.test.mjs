// Two phones of one account. The second one joins by codes. Both edit a drive without signal and show the same afterwards. When one
// phone is killed during a drive, the other continues it.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { kill, newProfile, openPhone } from "./chromium.mjs";
import { sensorOf, straight } from "./drive.mjs";
import { hold } from "./hold.mjs";
import { startRelayOnNetwork } from "./network.mjs";
import { startRelay, until } from "./relay.mjs";

const EVERY_MS = 100;

test("two_phones_of_one_account_edit_a_drive_with_no_signal_and_then_show_the_same", { timeout: 600_000 }, async (t) => {
  const network = await startRelayOnNetwork(t);
  const [old, fresh] = [await openAt(network.address, newProfile(t)), await openAt(network.address, newProfile(t))];

  // The first phone has three cars, and a drive with the Alfa.
  for (const name of ["Alfa", "Beetle", "Capri"]) await addCar(old, name);
  await old.goto(`${network.address}/#/record`);
  await old.getByLabel("Driving").selectOption({ label: "Alfa" });
  await old.getByTestId("start").click();
  await old.getByTestId("live").waitFor();
  await (await sensorOf(old)).drive(straight(0, 30, EVERY_MS), EVERY_MS);
  await hold(old, old.getByRole("button", { name: "Finish" }), () => old.getByTestId("sync").waitFor());
  await old.locator("[name=title]").fill("Over the pass");
  await old.locator("[name=title]").blur();

  // It says why it cannot join another account, and adds the second phone.
  const drive = old.url();
  await old.goto(`${network.address}/#/devices`);
  await old.getByTestId("not-new").waitFor();
  await letIn(old, fresh, network.address);
  await fresh.getByTestId("drive").waitFor();
  await fresh.getByText("Over the pass").waitFor();

  // Each phone lists the other.
  for (const page of [old, fresh]) {
    await page.goto(`${network.address}/#/devices`);
    await page.getByTestId("member").nth(1).waitFor();
  }

  // Both edit the drive without a connection.
  await network.cut();
  const phones = [old, fresh];
  for (const page of phones) await page.goto(drive);
  await edit(old, "title", "Slowly over the pass");
  await edit(fresh, "title", "Over the pass and back");
  // Typed text stays while updates of the drive arrive.
  await old.locator("[name=notes]").fill("Snow on top.");
  await old.getByLabel("Car").selectOption({ label: "Beetle" });
  await old.waitForTimeout(1_000);
  await old.locator("[name=notes]").blur();
  await fresh.getByLabel("Car").selectOption({ label: "Capri" });
  for (const page of phones)
    await until("it says that it is on this phone", async () => (await words(page)).includes("On this phone only"));

  await network.restore();
  for (const page of phones) {
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await until(
      "both edits of the title are there",
      async () => (await value(page, "title")) === "Slowly over the pass and back",
    );
    await until("the notes are there", async () => (await value(page, "notes")) === "Snow on top.");
    await until("all of it is on the relay", async () => (await words(page)).includes("On the server"));
  }

  // Both set another car: both phones show both values, and a choice on one resolves the conflict on both.
  const car = (page) => page.getByLabel("Car").evaluate((list) => list.selectedOptions[0].label);
  for (const page of phones) {
    const choices = page.getByTestId("conflict").getByRole("button");
    await until("both cars are shown", async () => (await choices.allTextContents()).sort().join() === "Beetle,Capri");
  }
  await until("both count the same car", async () => (await car(old)) === (await car(fresh)));
  const other = (await car(old)) === "Beetle" ? "Capri" : "Beetle";
  await fresh.getByTestId("conflict").getByRole("button", { name: other }).click();
  for (const page of phones) {
    await until(`the car is the ${other}`, async () => (await car(page)) === other);
    await page.getByTestId("conflict").waitFor({ state: "detached" });
  }
});

test("a_drive_whose_phone_died_goes_on_in_another_phone_and_is_one_drive_on_both", { timeout: 600_000 }, async (t) => {
  const address = `http://localhost:${await startRelay(t)}`;
  const profile = newProfile(t);
  const lost = await openAt(address, profile);
  const other = await openAt(address, newProfile(t));

  // The first phone starts a drive, pauses, and is killed.
  await addCar(lost, "Alfa");
  await letIn(lost, other, address);
  await other.goto(`${address}/#/garage`);
  await other.getByRole("heading", { name: "Alfa" }).waitFor();
  await lost.goto(`${address}/#/record`);
  await lost.getByTestId("start").click();
  await lost.getByTestId("live").waitFor();
  await (await sensorOf(lost)).drive(straight(0, 40, EVERY_MS), EVERY_MS);
  await lost.getByRole("button", { name: "Pause" }).click();
  await lost.goto(`${address}/#/drives`);
  await lost.goto(`${address}/#/settings`);
  await lost.getByTestId("status").getByText("Everything is on the server").waitFor();
  await kill(lost.context(), profile);

  // The other phone takes the unfinished drive over, resumes and finishes it.
  await other.goto(`${address}/#/drives`);
  await other.getByTestId("drive").getByText("Not finished").waitFor();
  await other.getByTestId("drive").click();
  await other.getByRole("button", { name: "Take it over" }).click();
  const live = other.getByTestId("live");
  await live.waitFor();
  const before = Number(await live.getAttribute("data-fixes"));
  assert.ok(before > 20, `${before} fixes of the phone that died are there`);
  await (await sensorOf(other)).drive(straight(60, 100, EVERY_MS), EVERY_MS);
  await hold(other, other.getByRole("button", { name: "Finish" }), () => other.getByTestId("sync").waitFor());
  await other.getByTestId("sync").getByText("On the server").waitFor();
  const figures = async (page) => (await page.locator(".figures").innerText()).replaceAll(/\s+/g, " ");
  const all = await until("the figures are there", () => figures(other));
  t.diagnostic(`${before} fixes were taken over: ${all}`);

  // The first phone is opened again: the drive is finished, and the same.
  const back = await openAt(address, profile);
  await back.goto(other.url());
  await until("it shows the same", async () => (await figures(back)) === all);
  assert.equal(await back.getByTestId("take-over").count(), 0);
});

test("each_of_two_phones_reads_the_other_one_s_code_by_its_camera", { timeout: 600_000 }, async (t) => {
  const address = `http://localhost:${await startRelay(t)}`;
  const [old, fresh] = await Promise.all([withCamera(t, address), withCamera(t, address)]);
  await addCar(old.page, "Alfa");
  for (const { page } of [old, fresh]) await page.goto(`${address}/#/devices`);

  // The camera first sees no code, and keeps scanning.
  const code = fresh.page.getByRole("img", { name: "The code as QR code" });
  await code.waitFor();
  const letsIn = old.page.getByTestId("let-in");
  await old.looksAt(old.page.locator("body"));
  await letsIn.getByRole("button", { name: "Scan" }).click();
  await until("the camera shows something", () => letsIn.locator("video").evaluate((video) => video.currentTime > 1));
  await letsIn.getByRole("button", { name: "Close the camera" }).click();
  await old.looksAt(code);
  await letsIn.getByRole("button", { name: "Scan" }).click();
  await letsIn.getByRole("button", { name: "Add it" }).click();

  const answer = old.page.getByRole("img", { name: "The answer as QR code" });
  await answer.waitFor();
  // The list of devices above the answer grows by the new one.
  await old.page.getByTestId("member").nth(1).waitFor();
  await fresh.looksAt(answer);
  await fresh.page.getByTestId("be-let-in").getByRole("button", { name: "Scan" }).click();
  await enter(old.page, fresh.page);
  await fresh.page.goto(`${address}/#/garage`);
  await fresh.page.getByRole("heading", { name: "Alfa" }).waitFor();
});

/** A phone whose camera can be pointed at an element of another page. */
async function withCamera(t, address) {
  const profile = newProfile(t);
  const film = join(profile, "film.mjpeg");
  const [page] = (await openPhone(profile, { permissions: ["camera"], camera: film })).pages();
  await page.goto(address);
  const looksAt = async (shown) => {
    // Away from the tabs at the bottom, which would cover a part of it.
    await shown.evaluate((element) => element.scrollIntoView({ block: "center" }));
    writeFileSync(film, await shown.page().screenshot({ type: "jpeg" }));
  };
  return { page, looksAt };
}

/** Opens a phone on a profile folder. Resolves to its page. */
async function openAt(address, profile) {
  const [page] = (await openPhone(profile, { permissions: ["geolocation"] })).pages();
  await page.goto(address);
  return page;
}

/** Adds a new phone to the account of another one, by codes. */
async function letIn(old, fresh, address) {
  await fresh.goto(`${address}/#/devices`);
  const code = await fresh.getByTestId("be-let-in").getByLabel("The code as text").inputValue();
  assert.match(code, /\/#\/link\/[\w-]{43}$/);
  await old.goto(`${address}/#/devices`);
  await old.getByLabel("The new device's code").fill(code);
  await old.getByRole("button", { name: "Add it" }).click();
  const answer = await old.getByLabel("The answer as text").inputValue();
  assert.match(answer, /\/#\/join\//);
  await fresh.getByLabel("The answer", { exact: true }).fill(answer.slice(0, -20));
  await fresh.getByText("cannot be read").waitFor();
  await fresh.getByLabel("The answer", { exact: true }).fill(answer);
  await enter(old, fresh);
}

/** Asserts that both show the same number, then confirms. */
async function enter(old, fresh) {
  const [shown, due] = await Promise.all([fresh, old].map((page) => page.getByTestId("join-check").innerText()));
  assert.match(due, /^\d{4} \d{4} \d{4}$/);
  assert.equal(shown, due);
  await fresh.getByRole("button", { name: "Join the account" }).click();
  await fresh.waitForURL(/#\/drives$/);
}

async function addCar(page, name) {
  await page.goto(new URL("/#/garage", page.url()).href);
  await page.getByRole("button", { name: "Add a car" }).click();
  await page.getByLabel("Nickname").fill(name);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name }).waitFor();
}

async function edit(page, name, text) {
  await page.locator(`[name=${name}]`).fill(text);
  await page.locator(`[name=${name}]`).blur();
}

const value = (page, name) => page.locator(`[name=${name}]`).inputValue();
const words = (page) => page.getByTestId("sync").textContent();
