// The four bands of road scores, by which lists and maps colour roads. The stylesheet has the colours.

/** From plain to great. */
export type Band = 1 | 2 | 3 | 4;

export const BANDS: { band: Band; least: number; label: string }[] = [
  { band: 1, least: 0, label: "Plain" },
  { band: 2, least: 40, label: "Pleasant" },
  { band: 3, least: 60, label: "Good" },
  { band: 4, least: 80, label: "Great" },
];

export function bandOf(score: number): Band {
  return BANDS.findLast(({ least }) => score >= least)?.band ?? 1;
}

/** The colours of the bands in the current colour scheme, from plain to great. */
export function bandColours(): string[] {
  const styles = getComputedStyle(document.documentElement);
  return BANDS.map(({ band }) => styles.getPropertyValue(`--band-${band}`).trim());
}
