// Favourites and albums without a new page: marks change in place, and a line says what was done, with Undo.

import { $, $$, complain, say, text } from "./dom.js";

const api = $("#words").dataset.api;

async function send(path, body) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const answer = await fetch(api + path, options).catch(() => null);
  const told = await answer?.json();
  if (!answer?.ok) complain(told?.detail ?? text("unreachable"));
  return answer?.ok ? told : null;
}

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
