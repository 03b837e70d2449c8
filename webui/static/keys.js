// The keyboard: / for the search field, arrows to move in the grid, x to select, Escape to close.

import { $, $$, hits } from "./dom.js";
import { nudge } from "./albums.js";
import { clear, toggle } from "./selection.js";
import { isOpen, leave, step } from "./viewer.js";

const typing = (target) => target.matches("input:not([type=checkbox]), textarea, select");

// The whole grid is one tab stop; the arrows move inside it.
function rove() {
  const links = hits();
  const now = links.find((link) => link === document.activeElement) ?? links.find((link) => !link.tabIndex);
  for (const link of links) link.tabIndex = link === now ? 0 : -1;
  for (const tick of $$(".tick input, .steer a, .marks button")) tick.tabIndex = -1;
}

addEventListener("shown", rove);
document.addEventListener("focusin", (event) => { if (event.target.matches(".hit > a")) rove(); });
rove();

const middle = (link) => {
  const box = link.getBoundingClientRect();
  return { x: box.left + box.width / 2, y: box.top };
};

// The link in the row above or below with the nearest centre.
function across(links, from, down) {
  const here = middle(links[from]);
  const beyond = links.map(middle).filter(({ y }) => (down ? y > here.y + 2 : y < here.y - 2));
  if (!beyond.length) return from;
  const row = down ? Math.min(...beyond.map(({ y }) => y)) : Math.max(...beyond.map(({ y }) => y));
  const away = links.map(middle).map(({ x, y }) => (Math.abs(y - row) < 2 ? Math.abs(x - here.x) : Infinity));
  return away.indexOf(Math.min(...away));
}

const walks = {
  ArrowLeft: (links, at) => at - 1,
  ArrowRight: (links, at) => at + 1,
  ArrowUp: (links, at) => across(links, at, false),
  ArrowDown: (links, at) => across(links, at, true),
  Home: () => 0,
  End: (links) => links.length - 1,
};

function walk(event) {
  const links = hits();
  const next = links[walks[event.key](links, links.indexOf(event.target))];
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

function escape(event) {
  const menu = event.target.closest("details[open]") ?? $(".menu[open]");
  if (menu) {
    menu.open = false;
    $("summary", menu).focus();
  } else if ($("#shown")) leave();
  else if (typing(event.target)) {
    event.preventDefault();  // A search field would be emptied.
    event.target.blur();
  }
  else clear();
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const { key, target } = event;
  if (key === "Escape") return isOpen() && !target.closest("details[open]") ? undefined : escape(event);
  if (target.matches("#words input") && key === "ArrowDown" && hits().length) {
    event.preventDefault();
    return hits()[0].focus();
  }
  if (typing(target)) return;
  if (key === "/") {
    event.preventDefault();
    $("#words input").select();
  } else if (key === "?") {
    $("#keys").showModal();
  } else if ($("#shown")) {
    if (key === "ArrowLeft") step("previous");
    if (key === "ArrowRight") step("next");
    if (key === "f") $("#shown .heart").click();
  } else if (target.matches(".hit > a")) {
    if (event.shiftKey && /^Arrow(Left|Right)$/.test(key) && nudge(target, key === "ArrowRight")) return event.preventDefault();
    if (key in walks) walk(event);
    if (key === "x") toggle(target);
    if (key === "f") $(".heart", target.parentElement).click();
    if (key === "+") $(".steer a", target.parentElement).click();
    if (key === "-") $(".steer a + a", target.parentElement).click();
  }
});
