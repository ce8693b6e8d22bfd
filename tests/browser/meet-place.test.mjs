// A meet at a home. Others see the area until they answer that they are going, and the exact place as long as that answer stands.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startRelayOnNetwork } from "./network.mjs";
import { newcomer } from "./person.mjs";
import { until } from "./relay.mjs";

/** A folder for pictures of the screens, if somebody wants to look at them. */
const SHOTS = process.env.TOURISMO_SCREENSHOTS;

async function picture(page, name) {
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${name}.png`, fullPage: true });
}

const PLACE = "The red garage behind the mill";
const HIDDEN = "The exact place is shown to people who are going.";

test("w2_w3_a_person_sees_the_exact_place_of_a_meet_while_going", { timeout: 600_000 }, async (t) => {
  const network = await startRelayOnNetwork(t);
  const [anna, ben] = [await newcomer(t, network), await newcomer(t, network)];

  // Ben makes a public meet at his home.
  await ben.at("meets/new");
  await ben.page.getByLabel("Title").fill("Open garage");
  await ben.page.getByLabel("Where").fill(PLACE);
  await ben.page.getByRole("button", { name: "Use my location" }).click();
  await ben.page.getByRole("button", { name: "Remove pin" }).waitFor();
  await ben.page.getByLabel("Who sees the exact place").selectOption("attendees");
  await ben.page.getByText("Others see an area of about 5 km").waitFor();
  await picture(ben.page, "meet-place-form");
  await ben.page.getByRole("button", { name: "Save" }).click();
  await ben.page.getByText(PLACE).waitFor();
  await ben.page.getByText(HIDDEN).waitFor();
  await ben.synced();
  const meet = new URL(ben.page.url()).hash.slice(2);
  const read = async () => (await fetch(`${network.address}/v1/${meet}`)).json();
  await until("the server has the meet", async () => (await read()).title === "Open garage");
  const { place, position, area, isPlaceExact } = await read();
  assert.deepEqual([place, position, isPlaceExact, area], ["", undefined, false, [10.4, 46.5, 10.45, 46.55]]);

  // Anna sees the area, without a way there.
  await anna.at("meets");
  await anna.page.getByRole("tab", { name: "All" }).click();
  await anna.page.getByTestId("meet").getByText("Open garage").click();
  await anna.page.getByText("In the area on the map").waitFor();
  await anna.page.getByText(HIDDEN).waitFor();
  await anna.page.getByRole("img", { name: "Map of the place" }).waitFor();
  assert.equal(await anna.page.getByTestId("navigate").count(), 0);
  await picture(anna.page, "meet-place-area");

  // She is going, sees the place, and has the way there.
  await anna.page.getByRole("button", { name: "Going", exact: true }).click();
  await anna.page.getByText(PLACE).waitFor({ timeout: 60_000 });
  await anna.page.getByTestId("navigate").waitFor();
  await picture(anna.page, "meet-place-exact");
  await anna.at("meets");
  await anna.page.getByTestId("meet").getByText(PLACE).waitFor();

  // She is not going after all.
  await anna.at(meet);
  await anna.page.getByRole("button", { name: "Not going", exact: true }).click();
  await anna.page.getByText("In the area on the map").waitFor({ timeout: 60_000 });
  assert.equal(await anna.page.getByText(PLACE).count(), 0);

  // Ben still sees it, also without signal, and shows it to everyone.
  await network.cut();
  await ben.page.reload();
  await ben.page.getByText(PLACE).waitFor();
  await ben.page.getByRole("link", { name: "Edit" }).click();
  await ben.page.getByLabel("Who sees the exact place").selectOption("everyone");
  await ben.page.getByRole("button", { name: "Save" }).click();
  await network.restore();
  await ben.synced();
  await until("everyone sees it", async () => (await read()).place === PLACE);
  await anna.page.getByText(PLACE).waitFor({ timeout: 60_000 });
  for (const person of [anna, ben]) assert.deepEqual(person.errors(), []);
});
