// Favourites and albums without a new page: marks change in place, and a line says what was done, with Undo.

import { $, $$, complain, say, text } from "./dom.js";
import { clear, toggle } from "./selection.js";

const api = $("#words").dataset.api;

async function send(path, body) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(api + path, options).catch(() => null);
  const told = await answer?.json();
  if (!answer?.ok) complain(told?.detail ?? text("unreachable"));
  return answer?.ok ? told : null;
}

const idOf = (hit) => Number($(".tick input", hit).value);
let fading = 0;

function tell(line) {
  say(line);
  clearTimeout(fading);
  fading = setTimeout(say, 10_000, "");
}

function done(line, undo) {
  tell(line);
  const button = Object.assign(document.createElement("button"), { type: "button", className: "plain", textContent: text("undo") });
  button.addEventListener("click", async () => { if (await undo()) tell(text("undone")); });
  $("#status").append(" ", button);
}

function show(ids, favourite) {
  for (const heart of $$(".heart")) if (ids.includes(Number(heart.dataset.id))) heart.setAttribute("aria-pressed", favourite);
}

async function mark(ids, favourite) {
  const answer = await send("/favourites", { pictures: ids, favourite });
  if (answer) show(answer.changed, favourite);
  return answer?.changed;
}

async function choose(submitter, ids, form) {
  const { name, value } = submitter;
  if (value.endsWith("favourite")) {
    const favourite = value === "favourite";
    const changed = await mark(ids, favourite);
    if (changed) done(text(value, { count: changed.length }), () => !changed.length || mark(changed, !favourite));
    return;
  }
  const undo = () => send("/albums/undo", {});
  const { name: field } = form.elements;
  if (name === "into") {
    const answer = await send(`/albums/${value}/pictures`, { pictures: ids });
    if (answer) done(text("into", { count: answer.changed.length, album: answer.album.name }), undo);
  } else {
    const answer = await send("/albums", { name: field.value, pictures: ids });
    if (!answer) return;
    done(text("into", { count: ids.length, album: answer.name }), undo);
    const entry = submitter.cloneNode();
    Object.assign(entry, { name: "into", value: answer.id, className: "", textContent: text("addTo", { album: answer.name }) });
    field.closest("li").after(document.createElement("li"));
    field.closest("li").nextSibling.append(entry);
    field.value = "";
  }
  $("#into").open = false;
  if (single) clear();
  single = false;
}

// One tile's button opens the albums for that tile alone.
let single = false;
document.addEventListener("click", ({ target }) => {
  const button = target.closest(".put");
  if (!button) return;
  clear();
  toggle($("a", button.closest(".hit")));
  single = true;
  $("#into").open = true;
  $("#into input").focus();
});

// In an album in its own order, pictures are moved by dragging, or by shift and an arrow.
let dragged = null;
const ordered = () => $("#grid[data-album]");
const marked = () => $$(".before, .after", ordered());

async function move(hit, next) {
  const grid = ordered();
  const was = hit.nextElementSibling;
  if (next === hit || next === was || (!next && $(".more"))) return;    // of a longer album the end is not here
  const put = (before) => { grid.insertBefore(hit, before); $("a", hit).focus(); };
  put(next);
  const answer = await send(`/albums/${grid.dataset.album}/pictures`, { pictures: [idOf(hit)], before: next && idOf(next) });
  if (!answer) return put(was);
  const undo = async () => {
    const undone = await send("/albums/undo", {});
    if (undone) put(was);
    return undone;
  };
  done(text("moved", { place: [...grid.children].indexOf(hit) + 1, count: answer.album.pictures }), undo);
}

// Moves the hit of a link one place on or back; returns whether pictures here have an order to change.
export function nudge(link, on) {
  const hit = ordered() && link.closest(".hit");
  const other = on ? hit?.nextElementSibling : hit?.previousElementSibling;
  if (other) move(hit, on ? other.nextElementSibling : other);
  return Boolean(hit);
}

const dropping = (event) => {
  const over = dragged && event.target.closest?.("[data-album] .hit");
  if (!over) return null;
  const { left, width } = over.getBoundingClientRect();
  return { over, after: event.clientX > left + width / 2 };
};
const unmark = () => { for (const one of marked()) one.classList.remove("before", "after"); };
const drags = {
  dragstart: (event) => { dragged = ordered() && event.target.closest(".hit"); },
  dragenter: () => {},
  dragover: (event) => {
    const place = dropping(event);
    if (!place) return;
    event.preventDefault();
    unmark();
    place.over.classList.add(place.after ? "after" : "before");
  },
  drop: (event) => {
    const place = dropping(event);
    if (!place) return;
    event.preventDefault();
    move(dragged, place.after ? place.over.nextElementSibling : place.over);
  },
  dragend: () => { unmark(); dragged = null; },
};
// A picture of the page carries a file too; what moves in an album is not searched with.
for (const [name, act] of Object.entries(drags)) {
  addEventListener(name, (event) => {
    act(event);
    if (dragged) event.stopImmediatePropagation();
  }, true);
}

document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if (submitter?.matches(".heart")) {
    event.preventDefault();
    event.stopImmediatePropagation();
    mark([Number(submitter.dataset.id)], submitter.getAttribute("aria-pressed") !== "true");
  } else if (form.id === "selection" && "here" in (submitter?.dataset ?? {})) {
    event.preventDefault();
    choose(submitter, new FormData(form).getAll("ids").map(Number), form);
  }
}, true);
