// Find as you type: hits after a moment of rest, and completions from what is in the library.
//
// A request is sent for a text only once, and an answer is shown only while its text is the one in the field.

import { $, $$, number, text as told } from "./dom.js";
import { forget, recent, remember } from "./recent.js";
import { tell } from "./said.js";
import { asQuery, go, goLive, isLive, isSearch, onPage, stop, uploaded } from "./search.js";

const REST = 150;
const SHORTEST = 2;
const KEPT = 50;

const form = $("#words");
const field = form.elements.q;
const list = $("#completions");
const answers = new Map();    // by text
let timer = null;
let asked = null;             // what stops the request for completions
let options = [];             // of the list: { label, note, run }
let at = -1;

async function completions(text) {
  if (answers.has(text)) return answers.get(text);
  asked?.abort();
  asked = new AbortController();
  const response = await fetch(`${field.dataset.complete}?${new URLSearchParams({ q: text })}`, { signal: asked.signal });
  if (!response.ok) return null;
  const answer = await response.json();
  if (answers.size >= KEPT) answers.delete(answers.keys().next().value);
  answers.set(text, answer);
  return answer;
}

async function rested() {
  const text = field.value;
  if (!text.trim()) return close();
  try {
    const answer = await completions(text);
    if (!answer || field.value !== text || document.activeElement !== field) return;
    tell(answer.unknown, text);
    offer(answer, text);
    // Uploads would be sent with each letter, and other pages would be left.
    const searches = isSearch(location) && !uploaded().length && answer.text.trim().length >= SHORTEST;
    if (searches) await search(answer.text, () => field.value === text && document.activeElement === field);
  } catch (error) {
    if (error.name !== "AbortError") close();
  }
}

function search(text, isStillAsked) {
  const address = query(text, location.search);
  return address === onPage() ? null : goLive(address, isStillAsked);
}

// The address for these words, with the filters that are set.
function query(text, parameters) {
  const asked = new URLSearchParams(parameters);
  for (const name of ["limit", "offset", "verbatim", "q"]) asked.delete(name);
  return `${new URL(form.action).pathname}?${new URLSearchParams([["q", text.trim()], ...asked])}`;
}

const replaced = (text, word) => text.replace(/([-−–—－]?["“”„]?)[^\s"“”„]*$/u, `$1${word}`);

function offer({ completions: found, unknown }, text) {
  const corrections = unknown.filter(({ correction, end }) => correction && end < text.length).map(({ start, end, correction }) => ({
    label: correction, note: told("insteadOf", { word: text.slice(start, end) }),
    run: () => put(text.slice(0, start) + correction + text.slice(end)),
  }));
  const words = found.filter((one) => one.filter || one.text.toLowerCase() !== text.split(/\s/).at(-1).toLowerCase());
  const completed = words.map((one) => ({
    label: one.text, note: `${told(one.label)} · ${number(one.pictures)}`,
    run: () => (one.filter ? narrow(text, one.filter) : put(`${replaced(text, one.text)} `)),
  }));
  show([...corrections, ...completed]);
}

function offerRecent() {
  const texts = recent();
  if (!texts.length) return;
  const clear = { label: told("clearRecent"), note: told("thisDevice"), run: () => { forget(); close(); } };
  show([...texts.map((text) => ({ label: text, note: told("recent"), run: () => { put(text); form.requestSubmit(); } })), clear]);
}

function put(text) {
  field.value = text;
  field.setSelectionRange(text.length, text.length);
  field.dispatchEvent(new Event("input", { bubbles: true }));
  close();
}

// A filter takes the place of the word that was typed for it.
function narrow(text, { name, value }) {
  const before = replaced(text, "").trim();
  const parameters = new URLSearchParams(asQuery(form));
  parameters.set("q", before);
  parameters.append(name, value);
  if (!before) parameters.delete("q");
  leave();
  go(`${new URL(form.action).pathname}?${parameters}`, uploaded());
}

function show(offered) {
  options = offered;
  at = -1;
  list.replaceChildren(...offered.map(({ label, note }, number) => {
    const item = Object.assign(document.createElement("li"), { id: `completion-${number}`, role: "option" });
    item.setAttribute("aria-selected", "false");
    item.append(Object.assign(document.createElement("span"), { textContent: label }),
      Object.assign(document.createElement("small"), { textContent: note }));
    return item;
  }));
  list.hidden = !offered.length;
  field.setAttribute("aria-expanded", String(!list.hidden));
  field.removeAttribute("aria-activedescendant");
}

const close = () => show([]);

function leave() {
  clearTimeout(timer);
  asked?.abort();
  close();
}

function select(number) {
  at = number;
  for (const [place, item] of $$("li", list).entries()) item.setAttribute("aria-selected", String(place === at));
  at < 0 ? field.removeAttribute("aria-activedescendant") : field.setAttribute("aria-activedescendant", `completion-${at}`);
  if (at >= 0) list.children[at].scrollIntoView({ block: "nearest" });
}

const keys = {
  ArrowDown: () => select((at + 2) % (options.length + 1) - 1),
  ArrowUp: () => select((at + options.length + 1) % (options.length + 1) - 1),
  Escape: close,
  Tab: close,
};

field.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (list.hidden) {
    if (event.key !== "ArrowDown" || field.value) return;
    offerRecent();
    return list.hidden ? undefined : event.preventDefault();
  }
  if (event.key === "Enter" && at >= 0) {
    event.preventDefault();
    return options[at].run();
  }
  if (!(event.key in keys)) return;
  if (event.key !== "Tab") event.preventDefault();
  keys[event.key]();
});

field.addEventListener("input", () => {
  clearTimeout(timer);
  asked?.abort();
  if (isLive()) stop();    // The hits of what was typed before are not wanted any more.
  if (!field.value.trim()) return close();
  timer = setTimeout(rested, REST);
});
field.addEventListener("click", () => { if (!field.value && list.hidden) offerRecent(); });
field.addEventListener("blur", close);
list.addEventListener("pointerdown", (event) => event.preventDefault());    // The field keeps the focus.
list.addEventListener("click", ({ target }) => {
  const item = target.closest("li");
  if (item) options[[...list.children].indexOf(item)].run();
});
addEventListener("sent", () => {
  leave();
  remember(field.value);
});

Object.assign(field, { role: "combobox", ariaExpanded: "false", ariaAutoComplete: "list" });
field.setAttribute("aria-controls", list.id);
