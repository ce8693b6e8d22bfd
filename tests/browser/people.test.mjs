// Two people without signal at first: profiles, cars, drives, a meet. With signal they see each other's data, and answers that were
// given without signal arrive, too.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fixesOf, sensorOf } from "./drive.mjs";
import { hold } from "./hold.mjs";
import { startRelayOnNetwork } from "./network.mjs";
import { newcomer } from "./person.mjs";
import { built, until } from "./relay.mjs";

/** Every third position of the generated drive is replayed, faster than it was driven. */
const THINNED = 3;
const EVERY_MS = 250;
const HASTE = (THINNED * 1000) / EVERY_MS;

test("two_people_who_had_no_signal_see_what_the_other_did_once_they_have", { timeout: 600_000 }, async (t) => {
  const network = await startRelayOnNetwork(t);
  const anna = await newcomer(t, network);
  const ben = await newcomer(t, network);

  // Without signal both fill in their profiles. An invalid handle is refused at once.
  await network.cut();
  for (const [person, name, handle] of [
    [anna, "Anna", "Anna_R"],
    [ben, "Ben", "ben"],
  ]) {
    await person.at("settings");
    await person.fill("displayName", name);
    await person.fill("handle", "..");
    await person.page.getByText("A handle has 2 to 30 letters").waitFor();
    await person.fill("handle", handle);
    await letAnybodyFollow(person.page);
  }

  // Anna adds a public car, a logbook entry and a drive. Ben creates a meet.
  const car = await addCar(anna, "Lancia");
  await anna.page.goto(car);
  await anna.page.getByRole("button", { name: "Add entry" }).click();
  await anna.page.getByRole("spinbutton", { name: "Odometer" }).fill("84201");
  await anna.page.getByRole("spinbutton", { name: "Litres" }).fill("41.2");
  await anna.page.getByRole("button", { name: "Save" }).click();
  await anna.page.getByTestId("log-entry").getByText("41.2 l").waitFor();
  await anna.page.getByText("84,201 km").first().waitFor();
  await recordAndPublish(anna);
  await ben.at("meets/new");
  await ben.page.getByLabel("Title").fill("Coffee at the pass");
  await ben.page.getByLabel("Where").fill("The upper car park");
  await ben.page.getByRole("button", { name: "Use my location" }).click();
  await ben.page.getByRole("button", { name: "Remove pin" }).waitFor();
  await ben.page.getByRole("button", { name: "Save" }).click();
  await ben.page.getByText("The upper car park").waitFor();
  await ben.page.getByRole("button", { name: "Going", exact: true }).click();
  await ben.page.getByText("1 going").waitFor();
  const meet = new URL(ben.page.url()).hash;

  // With signal Ben finds Anna by another spelling, sees her car but not its logbook, and follows her.
  await network.restore();
  for (const person of [anna, ben]) await person.synced();
  await ben.at("people");
  await ben.page.getByLabel("Find people").fill("aNNa");
  await ben.page.getByTestId("person").getByText("@Anna_R").click();
  await ben.page.getByRole("heading", { name: "Lancia" }).waitFor();
  assert.equal(await ben.page.getByText("41.2").count(), 0, "a logbook is its owner's");
  await ben.page.getByRole("button", { name: "Follow", exact: true }).click();
  await ben.page.getByRole("button", { name: "Following" }).waitFor();
  await ben.synced();

  // Her drive is in his home feed. Without signal it is shown with its age, and he reacts and comments.
  await ben.at("feed");
  await ben.page.getByRole("tab", { name: "Following" }).click();
  await ben.page.getByTestId("feed-drive").getByText("Anna").waitFor();
  await ben.page.getByTestId("feed-drive").click();
  await ben.page.getByRole("button", { name: "What a road: 0" }).waitFor();
  await ben.page.locator(".map[data-drawn]").waitFor({ timeout: 60_000 });
  const drive = new URL(ben.page.url()).hash;
  await network.cut();
  await ben.page.getByRole("button", { name: "What a road" }).click();
  await ben.page.getByRole("button", { name: "What a road: 1" }).waitFor();
  await ben.page.getByLabel("Your comment").fill("<b>Where</b> is that?");
  await ben.page.getByRole("button", { name: "Post" }).click();
  await ben.page.getByTestId("comment").getByText("<b>Where</b> is that?").waitFor();
  await ben.page.reload();
  await ben.page.getByTestId("age").first().waitFor();
  await ben.page.getByRole("button", { name: "What a road: 1" }).waitFor();

  // With signal Anna sees that, and answers to his meet. He sees her answer.
  await network.restore();
  for (const person of [anna, ben]) await person.synced();
  await anna.at(drive.slice(2));
  await anna.page.getByRole("button", { name: "What a road: 1" }).waitFor();
  await anna.page.getByTestId("comment").getByText("<b>Where</b> is that?").waitFor();
  await anna.at("feed");
  await anna.page.getByRole("tab", { name: "Everyone" }).click();
  await anna.page.getByTestId("feed-drive").getByRole("img", { name: "What a road: 1" }).waitFor();
  await anna.page.getByTestId("feed-drive").getByRole("img", { name: "Comments: 1" }).waitFor();
  await anna.at("people");
  await anna.page.getByRole("link", { name: "Your followers" }).click();
  await anna.page.getByTestId("person").getByText("@ben").waitFor();
  await anna.at("meets");
  await anna.page.getByRole("tab", { name: "All" }).click();
  await anna.page.getByTestId("meet").getByText("Coffee at the pass").click();
  await anna.page.waitForURL((url) => url.hash === meet);
  await anna.page.getByTestId("person").getByText("@ben").waitFor();
  await anna.page.getByRole("button", { name: "Maybe", exact: true }).click();
  await anna.synced();
  await ben.at(meet.slice(2));
  await ben.page.getByText("1 going, 1 maybe").waitFor();
  await ben.page.getByTestId("person").getByText("Anna", { exact: true }).waitFor();

  // Ben makes her a co-organiser. Her change without signal is on her page at once, and with signal on his.
  await ben.page.getByLabel("Their handle").fill("anna_r");
  await ben.page.getByRole("button", { name: "Add", exact: true }).click();
  await ben.page.getByRole("button", { name: "Remove" }).waitFor();
  await ben.synced();
  await anna.page.getByRole("link", { name: "Edit" }).click();
  await network.cut();
  await anna.page.getByLabel("Where").fill("The lower car park");
  await anna.page.getByRole("button", { name: "Save" }).click();
  await anna.page.getByText("The lower car park").waitFor();
  await anna.page.reload();
  await anna.page.getByTestId("age").first().waitFor();
  await anna.page.getByText("The lower car park").waitFor();
  await network.restore();
  await anna.synced();
  await ben.page.getByText("The lower car park").waitFor();

  // Both follow a third person: Anna, who does not follow Ben, sees on his meet that they have one person in common.
  const cleo = await newcomer(t, network);
  await cleo.at("settings");
  await cleo.fill("handle", "cleo");
  await letAnybodyFollow(cleo.page);
  await until("the relay knows her", async () => (await fetch(`${network.address}/v1/people/cleo`)).ok);
  for (const person of [anna, ben]) {
    await person.at("people/cleo");
    await person.page.getByRole("button", { name: "Follow", exact: true }).click();
    await person.page.getByRole("button", { name: "Following" }).waitFor();
    await person.synced();
  }
  for (const person of [anna, ben]) await person.at(meet.slice(2));
  await anna.page.getByTestId("person").filter({ hasText: "1 person in common" }).getByText("@ben").click();
  await anna.page.getByRole("link", { name: "In common" }).click();
  await anna.page.getByTestId("person").getByText("@cleo").waitFor();

  // Ben cancels the meet without signal. Anna sees it with signal.
  await network.cut();
  ben.page.once("dialog", (dialog) => void dialog.accept());
  await ben.page.getByRole("button", { name: "Cancel this meet" }).click();
  await ben.page.getByText("Cancelled").waitFor();
  await network.restore();
  await ben.synced();
  await anna.at("meets");
  await anna.at(meet.slice(2));
  await anna.page.getByText("Cancelled").waitFor();
  for (const person of [anna, ben]) assert.deepEqual(person.errors(), []);
});

