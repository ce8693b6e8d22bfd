// Files that another app shared with this one: `share_target` of the manifest. The service worker keeps them in a cache.

/** The name of that cache, as in `sw.ts`, which is a script of its own. */
const SHARED_CACHE = "tourismo-shared";

/** Resolves to the shared files. They are removed from the cache. */
export async function takeSharedFiles(): Promise<File[]> {
  if (!("caches" in globalThis) || !(await caches.has(SHARED_CACHE))) return [];
  const cache = await caches.open(SHARED_CACHE);
  const files: File[] = [];
  for (const request of await cache.keys()) {
    const response = await cache.match(request);
    const name = decodeURIComponent(new URL(request.url).search.slice(1));
    if (response) files.push(new File([await response.blob()], name));
  }
  await caches.delete(SHARED_CACHE);
  return files;
}
