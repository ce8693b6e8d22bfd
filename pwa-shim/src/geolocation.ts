// Fixes from the Geolocation API. Every measurement is passed on, whatever its quality.

import type { Fix, SensorFailure } from "./generated/types.ts";

/** After this time without a position the browser reports `timedOut`. It continues to search. */
const TIMEOUT_MS = 20_000;

/** The monotonic clock that all contexts of an origin share, in milliseconds. */
export function monotonicMs(): number {
  return performance.timeOrigin + performance.now();
}

/**
 * Watches the position until the returned function is called. `arrivedMs` is the time of `monotonicMs` at which a fix arrived.
 * Must be called by a visible page in a secure context.
 */
export function watchFixes(
  onFix: (fix: Fix, arrivedMs: number) => void,
  onFailure: (reason: SensorFailure) => void,
  geolocation: Pick<Geolocation, "watchPosition" | "clearWatch"> = navigator.geolocation,
): () => void {
  const watch = geolocation.watchPosition(
    (position) => onFix(fixOf(position, Date.now()), monotonicMs()),
    (error) => onFailure(failureOf(error)),
    { enableHighAccuracy: true, maximumAge: 0, timeout: TIMEOUT_MS },
  );
  return () => geolocation.clearWatch(watch);
}

/**
 * Converts a position of the browser to a fix. Values that are null or NaN are left out. A time that is not a number becomes 0,
 * which the recorder refuses.
 */
export function fixOf(position: GeolocationPosition, recordedAt: number): Fix {
  const { latitude, longitude, accuracy, altitude, altitudeAccuracy, heading, speed } = position.coords;
  const measuredAt = Math.round(position.timestamp);
  const fixedAt = Number.isSafeInteger(measuredAt) ? measuredAt : 0;
  const fix: Fix = { fixedAt, recordedAt, latDeg: latitude, lonDeg: longitude };
  if (isKnown(accuracy)) fix.accuracyM = accuracy;
  if (isKnown(altitude)) fix.altitudeM = altitude;
  if (isKnown(altitudeAccuracy)) fix.altitudeAccuracyM = altitudeAccuracy;
  if (isKnown(heading)) fix.headingDeg = heading;
  if (isKnown(speed)) fix.speedMps = speed;
  return fix;
}

function isKnown(value: number | null): value is number {
  return value !== null && Number.isFinite(value);
}

function failureOf(error: GeolocationPositionError): SensorFailure {
  switch (error.code) {
    case error.PERMISSION_DENIED:
      return "denied";
    case error.TIMEOUT:
      return "timedOut";
    default:
      return "unavailable";
  }
}
