// Apps that record in the background post to the address of an account, and drives appear by themselves: once each, whatever is
// repeated, and however the page ends meanwhile.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { startRelayOnNetwork } from "./network.mjs";
import { newcomer } from "./person.mjs";
import { drivesOf, postsOf } from "./recorders.mjs";
import { until } from "./relay.mjs";

/** The length of each drive of `drivesOf`: the way to the first position in motion counts as a gap. */
const IS_16_KM = /1[56]\.\dkm/;
const SHOTS = process.env.TOURISMO_SCREENSHOTS;

test("drives_of_background_recorders_come_in_by_themselves_and_once", { timeout: 600_000 }, async (t) => {
  const network = await startRelayOnNetwork(t);
  const anna = await newcomer(t, network);
  const { page } = anna;
  const shot = async (name) => {
    if (!SHOTS) return;
    await page.screenshot({ path: join(SHOTS, `${name}-phone.png`), fullPage: true });
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.screenshot({ path: join(SHOTS, `${name}-desktop.png`), fullPage: true });
    await page.setViewportSize({ width: 390, height: 844 });
  };
  const waiting = page.getByTestId("waiting");
  const drives = () => page.getByTestId("drive").count();
  const send = async (posts) => {
    for (const { query = "", ...init } of posts) {
      // Recorders repeat a request if the connection is lost, which may be after the relay has stored it.
      const response = await until("the relay answers", () => fetch(`${address}${query}`, init));
      assert.equal(response.status, 200, await response.text());
    }
  };

  // The page gives the address, and shows how to use it.
  await anna.at("settings");
  await page.getByTestId("inbox").click();
  await page.getByTestId("no-address").waitFor();
  await shot("inbox-new");
  await page.getByRole("button", { name: "Get an address" }).click();
  const address = await page.getByLabel("The address as text").inputValue();
  assert.match(address, new RegExp(`^${network.address}/v1/inbox/[0-9a-f]{32}$`));
  await page.getByRole("img", { name: "The address as QR code" }).locator("path").waitFor();
  await waiting.getByText("Nothing has arrived yet.").waitFor();
  const help = page.getByTestId("recorder-help");
  await shot("inbox-owntracks");
  for (const [app, text] of [
    ["overland", "Receiver Endpoint"],
    ["traccar", "Server URL"],
    ["gpslogger", "Log to custom URL"],
  ]) {
    await help.getByLabel("App").selectOption(app);
    await help.getByText(text).waitFor();
    await shot(`inbox-${app}`);
  }
  const template = await help.getByLabel("URL for GPSLogger").inputValue();
  assert.equal(template, `${address}?lat=%LAT&lon=%LON&time=%TIME&s=%SPD&acc=%ACC&alt=%ALT&dir=%DIR`);

  // A drive that has not ended is shown as such, and is not in the list.
  const [own, overland, traccar, gpsLogger] = drivesOf(Date.now());
  await send(postsOf(own.driven));
  await waiting.getByText("Still driving").waitFor();
  await waiting.getByText("owntracks/anna/phone").waitFor();
  await shot("inbox-driving");

  // It stands for ten minutes: the drive is there within a minute, without a touch.
  await anna.at("drives");
  assert.equal(await drives(), 0);
  await send(postsOf(own.stood));
  await until("the drive is there by itself", async () => (await drives()) === 1, 120_000);
  assert.match(await page.getByTestId("drive").textContent(), IS_16_KM);
  await shot("inbox-drive");
  await anna.at("inbox");
  await waiting.getByText("No drives. They move to your list by themselves.").waitFor();

  // The page ends after a drive is imported and before it is taken from the inbox.
  let takes = 0;
  await page.context().route("**/v1/me/inbox/take", (route) => {
    takes++;
    return route.abort();
  });
  await send(postsOf([...overland.driven, ...overland.stood]));
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await until("the page wants to take it", () => takes > 0);
  await anna.at("drives");
  await until("it is imported", async () => (await drives()) === 2);
  await anna.at("inbox");
  await waiting.getByText("Saving").waitFor();
  await shot("inbox-saving");
  await page.context().unroute("**/v1/me/inbox/take");
  await page.reload();
  await waiting.getByText("No drives. They move to your list by themselves.").waitFor({ timeout: 120_000 });
  await anna.at("drives");
  await until("both are shown", async () => (await drives()) === 2);

  // The other apps, and everything once more: there are four drives.
  await send(postsOf([...traccar.driven, ...traccar.stood, ...gpsLogger.driven, ...gpsLogger.stood]));
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await until("all are there", async () => (await drives()) === 4);
  const all = [own, overland, traccar, gpsLogger].flatMap(({ driven, stood }) => [...driven, ...stood]);
  await send(postsOf(all));
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await anna.at("inbox");
  await waiting.getByText("No drives. They move to your list by themselves.").waitFor();
  // The last position of each recorder stays: the next drive may begin there.
  await waiting.getByText("4 positions are not part of a drive.").waitFor();
  await shot("inbox-empty");
  await page.reload();
  await anna.at("drives");
  await until("there are four", async () => (await drives()) === 4);
  for (const text of await page.getByTestId("drive").allTextContents()) assert.match(text, IS_16_KM);
  await anna.synced();
  assert.equal(await drives(), 4);

  // A new address ends the old one, and a revoked one answers with its code.
  await anna.at("inbox");
  await page.getByRole("button", { name: "Replace", exact: true }).click();
  await shot("inbox-renew");
  await page.getByRole("button", { name: "Replace the address" }).click();
  const text = page.getByLabel("The address as text");
  await until("it is another one", async () => (await text.inputValue()) !== address);
  const renewed = await text.inputValue();
  await page.getByRole("button", { name: "Revoke", exact: true }).click();
  await page.getByRole("button", { name: "Revoke the address" }).click();
  await page.getByTestId("no-address").waitFor();
  for (const old of [address, renewed]) {
    const [post] = postsOf(own.stood);
    const refused = await fetch(old, post);
    assert.equal(refused.status, 404);
    assert.equal((await refused.json()).error.code, "not_found");
  }
  assert.deepEqual(anna.errors(), []);
});
