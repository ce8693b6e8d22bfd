// The position of this device, measured once.

const TIMEOUT_MS = 20_000;

/** Longitude and latitude rounded to two decimals, about a kilometre; or the reason of the failure in words. */
export async function approximatePosition(): Promise<[number, number] | { failed: string }> {
  const exact = await currentPosition();
  return Array.isArray(exact) ? [rounded(exact[0]), rounded(exact[1])] : exact;
}

/** Longitude and latitude as the device measures them. */
export function currentPosition(): Promise<[number, number] | { failed: string }> {
  return new Promise((resolve) =>
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => resolve([coords.longitude, coords.latitude]),
      ({ code }) =>
        resolve({
          failed:
            code === GeolocationPositionError.PERMISSION_DENIED
              ? "Location is not allowed for this site."
              : "This device has no position at the moment.",
        }),
      { maximumAge: 60_000, timeout: TIMEOUT_MS },
    ),
  );
}

function rounded(degrees: number): number {
  return Math.round(degrees * 100) / 100;
}
