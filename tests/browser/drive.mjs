// Positions for a browser: from a GPX file or computed, and a sensor that reports them.

/**
 * The track points of a GPX file that the project's tools wrote.
 *
 * @returns {{ latitude: number, longitude: number, accuracy: number, altitude: number, speed: number, heading: number }[]}
 */
export function fixesOf(gpx) {
  const points = gpx.matchAll(/<trkpt lat="([^"]+)" lon="([^"]+)">(.*?)<\/trkpt>/gs);
  return Array.from(points, ([, latitude, longitude, inner]) => {
    const value = (name) => Number(new RegExp(`<${name}>([^<]+)</`).exec(inner)?.[1] ?? Number.NaN);
    return {
      latitude: Number(latitude),
      longitude: Number(longitude),
      accuracy: value("opentracks:accuracy_horizontal"),
      altitude: value("ele"),
      altitudeAccuracy: value("opentracks:accuracy_vertical"),
      speed: value("gpxtpx:speed"),
      heading: value("gpxtpx:course"),
    };
  });
}

/** How long the sensor waits until the page gets a position. A repeated position is not reported again. */
const HEARD_MS = 2_000;

/** The sensor of the phone with this page, until the page is left. */
export async function sensorOf(page) {
  const devtools = await page.context().newCDPSession(page);
  // Waits until each position was delivered, so that a slow machine skips none.
  const heard = await page.evaluateHandle(() => {
    const fixes = { count: 0, next: undefined };
    const hear = () => {
      fixes.count++;
      fixes.next?.();
    };
    // The original function, which a test may have replaced.
    Geolocation.prototype.watchPosition.call(navigator.geolocation, hear, () => {}, { enableHighAccuracy: true });
    return fixes;
  });
  const wasHeard = (before) =>
    heard.evaluate(
      (fixes, { before, patienceMs }) =>
        new Promise((resolve) => {
          if (fixes.count > before) resolve();
          fixes.next = resolve;
          setTimeout(resolve, patienceMs);
        }),
      { before, patienceMs: HEARD_MS },
    );
  async function measure(fix) {
    const before = await heard.evaluate(({ count }) => count);
    await devtools.send("Emulation.setGeolocationOverride", known(fix));
    await wasHeard(before);
  }
  return {
    /** Reports one position. */
    measure,
    /** Reports positions, one every `everyMs`, until `signal` is aborted. Resolves to their times. */
    async drive(fixes, everyMs, signal) {
      const measuredAt = [];
      const began = Date.now();
      for (const fix of fixes) {
        const due = began + measuredAt.length * everyMs;
        if (due > Date.now()) await new Promise((resolve) => setTimeout(resolve, due - Date.now()));
        if (signal?.aborted) break;
        await measure(fix);
        measuredAt.push(Date.now());
      }
      return measuredAt;
    },
  };
}

/** Positions on a straight road at 20 m/s, one every `everyMs`. */
export function straight(from, to, everyMs) {
  const fix = (i) => ({ latitude: 46.5 + (i * 20 * everyMs) / 1000 / 111_320, longitude: 10.4, accuracy: 5, speed: 20 });
  return Array.from({ length: to - from }, (_, i) => fix(from + i));
}

/**
 * Records when each position reaches pages of a phone that are opened later. Returns a function that counts those until a time,
 * and one that resets the count.
 */
export async function countFixes(phone) {
  let comings = [];
  await phone.exposeBinding("fixCame", () => void comings.push(Date.now()));
  await phone.addInitScript(() => {
    const watch = navigator.geolocation.watchPosition.bind(navigator.geolocation);
    navigator.geolocation.watchPosition = (onFix, ...rest) =>
      watch(
        (position) => {
          onFix(position);
          globalThis.fixCame();
        },
        ...rest,
      );
  });
  return { by: (moment) => comings.filter((at) => at <= moment).length, reset: () => void (comings = []) };
}

/** The distance of two positions on a sphere, metres. */
export function distanceM(a, b) {
  const radians = Math.PI / 180;
  const [dLat, dLon] = [(b.latitude - a.latitude) * radians, (b.longitude - a.longitude) * radians];
  const h = Math.sin(dLat / 2) ** 2 + Math.cos(a.latitude * radians) * Math.cos(b.latitude * radians) * Math.sin(dLon / 2) ** 2;
  return 2 * 6_371_008.8 * Math.asin(Math.sqrt(h));
}

function known(fix) {
  return Object.fromEntries(Object.entries(fix).filter(([, value]) => Number.isFinite(value)));
}
