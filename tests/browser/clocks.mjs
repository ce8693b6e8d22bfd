// Wrong clocks of a phone and of its position sensor, and clocks that run faster, so that a long drive is recorded in a short time.

/** Dates positions by the clock of the page plus the offset of `setClocks`. Must be called before a page is opened. */
export async function wrapSensor(phone) {
  await phone.addInitScript(() => {
    const watch = navigator.geolocation.watchPosition.bind(navigator.geolocation);
    navigator.geolocation.watchPosition = (onFix, ...rest) =>
      watch(({ coords }) => onFix({ coords, timestamp: Date.now() + (globalThis.sensorMs ?? 0) }), ...rest);
  });
}

/**
 * Sets the clocks of a page and of its current workers.
 *
 * @param {import("playwright-core").Page} page
 * @param {{ phoneMs?: number, sensorMs?: number, rate?: number, since?: number }} [clocks] the offset of the
 *   phone's clock, the offset of the sensor from it, and the factor by which all clocks run faster from `since` on
 */
export async function setClocks(page, { phoneMs = 0, sensorMs = 0, rate = 1, since = Date.now() } = {}) {
  const set = ({ phoneMs, sensorMs, rate, since }) => {
    const real = (globalThis.realClocks ??= { wall: Date.now, monotonic: performance.now.bind(performance) });
    const { timeOrigin } = performance;
    globalThis.sensorMs = sensorMs;
    Date.now = () => Math.round(since + (real.wall() - since) * rate + phoneMs);
    // A monotonic clock is never set.
    performance.now = () => since + (timeOrigin + real.monotonic() - since) * rate - timeOrigin;
  };
  // Workers of maps read no clock, and end with their maps.
  const workers = page.workers().filter((worker) => !worker.url().includes("maplibre"));
  for (const context of [page, ...workers]) await context.evaluate(set, { phoneMs, sensorMs, rate, since });
}
