// The public surface of @tourismo/client.

export type * from "./generated/types.ts";
