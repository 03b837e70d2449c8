// Marks in the search field: excluded words as red chips, unknown ones underlined. The marks lie under the field's text.

import { $ } from "./dom.js";

const field = $("#words [name=q]");
const under = $("#said");
const EXCLUDED = /(?<=^|\s)[-−–—－](?:"[^"]*"?|[^\s"]+)/gu;
let unknown = [];    // { start, end } of the text that they were told for
let told = "";

const span = (text, kind) => Object.assign(document.createElement("span"), { textContent: text, className: kind });

export function mark() {
  const text = field.value;
  const still = told === text ? unknown : unknown.filter(({ start, end }) => text.slice(start, end) === told.slice(start, end));
  const pieces = [
    ...[...text.matchAll(EXCLUDED)].map((one) => ({ start: one.index, end: one.index + one[0].length, kind: "out" })),
    ...still.map((one) => ({ ...one, kind: "unknown" })),
  ].sort((one, other) => one.start - other.start);
  let at = 0;
  const nodes = [];
  for (const { start, end, kind } of pieces) {
    if (start < at) continue;
    nodes.push(text.slice(at, start), span(text.slice(start, end), kind));
    at = end;
  }
  under.replaceChildren(...nodes, text.slice(at));
  under.scrollLeft = field.scrollLeft;
}

// A word that is still being typed is not told to be unknown.
export function tell(words, text) {
  unknown = words.filter(({ end }) => end < text.length || document.activeElement !== field);
  told = text;
  mark();
}

for (const name of ["input", "scroll"]) field.addEventListener(name, mark);
addEventListener("shown", mark);
mark();
