// A passkey brings an account back to an empty phone: the virtual authenticator of Chromium gives the same secret again.

import { test } from "node:test";

import { newProfile, openPhone } from "./chromium.mjs";
import { sensorOf, straight } from "./drive.mjs";
import { hold } from "./hold.mjs";
import { startRelay } from "./relay.mjs";

const EVERY_MS = 100;

test("g7_a_passkey_brings_the_account_back_to_an_empty_phone", { timeout: 600_000 }, async (t) => {
  const address = `http://localhost:${await startRelay(t)}`;
  const phone = await openPhone(newProfile(t), { permissions: ["geolocation"] });
  const page = phone.pages()[0];
  const devtools = await phone.newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  await devtools.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      ctap2Version: "ctap2_1",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      hasPrf: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });

  await page.goto(`${address}/#/record`);
  await page.getByTestId("start").click();
  await page.getByTestId("live").waitFor();
  await (await sensorOf(page)).drive(straight(0, 30, EVERY_MS), EVERY_MS);
  await hold(page, page.getByRole("button", { name: "Finish" }), () => page.getByTestId("sync").waitFor());
  await page.locator("[name=title]").fill("Up the valley");
  await page.locator("[name=title]").blur();
  await page.getByTestId("sync").filter({ hasText: "On the server" }).waitFor();
  await page.goto(`${address}/#/recovery`);
  await page.getByTestId("add-passkey").click();
  await page.getByTestId("recovery-key").filter({ hasText: "Valid." }).waitFor();
  await page.goto(`${address}/#/drives`);
  await page.getByTestId("drive").getByText("Up the valley").waitFor();

  // The same machine with nothing on it but the passkey.
  await page.goto("about:blank");
  await devtools.send("Storage.clearDataForOrigin", { origin: address, storageTypes: "all" });
  await page.goto(`${address}/#/devices`);
  const form = page.getByTestId("bring-back");
  await form.getByRole("button", { name: "Use a passkey" }).click();
  await page.getByTestId("drive").getByText("Up the valley").waitFor();
});
