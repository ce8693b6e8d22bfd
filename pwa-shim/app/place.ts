// Where this device is, asked once.

const PATIENCE_MS = 20_000;

/** Longitude and latitude to two decimals, about a kilometre; or why not, in words. */
export async function whereIAm(): Promise<[number, number] | { failed: string }> {
  const exact = await exactlyWhereIAm();
  return Array.isArray(exact) ? [rounded(exact[0]), rounded(exact[1])] : exact;
}

/** The same as exactly as the device knows. */
export function exactlyWhereIAm(): Promise<[number, number] | { failed: string }> {
  return new Promise((resolve) =>
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => resolve([coords.longitude, coords.latitude]),
      ({ code }) =>
        resolve({
          failed:
            code === GeolocationPositionError.PERMISSION_DENIED
              ? "This device does not let the app know where it is."
              : "This device does not know where it is at the moment.",
        }),
      { maximumAge: 60_000, timeout: PATIENCE_MS },
    ),
  );
}

function rounded(degrees: number): number {
  return Math.round(degrees * 100) / 100;
}
