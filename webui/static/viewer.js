// One picture over the grid. It has its own address, so the browser's back button closes it.

import { $, hits, text } from "./dom.js";
import { ask, onPage } from "./search.js";

const viewer = $("#viewer");
let last = null;    // the id of the picture shown last

const article = () => $("#shown");
const idOf = (link) => $("input", link.closest(".hit")).value;
const tile = (id) => hits().find((link) => idOf(link) === id);

// Opens the picture at an address over the grid; `remember` is the history's method to use, if any.
export async function view(address, remember = "pushState") {
  if (remember) history[remember]({ over: onPage() }, "", address);
  if (!viewer.open) {
    viewer.replaceChildren(stage(hits().find((link) => link.href === address)));
    viewer.showModal();
  }
  const page = await ask(address, {}, "");
  if (!viewer.open) return;
  page ? put(page) : leave();
}

// Shows the thumbnail, which is loaded already, until the picture is.
function stage(link) {
  const made = document.createElement("div");
  made.className = "picture stage";
  if (link) made.append($("img", link)?.cloneNode() ?? "");
  return made;
}

function put(page) {
  const fresh = $("#shown", page);
  viewer.open ? viewer.replaceChildren(fresh) : article().replaceWith(fresh);
  document.title = page.title;
  last = fresh.dataset.id;
  if (viewer.open) joinToGrid(fresh);
  $("h1", fresh).focus({ preventScroll: true });
}

// Hits on the page are its neighbours, also those of an upload, which cannot be in an address.
function joinToGrid(fresh) {
  const place = hits().indexOf(tile(last));
  if (place < 0) return;
  for (const [name, neighbour] of [["previous", hits()[place - 1]], ["next", hits()[place + 1]]]) {
    const step = $(`.${name}`, fresh);
    if (!neighbour) continue;
    step.href = neighbour.href;
    step.hidden = false;
  }
}

export function step(name) {
  const link = $(`#shown .${name}:not([hidden])`);
  if (!link) return;
  viewer.open ? view(link.href, "replaceState") : location.assign(link.href);
}

// Closes the picture the way it was opened.
export function leave() {
  if (viewer.open && history.state?.over) history.back();
  else if (viewer.open) shut();
  else $("#shown .close")?.click();
}

export function shut() {
  viewer.close();
  viewer.replaceChildren();
  document.title = document.title.replace(/^.* · /, "");
  tile(last)?.focus();
}

export const isOpen = () => viewer.open;

viewer.addEventListener("cancel", (event) => {
  event.preventDefault();
  leave();
});

viewer.addEventListener("click", (event) => {
  if (event.target === viewer) leave();
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("#viewer .step, #viewer .close");
  if (!link) return;
  event.preventDefault();
  link.matches(".close") ? leave() : step(link.rel === "prev" ? "previous" : "next");
});

// Shows a corrected caption at once, in the grid too.
document.addEventListener("submit", async (event) => {
  if (!event.target.matches("[data-stay]")) return;
  event.preventDefault();
  const body = new FormData(event.target, event.submitter);
  const page = await ask(event.target.action, { method: "POST", body }, text("saving"));
  if (!page) return;
  put(page);
  const caption = $("h1", article()).textContent;
  const shown = tile(last);
  if (!shown) return;
  $("img", shown).alt = caption;
  $(".caption", shown.parentElement).textContent = caption;
});
