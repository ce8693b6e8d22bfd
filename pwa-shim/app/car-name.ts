// What to call a car.

import type { CarFields } from "@tourismo/client";

/** Its nickname, else make and model. */
export function nameOf(fields: Pick<CarFields, "nickname" | "make" | "model">): string {
  return fields.nickname || `${fields.make} ${fields.model}`.trim() || "Nameless car";
}
