// A page whose origin the relay does not allow. The app says so and what the operator can do, and not that it is offline.

import { test } from "node:test";

import { newProfile, openPhone } from "./chromium.mjs";
import { freePort, startRelayAt } from "./relay.mjs";

test("a_page_of_an_origin_that_may_not_sync_is_told_apart_from_no_signal", { timeout: 240_000 }, async (t) => {
  const port = await freePort();
  const [own, other] = [`http://localhost:${port}`, `http://127.0.0.1:${port}`];
  const stop = await startRelayAt(port, t, "--public-url", own);
  const phone = await openPhone(newProfile(t));
  const page = phone.pages()[0];

  // The relay serves the page at an address that is not one of its public URLs.
  await page.goto(`${other}/#/settings`);
  const status = page.getByTestId("status");
  await status.getByText("Refused by the server").first().waitFor({ timeout: 60_000 });
  await status.getByText(`accepts no sync connection from ${other}`).first().waitFor();

  // When the relay is stopped, the phone is offline.
  await stop();
  await status.getByText("Refused by the server").first().waitFor({ state: "detached", timeout: 120_000 });
  await status.getByText("Offline").waitFor();

  // The operator adds the address.
  await startRelayAt(port, t, "--public-url", own, "--public-url", other);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await status.getByText("Up to date").waitFor({ timeout: 60_000 });
});
