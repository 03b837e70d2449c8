// Selecting hits: by checkbox, a range with shift, or x. The export form works without this file.

import { $, $$, text } from "./dom.js";

const boxes = () => $$(".tick input");
const chosen = () => boxes().filter((box) => box.checked);
let last = null;

function tell() {
  const count = $("#selection output");
  if (count) count.textContent = text("selected", { count: chosen().length });
}

export function toggle(link) {
  const box = $(".tick input", link.parentElement);
  box.checked = !box.checked;
  last = box;
  tell();
}

export function clear() {
  for (const box of chosen()) box.checked = false;
  tell();
}

document.addEventListener("click", (event) => {
  if (event.target.closest("#selection [type=reset]")) return setTimeout(tell);
  const box = event.target.closest(".tick input");
  if (!box) return;
  const all = boxes();
  const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((one, other) => one - other);
  if (event.shiftKey && from >= 0) for (const between of all.slice(from, to + 1)) between.checked = box.checked;
  last = box;
  tell();
});

addEventListener("shown", tell);
