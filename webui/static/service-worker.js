// Keeps the page's own scripts, styles and icons, so that it opens at once, and a page for when there is no server.
// Pictures, hits and words are never kept.

const base = new URL(`static/${new URL(location).searchParams.get("v")}/`, registration.scope).href;
const offline = new URL("offline/", registration.scope).href;

addEventListener("install", (event) => {
  event.waitUntil(keepOffline(navigator.language.split("-")[0]).then(() => skipWaiting()));
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

// Keeps the page for when there is no server in one language, that of the page that was shown last.
async function keepOffline(language) {
  const cache = await caches.open(base), page = `${offline}${language}`;
  if (await cache.match(page)) return;
  await cache.add(page);
  for (const { url } of await cache.keys()) if (url.startsWith(offline) && url !== page) await cache.delete(url);
}

async function shown(event) {
  try {
    const answer = await fetch(event.request);
    const language = answer.headers.get("Content-Language");
    if (language) event.waitUntil(keepOffline(language));
    return answer;
  } catch {
    const cache = await caches.open(base);
    return cache.match((await cache.keys()).find(({ url }) => url.startsWith(offline)));
  }
}

addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET") return;
  if (request.url.startsWith(base)) event.respondWith(asset(request));
  else if (request.mode === "navigate") event.respondWith(shown(event));
});
