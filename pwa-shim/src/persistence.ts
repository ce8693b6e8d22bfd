// Whether the browser may delete the stored data of this origin when the device is short of space.

/** `persisted`: only the user can delete it. `evictable`: the browser may. `unknown`: the browser does not say. */
export type Persistence = "persisted" | "evictable" | "unknown";

/** Asks the browser to keep the stored data. Some browsers ask the user, others decide by how often the app is used. */
export async function requestPersistence(): Promise<Persistence> {
  try {
    return (await navigator.storage.persist()) ? "persisted" : "evictable";
  } catch {
    return "unknown";
  }
}
