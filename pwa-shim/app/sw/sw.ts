// The service worker: keeps the app's own files so that it opens without signal. It never keeps an answer of the relay.
//
// A new version fetches all its files and then waits: it takes over when the page says so, or when no page of the old one
// is left. A drive that is being recorded is never interrupted.

import { shell } from "virtual:shell";

const scope = self as unknown as ServiceWorkerGlobalScope;
const PREFIX = "tourismo-shell-";
const CACHE = PREFIX + shell.version;
const files = new Set(shell.files);

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
  if (request.method !== "GET" || url.origin !== scope.location.origin) return;
  if (url.pathname === "/" || files.has(url.pathname)) event.respondWith(fromCache(url.pathname, request));
});

async function fill(): Promise<void> {
  const cache = await caches.open(CACHE);
  // Past the browser's own cache: a version is all of its files or none.
  await cache.addAll(shell.files.map((path) => new Request(path, { cache: "reload" })));
}

async function fromCache(path: string, request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(path === "/" ? "/index.html" : path)) ?? fetch(request);
}

async function removeOldVersions(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)));
}
