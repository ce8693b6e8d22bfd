import { expect, test } from "vitest";

import { conditionsOf, type DriveFilter, daysOf, isFiltered, queryOf } from "./drive-filter.ts";

const ANY: DriveFilter = { text: "", car: null, from: "", to: "", place: null, withinKm: 5 };

test("a filter of nothing asks for all drives", () => {
  expect(queryOf({ ...ANY, text: "  " })).toEqual({});
  expect([isFiltered({ ...ANY, text: "  " }), conditionsOf(ANY)]).toEqual([false, 0]);
});

test("the last day is part of the days that are wanted, and half a date is none", () => {
  expect(queryOf({ ...ANY, from: "2026-06-14", to: "2026-06-14" })).toEqual({
    from: Date.UTC(2026, 5, 14),
    until: Date.UTC(2026, 5, 15),
  });
  expect(queryOf({ ...ANY, from: "2026-" })).toEqual({});
});

test("a place is a box around it", () => {
  const { area } = queryOf({ ...ANY, place: [10, 0], withinKm: 11.1195 });
  expect(area?.map((edge) => Number(edge.toFixed(2)))).toEqual([9.9, -0.1, 10.1, 0.1]);
});

test("a period has its first and last day", () => {
  expect(daysOf("2024-02")).toEqual({ from: "2024-02-01", to: "2024-02-29" });
  expect(daysOf("2025")).toEqual({ from: "2025-01-01", to: "2025-12-31" });
});
