// Somebody with a phone of their own.

import { errorsOf, newProfile, openPhone } from "./chromium.mjs";

/** Somebody who opens the app with signal, once. */
export async function newcomer(t, cable) {
  const profile = newProfile(t);
  const geolocation = { latitude: 46.5, longitude: 10.4 };
  const phone = await openPhone(profile, { permissions: ["geolocation"], geolocation, locale: "en-GB" });
  const errors = errorsOf(phone);
  const page = phone.pages()[0];
  await page.goto(cable.address);
  await page.evaluate(() => navigator.serviceWorker.ready);
  return {
    page,
    /** What went wrong, but for the network and what a relay has not. */
    errors: () => errors.filter((error) => !/ERR_|WebSocket|status of 40/.test(error)),
    at: (place) => page.goto(`${cable.address}/#/${place}`),
    async fill(name, text) {
      await page.locator(`[name=${name}]`).fill(text);
      await page.locator(`[name=${name}]`).blur();
    },
    /** Waits until everything is on the relay. */
    async synced() {
      const place = new URL(page.url()).hash;
      await page.evaluate(() => dispatchEvent(new Event("online")));
      await this.at("settings");
      await page.getByTestId("status").getByText("Everything is on the server").waitFor({ timeout: 60_000 });
      await page.getByTestId("status").getByText("Up to date").waitFor();
      await page.goto(`${cable.address}/${place}`);
    },
  };
}
