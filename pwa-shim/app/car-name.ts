// Names of cars.

import type { CarFields } from "@tourismo/client";

/** Its nickname, else make and model. */
export function carName(fields: Pick<CarFields, "nickname" | "make" | "model">): string {
  return fields.nickname || `${fields.make} ${fields.model}`.trim() || "Unnamed car";
}

/** The details that are not in its name: make and model if it has a nickname, year, colour. */
export function carDetails(fields: Pick<CarFields, "nickname" | "make" | "model" | "year" | "colour">): string {
  const { nickname, make, model, year, colour } = fields;
  return [...(nickname ? [make, model] : []), year, colour].filter(Boolean).join(" ");
}
