// A server that accepts new accounts by invitation: two people come in, one reports the other's meet, and an operator hides it on the
// page for operators, in a browser of the size of a phone. The owner reads the reason.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { errorsOf, newProfile, openPhone } from "./chromium.mjs";
import { newcomer } from "./person.mjs";
import { freePort, startRelay } from "./relay.mjs";

/** A folder for pictures of the screens, if somebody wants to look at them. */
const pictures = process.env.TOURISMO_PICTURES;

async function picture(page, name) {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
}

test("o3_o5_o8_an_invited_person_reports_a_meet_and_its_owner_reads_why_it_is_hidden", { timeout: 600_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "tourismo-operator-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [adminPort, secretFile] = [await freePort(), join(folder, "secret")];
  const options = ["--admin-listen", `127.0.0.1:${adminPort}`, "--admin-secret-file", secretFile, "--registration", "invite"];
  const port = await startRelay(t, ...options);
  const network = { address: `http://localhost:${port}` };

  // The operator opens the page with the secret, and invites.
  const phone = await openPhone(newProfile(t), { locale: "en-GB" });
  const errors = errorsOf(phone);
  const operator = phone.pages()[0];
  await operator.goto(`http://127.0.0.1:${adminPort}/`);
  await operator.getByLabel("The secret").fill("wrong");
  await operator.getByRole("button", { name: "Open" }).click();
  await operator.getByText("secret is missing or wrong").waitFor();
  await operator.getByLabel("The secret").fill(readFileSync(secretFile, "utf8"));
  await operator.getByRole("button", { name: "Open" }).click();
  await operator.getByText("There is nothing here.").waitFor();
  await operator.getByRole("button", { name: "Invitations" }).click();
  await operator.getByPlaceholder("A note").fill("Club");
  await operator.getByLabel("How many accounts").fill("2");
  await operator.getByRole("button", { name: "Invite", exact: true }).click();
  const words = await operator.getByText("The invitation is").textContent();
  const [code] = words.match(/[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}/);
  await picture(operator, "operator-invitations");

  // Anna types the code on the first page, Ben opens a link with it.
  const anna = await newcomer(t, network);
  await anna.at("settings");
  await anna.fill("displayName", "Anna");
  await anna.at("record");
  await anna.page.getByLabel("Invitation", { exact: true }).last().waitFor();
  await anna.fill("invitation", "0000-0000-0000");
  await anna.page.getByRole("button", { name: "Use it" }).click();
  await anna.page.getByText("This invitation is wrong").waitFor();
  await picture(anna.page, "invitation");
  await anna.fill("invitation", code.toUpperCase());
  await anna.page.getByRole("button", { name: "Use it" }).click();
  await anna.synced();
  const ben = await newcomer(t, network);
  await ben.at(`invite/${code}`);
  await ben.page.getByText("Welcome.").waitFor();
  await ben.synced();

  // Anna makes a public meet, which Ben reports.
  await anna.at("meets/new");
  await anna.page.getByLabel("Title").fill("Racing on the pass");
  await anna.page.getByLabel("Where").fill("The upper car park");
  await anna.page.getByLabel("Who can see this").selectOption("public");
  await anna.page.getByRole("button", { name: "Save" }).click();
  await anna.page.getByText("The upper car park").waitFor();
  const meet = new URL(anna.page.url()).hash.slice(2);
  await anna.synced();
  await ben.at(meet);
  await ben.page.getByRole("heading", { name: "Racing on the pass" }).waitFor();
  await ben.page.getByTestId("report").click();
  await ben.page.getByLabel("What is wrong?").selectOption("danger");
  await ben.page.getByLabel("More about it").fill("They race there every week.");
  await picture(ben.page, "report");
  await ben.page.getByRole("button", { name: "Send" }).click();
  await ben.page.getByText("Reported.").waitFor();

  // The operator reads the report, and hides the meet with a reason.
  await operator.getByRole("button", { name: "Reports", exact: true }).click();
  await operator.getByText("They race there every week.").waitFor();
  await operator.getByText("Racing on the pass").waitFor();
  await picture(operator, "operator-reports");
  operator.on("dialog", (dialog) => dialog.accept("Races on public roads."));
  await operator.getByRole("button", { name: "Hide" }).click();
  await operator.getByText("Decided.").waitFor();
  await operator.getByText("There is nothing here.").waitFor();
  await operator.getByRole("button", { name: "Decisions" }).click();
  await operator.getByText("Races on public roads.").waitFor();
  await picture(operator, "operator-decisions");

  // Anna reads the reason. Ben finds nothing.
  await ben.at("meets");
  await ben.at(meet);
  await ben.page.getByText("It does not exist, or you may not see it.").waitFor();
  await anna.at("settings");
  await anna.at(meet);
  await anna.page.getByTestId("hidden-by-operator").getByText("Races on public roads.").waitFor();
  await picture(anna.page, "hidden-meet");
  await anna.at("settings");
  await anna.page.getByText("A meet is hidden").waitFor();

  // Suspended, Anna still syncs.
  await operator.getByRole("button", { name: "Accounts" }).click();
  await operator.getByRole("button", { name: "Suspend the account" }).first().waitFor();
  await picture(operator, "operator-accounts");
  for (const person of [anna, ben]) assert.deepEqual(person.errors(), []);
  assert.deepEqual(
    errors.filter((error) => !/status of 40/.test(error)),
    [],
  );
});
