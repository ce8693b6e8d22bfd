// The service worker: caches the files of the app, so that it opens without signal. It caches no answer of the relay.
//
// A new version fetches all its files, then waits. It takes over when the page asks it to, or when no page of the old version is
// left. So an update never interrupts a recording.

import { shell } from "virtual:shell";

const scope = self as unknown as ServiceWorkerGlobalScope;
const PREFIX = "tourismo-shell-";
const CACHE = PREFIX + shell.version;
/** Caches that earlier versions of the app used. */
const OBSOLETE = ["tourismo-told"];
const files = new Set(shell.files);
/** Where other apps send files: `share_target` of the manifest. */
const SHARED = "/share-files";
/** The cache in which the page finds them; see `shared-files.ts`. */
const SHARED_CACHE = "tourismo-shared";

scope.addEventListener("install", (event) => {
  event.waitUntil(fill());
});

scope.addEventListener("activate", (event) => {
  event.waitUntil(removeOldVersions().then(() => scope.clients.claim()));
});

scope.addEventListener("message", (event) => {
  if (event.data === "activate") void scope.skipWaiting();
});

scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method === "POST" && url.origin === scope.location.origin && url.pathname === SHARED) {
    event.respondWith(shared(request));
    return;
  }
  if (request.method !== "GET" || url.origin !== scope.location.origin) return;
  if (url.pathname === "/" || files.has(url.pathname)) event.respondWith(fromCache(url.pathname, request));
});

/** Keeps files that another app shared, for the screen that imports. */
async function shared(request: Request): Promise<Response> {
  const files = (await request.formData()).getAll("files").filter((value) => value instanceof File);
  const cache = await caches.open(SHARED_CACHE);
  for (const [index, file] of files.entries()) {
    await cache.put(`${SHARED}/${index}?${encodeURIComponent(file.name)}`, new Response(file));
  }
  return Response.redirect("/#/drives/import", 303);
}

async function fill(): Promise<void> {
  const cache = await caches.open(CACHE);
  // Bypasses the HTTP cache, so that all files are of one version.
  await cache.addAll(shell.files.map((path) => new Request(path, { cache: "reload" })));
}

async function fromCache(path: string, request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(path === "/" ? "/index.html" : path)) ?? fetch(request);
}

async function removeOldVersions(): Promise<void> {
  const names = await caches.keys();
  const isObsolete = (name: string): boolean => (name.startsWith(PREFIX) && name !== CACHE) || OBSOLETE.includes(name);
  await Promise.all(names.filter(isObsolete).map((name) => caches.delete(name)));
}
