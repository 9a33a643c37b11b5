// Keeps the phone page's shell for the dead spot. The network comes first, so that a new version shows at once;
// a network that does not answer within WAIT_MS is treated as none. Live data are never kept here.

const CACHE = "liandong-shell-1";
const WAIT_MS = 2500;
const SHELL = [
  "/phone",
  "/manifest.webmanifest",
  "/static/css/base.css",
  "/static/css/phone.css",
  "/static/icons/icon.svg",
  "/static/icons/icon-192.png",
  "/static/vendor/preact.module.js",
  "/static/vendor/hooks.module.js",
  "/static/vendor/htm.module.js",
  ...["api", "html", "i18n", "icons", "memory", "session", "severity", "store", "stream", "theme", "time"].map((name) => `/static/js/core/${name}.js`),
  ...["main", "offers", "outbox", "parts", "state", "task", "menu"].map((name) => `/static/js/phone/${name}.js`),
];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(SHELL)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(drop().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  const isOurs = origin === location.origin && event.request.method === "GET";
  if (isOurs && SHELL.includes(pathname)) event.respondWith(networkFirst(event.request, pathname));
});

async function networkFirst(request, pathname) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(pathname);
  if (!kept) return fetch(request);
  try {
    const fresh = await Promise.race([fetch(request), late()]);
    if (!fresh.ok) return kept;
    await cache.put(pathname, fresh.clone());
    return fresh;
  } catch {
    return kept;
  }
}

const late = () => new Promise((_, reject) => setTimeout(() => reject(new Error("late")), WAIT_MS));

async function drop() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name)));
}
