// A phone whose clocks are wrong: that of the phone, that of its position sensor, or both; or that run faster, so that a long
// drive is recorded in a short time.

/** Makes the sensor's times those of the page's clock, moved by what `setClocks` says. To be called before a page is opened. */
export async function wrapSensor(phone) {
  await phone.addInitScript(() => {
    const watch = navigator.geolocation.watchPosition.bind(navigator.geolocation);
    navigator.geolocation.watchPosition = (onFix, ...rest) =>
      watch(({ coords }) => onFix({ coords, timestamp: Date.now() + (globalThis.sensorMs ?? 0) }), ...rest);
  });
}

/**
 * Sets the clocks of a page and of its workers, as they are when it is called.
 *
 * @param {import("playwright-core").Page} page
 * @param {{ phoneMs?: number, sensorMs?: number, rate?: number, since?: number }} [clocks] how far ahead of this machine's the
 *   phone's clock is, how far ahead of the phone's the sensor's, and how much faster all run from `since` on
 */
export async function setClocks(page, { phoneMs = 0, sensorMs = 0, rate = 1, since = Date.now() } = {}) {
  const set = ({ phoneMs, sensorMs, rate, since }) => {
    const real = (globalThis.realClocks ??= { wall: Date.now, monotonic: performance.now.bind(performance) });
    const { timeOrigin } = performance;
    globalThis.sensorMs = sensorMs;
    Date.now = () => Math.round(since + (real.wall() - since) * rate + phoneMs);
    // Nobody sets a monotonic clock.
    performance.now = () => since + (timeOrigin + real.monotonic() - since) * rate - timeOrigin;
  };
  // Workers of maps end with their maps, and ask for no time.
  const workers = page.workers().filter((worker) => !worker.url().includes("maplibre"));
  for (const context of [page, ...workers]) await context.evaluate(set, { phoneMs, sensorMs, rate, since });
}
