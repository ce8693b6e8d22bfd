// Measures the disk while a test runs, so that a test can allow for a machine that takes longer than a second for one write.

const EVERY_MS = 200;
/** The age up to which a write counts. */
const RECENT_MS = 5_000;

/**
 * Writes a byte durably again and again in a page, until the page is closed.
 *
 * @param {import("playwright-core").Page} page
 * @returns {Promise<() => number>} the duration of the slowest recent write, milliseconds
 */
export async function watchDisk(page) {
  const writes = [];
  let begunAt;
  await page.exposeBinding("diskWrites", (_, isDone) => {
    if (isDone) writes.push({ at: Date.now(), tookMs: Date.now() - begunAt });
    begunAt = isDone ? undefined : Date.now();
  });
  await page.evaluate(async (everyMs) => {
    const opening = indexedDB.open("disk-speed");
    opening.onupgradeneeded = () => opening.result.createObjectStore("bytes");
    await new Promise((resolve) => (opening.onsuccess = resolve));
    const write = async () => {
      await globalThis.diskWrites(false);
      const transaction = opening.result.transaction("bytes", "readwrite", { durability: "strict" });
      transaction.objectStore("bytes").put(1, "byte");
      transaction.oncomplete = async () => {
        await globalThis.diskWrites(true);
        setTimeout(write, everyMs);
      };
    };
    void write();
  }, EVERY_MS);
  return () => {
    const recent = writes.filter(({ at }) => at > Date.now() - RECENT_MS).map(({ tookMs }) => tookMs);
    return Math.max(0, ...recent, begunAt === undefined ? 0 : Date.now() - begunAt);
  };
}
