// The PWA's entry: it uses `@tourismo/client` through its public surface alone.

import type { Fix } from "@tourismo/client";

/** Where the map is centred. */
export type Centre = Pick<Fix, "latDeg" | "lonDeg">;
