// What a hand does that a click is not.

/** Holds a button until what it does is done. */
export async function hold(page, button, untilDone) {
  await button.hover();
  await page.mouse.down();
  await untilDone();
  await page.mouse.up();
}
