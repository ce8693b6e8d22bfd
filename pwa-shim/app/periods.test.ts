import { expect, test } from "vitest";

import { lastPeriods } from "./periods.ts";

test("periods have no holes, and the latest is the last", () => {
  expect(lastPeriods(["2026-02", "2025-08"], 12)).toEqual([
    "2025-08",
    "2025-09",
    "2025-10",
    "2025-11",
    "2025-12",
    "2026-01",
    "2026-02",
  ]);
  expect(lastPeriods(["2026", "2019", "2010"], 10).slice(0, 2)).toEqual(["2017", "2018"]);
});

test("there are a few periods also for one", () => {
  expect(lastPeriods(["2026-01"], 12)).toEqual(["2025-08", "2025-09", "2025-10", "2025-11", "2025-12", "2026-01"]);
  expect(lastPeriods([], 12)).toEqual([]);
});
