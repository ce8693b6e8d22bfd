// Whether the browser may throw away what this origin stored when the phone runs out of room.

/** `persisted`: only the person can remove it. `evictable`: the browser may. `unknown`: it does not say. */
export type Persistence = "persisted" | "evictable" | "unknown";

/** Asks the browser to keep what is stored. Some ask the person, some decide by how often the app is used. */
export async function requestPersistence(): Promise<Persistence> {
  try {
    return (await navigator.storage.persist()) ? "persisted" : "evictable";
  } catch {
    return "unknown";
  }
}
