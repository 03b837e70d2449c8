// Keeps the page's own scripts, styles and icons, so that it opens at once, and a page for when there is no server.
// Pictures, hits and words are never kept.

const given = new URL(location).searchParams;
const base = new URL(`static/${given.get("v")}/`, registration.scope).href;
const offline = new URL(`offline/${given.get("in")}`, registration.scope).href;

addEventListener("install", (event) => {
  event.waitUntil(caches.open(base).then((cache) => cache.add(offline)).then(() => skipWaiting()));
});

addEventListener("activate", (event) => {
  event.waitUntil(caches.keys().then((names) => Promise.all(names.filter((name) => name !== base).map((name) => caches.delete(name)))));
});

async function asset(request) {
  const cache = await caches.open(base);
  const kept = await cache.match(request);
  if (kept) return kept;
  const answer = await fetch(request);
  if (answer.ok) await cache.put(request, answer.clone());
  return answer;
}

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  if (request.url.startsWith(base)) event.respondWith(asset(request));
  else if (request.mode === "navigate") event.respondWith(fetch(request).catch(() => caches.match(offline)));
});
