// The slideshow over the page, in full screen: the server's page of each picture is shown in turn. Arrows, space, a
// swipe or a tap steer it.

import { $, isPlain } from "./dom.js";

const still = matchMedia("(prefers-reduced-motion: reduce)");
let timer = 0;
let lock = null;
let ahead = {};    // by address: the page that comes next
let down = null;   // where a finger came down

const slides = () => $("#slides");
const over = () => slides()?.matches(":modal");

async function load(address) {
  const answer = await fetch(address).catch(() => null);
  const page = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = page && $("#slides", page);
  return found ? document.importNode(found, true) : null;
}

async function turn(address) {
  clearTimeout(timer);
  const fresh = await (ahead[address] ?? load(address));
  if (!fresh || !over()) return close();
  await $("img", fresh)?.decode().catch(() => {});
  const focused = document.activeElement.dataset.slide;
  slides().replaceChildren(...fresh.childNodes);
  if (focused) $(`#slides [data-slide="${focused}"]`)?.focus();
  const { href } = $("#slides [rel=next]");
  ahead = { [href]: load(href) };
  const playing = "playing" in fresh.dataset;
  if (playing) timer = setTimeout(turn, 1000 * $("#slides select").value, href);
  lock?.release();
  lock = playing ? await navigator.wakeLock?.request("screen").catch(() => null) : null;
}

async function start(address) {
  document.documentElement.requestFullscreen?.().catch(() => {});
  const made = await load(address);
  if (!made) return location.assign(address);
  made.removeAttribute("open");
  document.body.append(made);
  made.addEventListener("close", close);
  made.showModal();
  turn(still.matches ? address : `${address}${address.includes("?") ? "&" : "?"}play=true`);
}

function close() {
  clearTimeout(timer);
  lock?.release();
  lock = null;
  ahead = {};
  slides()?.remove();
  if (document.fullscreenElement) document.exitFullscreen();
  $("[data-slides]")?.focus();
}

const step = (name) => $(`#slides [data-slide=${name}]`).click();

document.addEventListener("fullscreenchange", () => { if (!document.fullscreenElement && over()) close(); });

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-slides], #slides a");
  if (!link || !isPlain(event) || !(over() || link.matches("[data-slides]"))) return;
  event.preventDefault();
  if (link.matches("[data-slides]")) start(link.href);
  else if (link.dataset.slide === "close") close();
  else turn(link.href);
});

document.addEventListener("change", ({ target }) => {
  const form = target.closest("#slides form");
  if (!form) return;
  over() ? turn(`${form.action}?${new URLSearchParams(new FormData(form))}`) : form.submit();
});

document.addEventListener("keydown", (event) => {
  const name = { ArrowLeft: "previous", ArrowRight: "next", " ": "toggle" }[event.key];
  if (!slides() || event.target.matches("select")) return;
  if (event.key !== "Escape" && event.key !== "Tab" && event.key !== "Enter") event.preventDefault();
  if (name) step(name);
});

document.addEventListener("pointerdown", (event) => {
  down = over() && event.target.matches("#slides img, #slides video") ? event : null;
});
document.addEventListener("pointerup", (event) => {
  if (!down) return;
  const right = event.clientX - down.clientX;
  step(Math.abs(right) < 48 ? "toggle" : right < 0 ? "next" : "previous");
  down = null;
});
