// Searches without reloading the page. All markup comes from the server: an answer is the same page, and its parts
// replace those shown. The address holds the query except for uploads, which are sent beside it.

import { $, $$, complain, results, say, text as told } from "./dom.js";
import { keep } from "./kept.js";

const MOST_SHOWN = 1000;    // the most that a page shows

const words = $("#words");
const root = new URL(words.action).pathname;

let uploads = [];      // pictures searched with: { file, unlike, key }
let shown = here();    // what is on the page: the address, and the uploads that it does not hold
let running = null;    // the running search
let live = false;      // whether the newest entry of the history is of words that are still being typed

export const uploaded = () => uploads;
export const onPage = () => shown;
export const isSearch = (address) => new URL(address, location).pathname === root;

// The address that the browser shows, with the uploads that it does not hold.
export function here(pictures = uploads) {
  return [location.pathname + location.search, ...pictures.map((one) => `${one.key} ${one.unlike}`)].join("#");
}

// Returns the page of the answer, null where there is none to show; a later request replaces this one.
export async function ask(address, options, note) {
  running?.abort();
  const mine = running = new AbortController();
  if (note !== null) results().setAttribute("aria-busy", "true");
  say(note ?? "");
  try {
    const response = await fetch(address, { ...options, signal: mine.signal });
    const text = await response.text();
    if (response.headers.get("Content-Type")?.startsWith("text/html")) {
      return checked(new DOMParser().parseFromString(text, "text/html"));
    }
    complain(JSON.parse(text).detail);
  } catch {
    if (!mine.signal.aborted) complain(told("unreachable"));
  } finally {
    if (running === mine) {
      results().removeAttribute("aria-busy");
      say("");
    }
  }
  return null;
}

// A message leaves the page unchanged; an answer that is not one of our pages is the login.
function checked(page) {
  if (!$("#results", page)) {
    location.reload();
    return null;
  }
  const message = $(".alert", page);
  if (message) complain(message.textContent.trim());
  return message ? null : page;
}

// Pictures that stay are moved, not loaded again, so nothing flickers.
function keepPictures(page) {
  const shown = new Map($$(".hit img").map((image) => [image.getAttribute("src"), image]));
  for (const image of $$(".hit img", page)) {
    const old = shown.get(image.getAttribute("src"));
    if (!old?.complete || !old.naturalWidth) continue;
    old.alt = image.alt;
    image.replaceWith(old);
  }
}

function show(page, typing = false) {
  const open = $$("details[open][id]").map(({ id }) => id);
  const { id, name } = document.activeElement;
  const lost = results().contains(document.activeElement) || document.activeElement === document.body;
  keepPictures(page);
  for (const part of $$("[data-part]")) part.replaceWith($(`#${part.id}`, page));
  for (const still of open) $(`#${still}`)?.setAttribute("open", "");
  document.body.className = page.body.className;
  document.title = page.title;
  if (!typing) words.elements.q.value = $("#words [name=q]", page).value;
  scrollTo(0, 0);
  const same = name ? $(`#narrow [name="${name}"]`) : $(`#${id || "results"}`);
  if (lost) (same ?? results()).focus({ preventScroll: true });
  dispatchEvent(new Event("shown"));
}

// Goes to the address with these uploads; `remember` is false where it is already in the browser's history.
export async function go(address, pictures = [], remember = true) {
  const page = await send(address, pictures, told(pictures.length ? "analysing" : "searching"));
  if (!page) return;
  const state = { uploads: await keep(pictures) };
  uploads = pictures;
  // Words in the making are one entry of the history, whatever was found on the way.
  if (remember) live ? history.replaceState(state, "", address) : history.pushState(state, "", address);
  live = false;
  shown = here();
  show(page);
}

// Shows the hits of words that are still being typed: the field, the focus and the place in the history stay.
export async function goLive(address, isStillAsked) {
  const page = await ask(address, {}, null);
  if (!page || !isStillAsked()) return;
  history[live ? "replaceState" : "pushState"]({ uploads: [] }, "", address);
  live = true;
  shown = here();
  show(page, true);
}

export const isLive = () => live;
addEventListener("popstate", () => { live = false; });

// Stops the running search, so that its answer is not shown.
export const stop = () => running?.abort();

function send(address, pictures, note) {
  if (!pictures.length) return ask(address, {}, note);
  const form = new FormData();
  for (const [field, value] of new URL(address, location).searchParams) form.append(field, value);
  for (const { file, unlike } of pictures) form.append(unlike ? "unlike_image" : "image", file, "picture");
  return ask(root, { method: "POST", body: form }, note);
}

// Appends the next hits.
export async function more(button, bySelf = false) {
  button.disabled = true;
  const page = await send(button.dataset.address, uploads, bySelf ? null : told("searching"));
  button.disabled = false;
  if (!page) return;
  const fresh = $$("#grid > :not([data-continued])", page);
  if (!fresh.length) return complain(told("noMore"));
  $("#grid").append(...fresh);
  for (const selector of [".more", ".pager"]) {
    const next = $(selector, page);
    const old = $(selector);
    next ? old?.replaceWith(next) : old?.remove();
  }
  remember(page);
  dispatchEvent(new Event("shown"));
  if (!bySelf) $("a", fresh.find((one) => one.matches(".hit"))).focus({ preventScroll: true });
}

// Whoever scrolls gets more, as far as an address can hold what is shown; positions stay, as shapes are known before.
const near = new IntersectionObserver((seen) => {
  const button = seen.find(({ isIntersecting, target }) => isIntersecting && target.isConnected && !target.disabled)?.target;
  if (button && $$(".hit").length < MOST_SHOWN) more(button, true);
}, { rootMargin: "50% 0px" });

let watched = null;

function watch() {
  const button = $(".more");
  if (!button || button === watched || !scrollY) return;
  near.disconnect();
  near.observe(watched = button);
}
addEventListener("shown", watch);
addEventListener("scroll", watch, { passive: true });

// The address holds all that is shown, so that going back shows it again.
function remember(page) {
  $("[data-last]")?.replaceWith($("[data-last]", page) ?? "");
  const address = new URL(location);
  address.searchParams.set("limit", Math.min(MOST_SHOWN, $$(".hit").length));
  history.replaceState(history.state, "", address);
  shown = here();
}

words.addEventListener("submit", (event) => {
  event.preventDefault();
  words.elements.q.blur();
  dispatchEvent(new Event("sent"));
  go(`${root}?${asQuery(words)}`, uploads);
});

// The parameters of a form, without empty fields.
export function asQuery(form) {
  const filled = [...new FormData(form)].filter(([, value]) => value !== "");
  return new URLSearchParams(filled);
}
