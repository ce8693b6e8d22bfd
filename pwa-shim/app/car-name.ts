// What to call a car.

import type { CarFields } from "@tourismo/client";

/** Its nickname, else make and model. */
export function nameOf(fields: Pick<CarFields, "nickname" | "make" | "model">): string {
  return fields.nickname || `${fields.make} ${fields.model}`.trim() || "Nameless car";
}

/** What its name does not say: make and model if it has a nickname, the year, the colour. */
export function restOf(fields: Pick<CarFields, "nickname" | "make" | "model" | "year" | "colour">): string {
  const { nickname, make, model, year, colour } = fields;
  return [...(nickname ? [make, model] : []), year, colour].filter(Boolean).join(" ");
}
