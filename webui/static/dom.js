// Small helpers that every module shares.

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

export const results = () => $("#results");
export const hits = () => $$(".hit > a");

// Texts in the language of the page; the server gives them, as forms by number where something is counted.
const texts = JSON.parse($("#texts").textContent);
export const language = document.documentElement.lang;
const plurals = new Intl.PluralRules(language);

export const number = (value) => value.toLocaleString(language);

export function text(name, values = {}) {
  const known = texts[name] ?? name;
  const form = known[plurals.select(values.count ?? 0)] ?? known.other ?? known;
  return form.replace(/\{(\w+)\}/g, (_, key) => (typeof values[key] === "number" ? number(values[key]) : values[key]));
}

// Shows a message, to screen readers too.
export function say(text) {
  $("#status").textContent = text;
}

export function complain(text) {
  $(".alert")?.remove();
  const alert = document.createElement("div");
  const line = document.createElement("p");
  alert.className = "alert";
  alert.setAttribute("role", "alert");
  line.textContent = text;
  alert.append(line);
  ($("#viewer[open] .about") ?? results()).prepend(alert);
  alert.scrollIntoView({ block: "nearest" });
}

// Clicks for a new tab or window are left to the browser.
export const isPlain = (event) => !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey || event.button);
