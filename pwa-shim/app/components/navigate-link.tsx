// A link that opens the navigation app of the phone at a place (RFC 5870). A computer may have no app for it.

/** `position` is `[longitude, latitude]` in degrees; `label` is what the app shows there. */
export function NavigateLink({ position: [lon, lat], label }: { position: readonly [number, number]; label: string }) {
  const place = `${lat.toFixed(6)},${lon.toFixed(6)}`;
  // The query is what most apps show as a pin.
  const address = `geo:${place}?q=${place}(${encodeURIComponent(label.replace(/[()]/g, " ").trim())})`;
  return (
    <a class="button small" href={address} data-testid="navigate">
      Navigate there
    </a>
  );
}
