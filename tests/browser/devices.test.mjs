// Two phones of one person: the second is let in by codes that are carried by hand, both edit one drive with no signal, and
// afterwards both show the same.

import assert from "node:assert/strict";
import { test } from "node:test";

import { layCable } from "./cable.mjs";
import { newProfile, openPhone } from "./chromium.mjs";
import { sensorOf, straight } from "./drive.mjs";
import { hold } from "./hand.mjs";
import { startRelay, until } from "./relay.mjs";

const EVERY_MS = 100;

test("two_phones_of_one_account_edit_a_drive_with_no_signal_and_then_show_the_same", { timeout: 180_000 }, async (t) => {
  const cable = await layCable(t, await startRelay(t));
  const phone = async () => {
    const opened = await openPhone(newProfile(t), { permissions: ["geolocation"] });
    await opened.pages()[0].goto(cable.address);
    return opened.pages()[0];
  };
  const [old, fresh] = [await phone(), await phone()];

  // The first phone holds three cars, and a drive with the Alfa.
  for (const name of ["Alfa", "Beetle", "Capri"]) await addCar(old, name);
  await old.goto(`${cable.address}/#/record`);
  await old.getByLabel("Driving").selectOption({ label: "Alfa" });
  await old.getByTestId("start").click();
  await old.getByTestId("live").waitFor();
  await (await sensorOf(old)).drive(straight(0, 30, EVERY_MS), EVERY_MS);
  await hold(old, old.getByRole("button", { name: "Finish" }), () => old.getByTestId("sync").waitFor());
  await old.locator("[name=title]").fill("Over the pass");
  await old.locator("[name=title]").blur();

  // It is explained why it cannot enter another account, and it lets the second phone in.
  await fresh.goto(`${cable.address}/#/devices`);
  const code = await fresh.getByTestId("be-let-in").getByLabel("The code as text").inputValue();
  assert.match(code, /\/#\/link\/[\w-]{43}$/);
  const drive = old.url();
  await old.goto(`${cable.address}/#/devices`);
  await old.getByTestId("not-new").waitFor();
  await old.getByLabel("The new device's code").fill(code);
  await old.getByRole("button", { name: "Let it in" }).click();
  const answer = await old.getByLabel("The answer as text").inputValue();
  assert.match(answer, /\/#\/join\//);
  await fresh.getByLabel("The answer", { exact: true }).fill(answer.slice(0, -20));
  await fresh.getByText("cannot be read").waitFor();
  await fresh.getByLabel("The answer", { exact: true }).fill(answer);
  await fresh.getByTestId("drive").waitFor();
  await fresh.getByText("Over the pass").waitFor();

  // Each lists the other.
  for (const page of [old, fresh]) {
    await page.goto(`${cable.address}/#/devices`);
    await page.getByTestId("named-devices").getByText("In the account, too").waitFor();
  }

  // Both edit the drive, and neither hears of the other.
  await cable.cut();
  const phones = [old, fresh];
  for (const page of phones) await page.goto(drive);
  await edit(old, "title", "Slowly over the pass");
  await edit(fresh, "title", "Over the pass and back");
  await edit(old, "notes", "Snow on top.");
  await old.getByLabel("Car").selectOption({ label: "Beetle" });
  await fresh.getByLabel("Car").selectOption({ label: "Capri" });
  for (const page of phones) await until("it says that it is on this phone", async () => (await words(page)).includes("On this phone only"));

  await cable.mend();
  for (const page of phones) {
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await until("both edits of the title are there", async () => (await value(page, "title")) === "Slowly over the pass and back");
    await until("the notes are there", async () => (await value(page, "notes")) === "Snow on top.");
    await until("all of it is on the relay", async () => (await words(page)).includes("On the relay"));
  }

  // Only one car can count. Both phones show both, and what is chosen on one settles it on the other.
  const car = (page) => page.getByLabel("Car").evaluate((list) => list.selectedOptions[0].label);
  for (const page of phones) {
    const choices = page.getByTestId("conflict").getByRole("button");
    await until("both cars are shown", async () => (await choices.allTextContents()).sort().join() === "Beetle,Capri");
  }
  assert.equal(await car(old), await car(fresh));
  const other = (await car(old)) === "Beetle" ? "Capri" : "Beetle";
  await fresh.getByTestId("conflict").getByRole("button", { name: other }).click();
  for (const page of phones) {
    await until(`the car is the ${other}`, async () => (await car(page)) === other);
    await page.getByTestId("conflict").waitFor({ state: "detached" });
  }
});

async function addCar(page, name) {
  await page.goto(new URL("/#/garage", page.url()).href);
  await page.getByRole("button", { name: "Add a car" }).click();
  await page.getByLabel("What you call it").fill(name);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name }).waitFor();
}

async function edit(page, name, text) {
  await page.locator(`[name=${name}]`).fill(text);
  await page.locator(`[name=${name}]`).blur();
}

const value = (page, name) => page.locator(`[name=${name}]`).inputValue();
const words = (page) => page.getByTestId("sync").textContent();
