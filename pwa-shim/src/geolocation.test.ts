import { expect, test } from "vitest";

import { fixOf, watchFixes } from "./geolocation.ts";

const coords = {
  latitude: 46.5,
  longitude: 10.4,
  accuracy: 4,
  altitude: null,
  altitudeAccuracy: null,
  heading: Number.NaN,
  speed: 0,
};
const position = { coords, timestamp: 1_700_000_000_000.4 } as GeolocationPosition;

test("unknown values of the sensor are left out, zero is kept", () => {
  expect(fixOf(position, 1_700_000_000_123)).toEqual({
    fixedAt: 1_700_000_000_000,
    recordedAt: 1_700_000_000_123,
    latDeg: 46.5,
    lonDeg: 10.4,
    accuracyM: 4,
    speedMps: 0,
  });
});

test("a time that is not a number becomes 0", () => {
  expect(fixOf({ ...position, timestamp: Number.NaN }, 1).fixedAt).toBe(0);
  expect(fixOf({ ...position, timestamp: 1e300 }, 1).fixedAt).toBe(0);
});

test("every measurement and every failure is reported until the watch ends", () => {
  const seen: unknown[] = [];
  const sensor = {
    report: undefined as PositionCallback | undefined,
    fail: undefined as PositionErrorCallback | null | undefined,
    options: undefined as PositionOptions | undefined,
    watchPosition(report: PositionCallback, fail?: PositionErrorCallback | null, options?: PositionOptions) {
      Object.assign(this, { report, fail, options });
      return 17;
    },
    clearWatch: (watch: number) => seen.push(`cleared ${watch}`),
  };
  const arrivals: number[] = [];
  const stop = watchFixes(
    (fix, arrivedMs) => seen.push(fix.latDeg) && arrivals.push(arrivedMs),
    (reason) => seen.push(reason),
    sensor,
  );
  sensor.report?.(position);
  for (const code of [1, 2, 3]) {
    sensor.fail?.({ code, PERMISSION_DENIED: 1, POSITION_UNAVAILABLE: 2, TIMEOUT: 3, message: "" });
  }
  stop();
  expect(seen).toEqual([46.5, "denied", "unavailable", "timedOut", "cleared 17"]);
  expect(Math.abs(Date.now() - (arrivals[0] ?? 0))).toBeLessThan(60_000);
  expect(sensor.options).toMatchObject({ enableHighAccuracy: true, maximumAge: 0 });
});
