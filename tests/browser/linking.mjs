// Phones of one account: how they are opened and linked.

import assert from "node:assert/strict";

import { openPhone } from "./chromium.mjs";

/** Opens a phone on a profile folder. Resolves to its page. */
export async function openAt(address, profile) {
  const [page] = (await openPhone(profile, { permissions: ["geolocation"] })).pages();
  await page.goto(address);
  return page;
}

/** Adds a new phone to the account of another one, by codes. */
export async function letIn(old, fresh, address) {
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
export async function enter(old, fresh) {
  const [shown, due] = await Promise.all([fresh, old].map((page) => page.getByTestId("join-check").innerText()));
  assert.match(due, /^\d{4} \d{4} \d{4}$/);
  assert.equal(shown, due);
  await fresh.getByRole("button", { name: "Join the account" }).click();
  await fresh.waitForURL(/#\/drives$/);
}

export async function addCar(page, name) {
  await page.goto(new URL("/#/garage", page.url()).href);
  await page.getByRole("button", { name: "Add a car" }).click();
  await page.getByLabel("Nickname").fill(name);
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name }).waitFor();
}
