// Requests of apps that record in the background, in the form of their documentation: OwnTracks, Overland, Traccar Client, GPSLogger.

const [LAT, LON, KM_LON] = [46.5, 10.0, 1 / 76.7];

/**
 * A drive of each recorder: 16 km in 20 minutes, then 15 minutes without movement until now. Each position has the recorder's `app`.
 */
export function drivesOf(nowMs) {
  const begin = Math.floor(nowMs / 1000) * 1000 - 35 * 60_000;
  return ["ownTracks", "overland", "traccar", "gpsLogger"].map((app, index) => {
    const at = (seconds, km) => ({ app, atMs: begin + seconds * 1000, lat: LAT + index / 10, lon: LON + km * KM_LON });
    const driven = Array.from({ length: 41 }, (_, i) => ({ ...at(i * 30, i * 0.4), mps: i === 0 ? 0 : 13.3 }));
    const stood = Array.from({ length: 15 }, (_, i) => ({ ...at(1_200 + (i + 1) * 60, 16), mps: 0 }));
    return { driven, stood };
  });
}

/** The requests for positions. Overland posts batches, the others one position at a time. */
export function postsOf(positions) {
  const batches = [];
  for (let from = 0; from < positions.length; from += 20) batches.push(positions.slice(from, from + 20));
  return batches.flatMap((batch) => {
    const features = batch.filter(({ app }) => app === "overland");
    const others = batch.filter(({ app }) => app !== "overland").map((position) => POST[position.app](position));
    return features.length > 0 ? [overland(features), ...others] : others;
  });
}

const json = (body) => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

const POST = {
  ownTracks: ({ atMs, lat, lon, mps }) =>
    json({
      ...{ _type: "location", BSSID: "f4:92:bf:c3:67:91", SSID: "home", acc: 12, alt: 1213, batt: 83, bs: 1, cog: 90, conn: "m" },
      ...{ created_at: Math.floor(Date.now() / 1000), lat, lon, m: 2, t: "u", tid: "an", topic: "owntracks/anna/phone" },
      ...{ tst: atMs / 1000, vac: 3, vel: Math.round(mps * 3.6) },
    }),
  traccar: ({ atMs, lat, lon, mps }) =>
    json({
      location: {
        timestamp: new Date(atMs).toISOString(),
        coords: { latitude: lat, longitude: lon, accuracy: 12, speed: mps, heading: 90, altitude: 1213 },
        is_moving: mps > 0,
        odometer: 0,
        event: "motionchange",
        battery: { level: 0.83, is_charging: false },
        activity: { type: "in_vehicle" },
        extras: {},
      },
      device_id: "48241179",
    }),
  gpsLogger: ({ atMs, lat, lon, mps }) => {
    const values = { lat, lon, time: new Date(atMs).toISOString(), s: mps.toFixed(1), acc: "12.0", alt: "1213.0", dir: "90.0" };
    return { method: "GET", query: `?${new URLSearchParams(values)}` };
  },
};

function overland(positions) {
  const feature = ({ atMs, lat, lon, mps }) => ({
    type: "Feature",
    geometry: { type: "Point", coordinates: [lon, lat] },
    properties: {
      ...{ timestamp: new Date(atMs).toISOString().replace(/\.\d+/, ""), altitude: 1213, speed: mps, horizontal_accuracy: 12 },
      ...{ vertical_accuracy: 3, course: 90, motion: ["driving"], pauses: false, activity: "automotive_navigation" },
      ...{ desired_accuracy: 10, deferred: 0, significant_change: "disabled", locations_in_payload: positions.length },
      ...{ battery_state: "unplugged", battery_level: 0.83, device_id: "anna's iPhone", wifi: "" },
    },
  });
  return json({ locations: positions.map(feature), trip: null });
}
