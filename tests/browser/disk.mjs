// How fast a phone's disk is while a story runs, so that what a story expects within a second is not asked of a machine that
// takes longer for a single write.

const EVERY_MS = 200;
/** Which writes count: those of so long ago at most. */
const RECENT_MS = 5_000;

/**
 * Writes a byte durably, over and over, beside the app on a page, until that is gone.
 *
 * @param {import("playwright-core").Page} page
 * @returns {Promise<() => number>} how long the slowest of the recent writes took, milliseconds
 */
export async function watchDisk(page) {
  const writes = [];
  let begunAt;
  await page.exposeBinding("diskWrites", (_, isDone) => {
    if (isDone) writes.push({ at: Date.now(), tookMs: Date.now() - begunAt });
    begunAt = isDone ? undefined : Date.now();
  });
  await page.evaluate(async (everyMs) => {
    const opening = indexedDB.open("a story's own");
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
