// Years and months in a row.

/** The last `most` periods, without holes, up to the latest of the given ones: "2026" or "2026-09". */
export function lastPeriods(periods: readonly string[], most: number): string[] {
  const numbers = periods.map(numberOf);
  if (numbers.length === 0) return [];
  const isMonths = periods[0]?.includes("-") ?? false;
  const last = Math.max(...numbers);
  // At least a few bars, so that one is not as wide as the chart.
  const first = Math.max(last - most + 1, Math.min(...numbers, last - FEWEST + 1));
  return Array.from({ length: last - first + 1 }, (_, index) => nameOf(first + index, isMonths));
}

const FEWEST = 6;

function numberOf(period: string): number {
  const [year = 0, month] = period.split("-").map(Number);
  return month === undefined ? year : year * 12 + month - 1;
}

function nameOf(number: number, isMonth: boolean): string {
  if (!isMonth) return String(number).padStart(4, "0");
  return `${String(Math.floor(number / 12)).padStart(4, "0")}-${String((number % 12) + 1).padStart(2, "0")}`;
}
