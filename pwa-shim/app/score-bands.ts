// How good a road is in four bands, by which lists and maps colour it. The colours themselves are the stylesheet's.

/** From the plain to the great. */
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

/** The colours of the bands as the stylesheet has them at this moment, the plain first. */
export function bandColours(): string[] {
  const styles = getComputedStyle(document.documentElement);
  return BANDS.map(({ band }) => styles.getPropertyValue(`--band-${band}`).trim());
}
