// Generated from the Rust types of tourismo-core by `just types`. Do not edit.

/**
 * One measured position, as the W3C Geolocation API gives it (WGS 84).
 *
 * A fix has three times. `fixed_at` is when the sensor measured it and orders a track; `recorded_at` is when the phone
 * took it in; the third, when the relay received it, is stamped by the relay on the change that carries the fix.
 */
export type Fix = {
  /** When the sensor measured. */
  fixedAt: Timestamp,
  /** When the phone recorded. */
  recordedAt: Timestamp,
  /** Geodetic latitude, degrees north, -90 to 90. */
  latDeg: number,
  /** Longitude, degrees east, -180 to 180. */
  lonDeg: number,
  /** Radius of the horizontal 95 % confidence circle, metres. */
  accuracyM?: number,
  /** Altitude, metres; above the ellipsoid or above sea level, as the phone has it: only differences can be trusted. */
  altitudeM?: number,
  /** 95 % confidence of the altitude, metres. */
  altitudeAccuracyM?: number,
  /** Direction of travel, degrees clockwise from true north, 0 to 360; absent when standing. */
  headingDeg?: number,
  /** Ground speed by the sensor (Doppler), metres per second. */
  speedMps?: number,
};

/**
 * What the shell's clocks show at the moment of an input.
 *
 * Phone clocks jump; deadlines and gaps are measured on the monotonic clock, times that people read on the wall clock.
 */
export type Now = {
  /** The wall clock: `Date.now()`. */
  wall: Timestamp,
  /** Milliseconds of a clock that never goes back, from an arbitrary origin: `performance.now()`. */
  monotonic_ms: number,
};

/**
 * An instant of wall-clock time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
 *
 * In JavaScript a `number`, as `Date.now()` gives it.
 */
export type Timestamp = number;
