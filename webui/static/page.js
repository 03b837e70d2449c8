// What links, forms and the browser's buttons do where the script runs. Without it everything works but drop, paste
// and several uploads.

import { $, isPlain } from "./dom.js";
import "./albums.js";
import "./completion.js";
import "./films.js";
import "./keys.js";
import { kept } from "./kept.js";
import "./attention.js";
import "./missing.js";
import "./phone.js";
import { asQuery, go, here, isSearch, more, onPage, uploaded } from "./search.js";
import "./slides.js";
import "./sliders.js";
import "./uploads.js";
import { isOpen, shut, view } from "./viewer.js";

document.addEventListener("click", (event) => {
  if (!isPlain(event)) return;
  const link = event.target.closest("a[href], .more");
  if (!link || event.defaultPrevented || link.target || link.hreflang) return;
  if (link.matches(".more")) return more(link);
  if (link.matches(".hit > a")) {
    event.preventDefault();
    view(link.href);
  } else if (isSearch(link.href) && !link.getAttribute("href").startsWith("#")) {
    event.preventDefault();
    if (isOpen()) shut();
    go(link.getAttribute("href"), link.matches("[data-keep]") ? uploaded() : []);
  }
});

// Filters and the order apply at once.
document.addEventListener("change", (event) => {
  const form = event.target.closest("#narrow");
  if (form && event.target.checkValidity()) go(`${form.getAttribute("action")}?${asQuery(form)}`, uploaded());
});

// The words count once; each picture to be like counts as much more as the slider says.
document.addEventListener("change", ({ target }) => {
  if (!target.matches(".balance input")) return;
  const query = new URLSearchParams(location.search);
  query.delete("like");
  for (const id of target.dataset.ids.split(" ")) query.append("like", `${id}@${2 ** Number(target.value)}`.replace(/@1$/, ""));
  for (const name of ["limit", "offset"]) query.delete(name);
  go(`${location.pathname}?${query}`, uploaded());
});
document.addEventListener("submit", (event) => {
  if (event.target.id !== "narrow") return;
  event.preventDefault();
  go(`${event.target.getAttribute("action")}?${asQuery(event.target)}`, uploaded());
});

addEventListener("popstate", async ({ state }) => {
  if (state?.over && state.over === onPage()) return view(location.href, null);
  if (!isSearch(location)) return location.reload();
  const uploads = await kept(state?.uploads);
  if (isOpen()) shut();
  if (here(uploads) !== onPage()) go(location.pathname + location.search, uploads, false);
});

// A reload fetches the page without the uploads.
if (isSearch(location) && history.state?.uploads?.length) {
  const uploads = await kept(history.state.uploads);
  if (uploads.length) go(location.pathname + location.search, uploads, false);
}
