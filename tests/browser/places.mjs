// The page with the private places.

import { until } from "./relay.mjs";

/** Sets what all private places are, on their page, and returns to the drive. */
export async function setPlaces(page, kind) {
  await page.getByRole("link", { name: "Private places" }).click();
  const places = page.getByTestId("place");
  await places.first().waitFor();
  // Places that are not private are listed last, so the order changes.
  const others = page.locator(`[data-testid=place]:not([data-kind=${kind}])`);
  for (let left = await others.count(); left > 0; left--) {
    await others.first().getByLabel("What it is").selectOption(kind);
    await until("the place is set", async () => (await others.count()) < left);
  }
  await page.goBack();
}
