// A slider beside each number from 0 to 1; the number is what is sent.

import { $$, text } from "./dom.js";

function add(number) {
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: number.min, max: number.max, step: number.step });
  slider.value = number.value || number.min;
  slider.setAttribute("aria-label", text("slider", { label: number.closest("label").firstChild.textContent.trim() }));
  slider.addEventListener("input", () => { number.value = slider.value; });
  number.addEventListener("input", () => { slider.value = number.value || number.min; });
  number.removeAttribute("data-slider");
  number.after(slider);
}

const addAll = () => $$("input[data-slider]").forEach(add);
addEventListener("shown", addAll);
addAll();
