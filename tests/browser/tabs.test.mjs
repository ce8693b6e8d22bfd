// Several tabs of the app in a real browser share one engine.

import assert from "node:assert/strict";
import { test } from "node:test";

import { serveApp } from "./app.mjs";
import { newProfile, openPhone } from "./chromium.mjs";
import { sensorOf, straight } from "./drive.mjs";
import { hold } from "./hold.mjs";
import { until } from "./relay.mjs";

const EVERY_MS = 250;

test("a_drive_goes_on_in_another_tab_when_the_tab_that_owned_the_engine_is_closed", { timeout: 300_000 }, async (t) => {
  const address = await serveApp(t);
  const phone = await openPhone(newProfile(t), { permissions: ["geolocation"] });
  const owner = phone.pages()[0];
  await owner.goto(address);
  await owner.getByTestId("start").waitFor();
  const follower = await phone.newPage();
  await follower.goto(address);

  // A drive that one tab starts is shown by the other.
  await owner.getByTestId("start").click();
  const live = follower.getByTestId("live");
  await live.waitFor();
  // One of the tabs measures.
  const sensors = [await sensorOf(owner), await sensorOf(follower)];
  await Promise.all(sensors.map((sensor) => sensor.drive(straight(0, 20, EVERY_MS), EVERY_MS)));
  const fixes = async () => Number(await live.getAttribute("data-fixes"));
  const before = await until("the first fixes are recorded", async () => (await fixes()) >= 15 && fixes());
  assert.ok(before <= 21, `${before} fixes were recorded: no measurement was taken twice`);

  await owner.close();
  await until("the drive goes on in the other tab", async () => {
    await sensors[1].measure(straight(20, 21, EVERY_MS)[0]);
    return live.isVisible();
  });
  await sensors[1].drive(straight(22, 42, EVERY_MS), EVERY_MS);
  await until("further fixes are recorded", async () => (await fixes()) >= before + 15);

  await hold(follower, follower.getByRole("button", { name: "Finish" }), () => follower.getByTestId("sync").waitFor());
  await follower.locator(".figures").waitFor();
});

test("three_tabs_edit_one_account_and_the_last_one_left_has_every_edit", { timeout: 300_000 }, async (t) => {
  const address = await serveApp(t);
  const phone = await openPhone(newProfile(t));
  const tabs = [phone.pages()[0], await phone.newPage(), await phone.newPage()];
  for (const tab of tabs) {
    await tab.goto(`${address}#/garage`);
    await tab.getByRole("button", { name: "Add a car" }).waitFor();
  }

  // Each tab adds a car, and every open tab shows it. The tabs own the engine one after the other.
  const names = ["Alfa", "Beetle", "Capri", "Dino", "Elise", "Fulvia"];
  const shown = async (tab) => (await tab.locator(".row h2").allTextContents()).join(" ");
  const added = [];
  for (let open = tabs.length; open > 0; open--) {
    const here = tabs.slice(-open);
    for (const tab of [here[0], here.at(-1)]) {
      const name = names[added.length];
      await addCar(tab, name);
      added.push(name);
      for (const other of here)
        await until(`${added} are shown in every tab`, async () => (await shown(other)) === added.toReversed().join(" "));
    }
    if (open > 1) await here[0].close();
  }
});

async function addCar(tab, name) {
  await tab.getByRole("button", { name: "Add a car" }).click();
  await tab.getByLabel("Nickname").fill(name);
  await tab.getByRole("button", { name: "Save" }).click();
}
