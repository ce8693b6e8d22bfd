// A person with a phone.

import { errorsOf, newProfile, openPhone } from "./chromium.mjs";

/** A person who has opened the app once with a connection. */
export async function newcomer(t, network) {
  const profile = newProfile(t);
  const geolocation = { latitude: 46.5, longitude: 10.4 };
  const phone = await openPhone(profile, { permissions: ["geolocation"], geolocation, locale: "en-GB" });
  const errors = errorsOf(phone);
  const page = phone.pages()[0];
  await page.goto(network.address);
  await page.evaluate(() => navigator.serviceWorker.ready);
  return {
    page,
    /** Errors except those of the network and refused reads. */
    errors: () => errors.filter((error) => !/ERR_|WebSocket|status of 40/.test(error)),
    at: (place) => page.goto(`${network.address}/#/${place}`),
    async fill(name, text) {
      await page.locator(`[name=${name}]`).fill(text);
      await page.locator(`[name=${name}]`).blur();
    },
    /** Waits until everything is synced. */
    async synced() {
      const place = new URL(page.url()).hash;
      await page.evaluate(() => dispatchEvent(new Event("online")));
      await this.at("settings");
      await page.getByTestId("status").getByText("Everything is on the server").waitFor({ timeout: 60_000 });
      await page.getByTestId("status").getByText("Up to date").waitFor();
      await page.goto(`${network.address}/${place}`);
    },
  };
}