/** A new account approves followers. This one accepts everyone. */
async function letAnybodyFollow(page) {
  const asks = page.locator("[name=byApproval]");
  assert.ok(await asks.isChecked());
  await asks.uncheck();
  await page.getByText("anyone who presses Follow").waitFor();
}

async function addCar(person, name) {
  await person.at("garage");
  await person.page.getByRole("button", { name: "Add a car" }).click();
  await person.page.getByLabel("Make").fill(name);
  await person.page.getByText("Show on my profile").click();
  await person.page.getByRole("button", { name: "Save" }).click();
  await person.page.getByTestId("car").click();
  await person.page.getByRole("heading", { name }).waitFor();
  return person.page.url();
}

async function recordAndPublish({ page, at }) {
  const made = await built("tourismo-tests", "tourismo-made");
  const gpx = execFileSync(made, ["--seed", "5", "--minutes", "12", "--road", "lane"], { encoding: "utf8" });
  const thinned = fixesOf(gpx).filter((_, number) => number % THINNED === 0);
  const drive = thinned.map((fix) => ({ ...fix, speed: fix.speed * HASTE }));
  await at("record");
  await page.getByTestId("start").click();
  await page.getByTestId("live").waitFor();
  await (await sensorOf(page)).drive(drive, EVERY_MS);
  const fixes = async () => Number(await page.getByTestId("live").getAttribute("data-fixes"));
  await until("the drive is recorded", async () => (await fixes()) > drive.length - 5);
  await hold(page, page.getByRole("button", { name: "Finish" }), () => page.getByTestId("sync").waitFor());
  await page.locator("[name=title]").fill("Over the pass");
  await page.locator("[name=title]").blur();
  await page.getByLabel("Everyone").check();
  await page.getByTestId("publish").click();
  await page.getByText("See it as others do").waitFor();
}
