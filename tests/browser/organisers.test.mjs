// Two people change one meet while their clocks differ by more than a day. The later change counts, whichever clock is ahead, and
// both see it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setClocks } from "./clocks.mjs";
import { hold } from "./hold.mjs";
import { startRelayOnNetwork } from "./network.mjs";
import { newcomer } from "./person.mjs";
import { until } from "./relay.mjs";

const DAY_MS = 86_400_000;

test("what_a_co_organiser_changes_counts_though_the_owners_clock_is_ahead", { timeout: 600_000 }, async (t) => {
  const network = await startRelayOnNetwork(t);
  const [anna, ben] = [await newcomer(t, network), await newcomer(t, network)];
  for (const [person, handle] of [
    [anna, "anna"],
    [ben, "ben"],
  ]) {
    await person.at("settings");
    await person.fill("handle", handle);
    await until("the relay knows them", async () => (await fetch(`${network.address}/v1/people/${handle}`)).ok);
  }
  await setClocks(anna.page, { phoneMs: DAY_MS });
  await setClocks(ben.page, { phoneMs: -DAY_MS / 12 });

  // Anna creates a meet, and makes Ben a co-organiser.
  await anna.at("meets/new");
  await anna.page.getByLabel("Title").fill("Sunday");
  await anna.page.getByLabel("Where").fill("The upper car park");
  await anna.page.getByRole("button", { name: "Save" }).click();
  await anna.page.getByRole("heading", { name: "Sunday" }).waitFor();
  await anna.page.getByLabel("Their handle").fill("ben");
  await anna.page.getByRole("button", { name: "Add", exact: true }).click();
  await anna.page.getByRole("button", { name: "Remove" }).waitFor();
  await anna.synced();
  const meet = new URL(anna.page.url()).hash.slice(2);
  const told = async () => (await fetch(`${network.address}/v1/${meet}`)).json();
  const move = async (person, place) => {
    const { page } = person;
    await page.getByRole("link", { name: "Edit" }).click();
    await page.getByLabel("Where").fill(place);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText(place).waitFor();
    await person.synced();
    await page.getByText(place).waitFor();
  };

  // Ben changes it after Anna. His change counts.
  await ben.at(meet);
  await ben.page.getByText("The upper car park").waitFor();
  await move(ben, "The lower car park");
  await until("it counts", async () => (await told()).place === "The lower car park");
  await anna.page.getByText("The lower car park").waitFor();
  assert.equal(await ben.page.getByTestId("overridden").count(), 0);

  // Anna changes it again. Ben sees her version and the reason.
  await move(anna, "The middle car park");
  await until("it counts", async () => (await told()).place === "The middle car park");
  await ben.page.getByText("The middle car park").waitFor();
  await ben.page.getByTestId("overridden").getByText("place. Their version counts.").waitFor();
  assert.equal(await ben.page.getByText("The lower car park").count(), 0);

  // Anna renews the link. The old link shows nothing; the fields and co-organisers stay.
  await ben.page.getByRole("button", { name: "Going", exact: true }).click();
  await ben.synced();
  const renew = anna.page.getByRole("button", { name: "New link" });
  await hold(anna.page, renew, () => anna.page.waitForURL((url) => url.hash !== `#/${meet}`));
  await anna.page.getByText("The middle car park").waitFor();
  const renewed = new URL(anna.page.url()).hash.slice(2);
  await anna.synced();
  await until("the old link shows nothing", async () => (await fetch(`${network.address}/v1/${meet}`)).status === 404);
  const found = await (await fetch(`${network.address}/v1/${renewed}`)).json();
  assert.deepEqual([found.place, found.answers.going, found.organisers.length], ["The middle car park", 0, 1]);
  await ben.at("meets");
  await ben.page.getByTestId("meet").getByText("Sunday").click();
  await ben.page.waitForURL((url) => url.hash === `#/${renewed}`);
  await ben.page.getByText("0 going").waitFor();
  for (const person of [anna, ben]) assert.deepEqual(person.errors(), []);
});
