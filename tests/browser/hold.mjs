// Holding a button, which Playwright has no call for.

/** Holds a button until `untilDone` resolves. */
export async function hold(page, button, untilDone) {
  await button.hover();
  await page.mouse.down();
  await untilDone();
  await page.mouse.up();
}
