// Two people change one meet, and their clocks disagree by more than a day: the later word counts, whoever's clock is ahead, and
// each of them sees what counts.

import assert from "node:assert/strict";
import { test } from "node:test";

import { layCableToRelay } from "./cable.mjs";
import { setClocks } from "./clocks.mjs";
import { hold } from "./hand.mjs";
import { newcomer } from "./person.mjs";
import { until } from "./relay.mjs";

const DAY_MS = 86_400_000;

test("what_a_co_organiser_changes_counts_though_the_owners_clock_is_ahead", { timeout: 600_000 }, async (t) => {
  const cable = await layCableToRelay(t);
  const [anna, ben] = [await newcomer(t, cable), await newcomer(t, cable)];
  for (const [person, handle] of [
    [anna, "anna"],
    [ben, "ben"],
  ]) {
    await person.at("settings");
    await person.fill("handle", handle);
    await until("the relay knows them", async () => (await fetch(`${cable.address}/v1/people/${handle}`)).ok);
  }
  await setClocks(anna.page, { phoneMs: DAY_MS });
  await setClocks(ben.page, { phoneMs: -DAY_MS / 12 });

  // Anna calls a meet, and lets Ben change it.
  await anna.at("meets/new");
  await anna.page.getByLabel("Title").fill("Sunday");
  await anna.page.getByLabel("Where").fill("The upper car park");
  await anna.page.getByRole("button", { name: "Save" }).click();
  await anna.page.getByRole("heading", { name: "Sunday" }).waitFor();
  await anna.page.getByLabel("Their handle").fill("ben");
  await anna.page.getByRole("button", { name: "Allow" }).click();
  await anna.page.getByRole("button", { name: "Remove" }).waitFor();
  await anna.synced();
  const meet = new URL(anna.page.url()).hash.slice(2);
  const told = async () => (await fetch(`${cable.address}/v1/${meet}`)).json();
  const move = async (person, place) => {
    const { page } = person;
    await page.getByRole("link", { name: "Edit" }).click();
    await page.getByLabel("Where").fill(place);
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText(place).waitFor();
    await person.synced();
    await page.getByText(place).waitFor();
  };

  // Ben's change is made after Anna's, and counts, for everybody.
  await ben.at(meet);
  await ben.page.getByText("The upper car park").waitFor();
  await move(ben, "The lower car park");
  await until("it counts", async () => (await told()).place === "The lower car park");
  await anna.page.getByText("The lower car park").waitFor();
  assert.equal(await ben.page.getByTestId("overridden").count(), 0);

  // Anna changes it again: Ben sees what counts, and is told why it is not what he said.
  await move(anna, "The middle car park");
  await until("it counts", async () => (await told()).place === "The middle car park");
  await ben.page.getByText("The middle car park").waitFor();
  await ben.page.getByTestId("overridden").getByText("place. Their version counts.").waitFor();
  assert.equal(await ben.page.getByText("The lower car park").count(), 0);

  // The link got into wrong hands. The old one shows nothing any more; what counts of the meet, and who may change it, stays.
  await ben.page.getByRole("button", { name: "Going", exact: true }).click();
  await ben.synced();
  const renew = anna.page.getByRole("button", { name: "New link" });
  await hold(anna.page, renew, () => anna.page.waitForURL((url) => url.hash !== `#/${meet}`));
  await anna.page.getByText("The middle car park").waitFor();
  const renewed = new URL(anna.page.url()).hash.slice(2);
  await anna.synced();
  await until("the old link shows nothing", async () => (await fetch(`${cable.address}/v1/${meet}`)).status === 404);
  const found = await (await fetch(`${cable.address}/v1/${renewed}`)).json();
  assert.deepEqual([found.place, found.answers.going, found.organisers.length], ["The middle car park", 0, 1]);
  await ben.at("meets");
  await ben.page.getByTestId("meet").getByText("Sunday").click();
  await ben.page.waitForURL((url) => url.hash === `#/${renewed}`);
  await ben.page.getByText("0 going").waitFor();
  for (const person of [anna, ben]) assert.deepEqual(person.errors(), []);
});
