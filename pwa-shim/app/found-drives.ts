// The drives that the filter finds.

import { useSignal } from "@preact/signals";
import type { FoundDrives } from "@tourismo/client";
import { useEffect } from "preact/hooks";

import { driveFilter, queryOf } from "./drive-filter.ts";
import { cars, drives, run } from "./engine.ts";

/** The drives that the filter finds; the last answer while a new one is awaited, and `undefined` before the first. */
export function useFoundDrives(isWanted: boolean): FoundDrives | undefined {
  const found = useSignal<FoundDrives | undefined>(undefined);
  const query = isWanted ? queryOf(driveFilter.value) : undefined;
  useEffect(() => {
    if (query === undefined) {
      found.value = undefined;
      return;
    }
    let isCurrent = true;
    void run((tourismo) => tourismo.findDrives(query)).then((answer) => {
      if (isCurrent && answer) found.value = answer;
    });
    return () => {
      isCurrent = false;
    };
  }, [JSON.stringify(query), drives.value, cars.value]);
  return found.value;
}
