// Captions as evidence: for a word that is pointed at, the picture shows where the decoder looked as it said it. Also
// the search for a part of the picture that is shown.

import { $, $$, complain, language, text as told } from "./dom.js";
import { choosePart, cover } from "./part.js";
import { go } from "./search.js";
import { isOpen, shut } from "./viewer.js";

const DARKEST = 0.72;
let map = null;    // of the picture shown: { edge, words }

// Paints one value a cell, upsampled by the browser; what is not looked at gets dark.
function paint(canvas, { cells, seen }) {
  const small = Object.assign(document.createElement("canvas"), { width: map.edge, height: map.edge });
  const pixels = new ImageData(map.edge, map.edge);
  cells.forEach((level, cell) => { pixels.data[4 * cell + 3] = DARKEST * Math.min(1, 2 * seen) * (255 - level); });
  small.getContext("2d").putImageData(pixels, 0, 0);
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.imageSmoothingQuality = "high";
  // Half a cell at each side has no neighbour to blend with, so the map is drawn a little larger.
  pen.drawImage(small, 0, 0, canvas.width, canvas.height);
}

function look(button) {
  const stage = $("#shown .stage");
  for (const one of $$("#caption button")) one.setAttribute("aria-pressed", String(one === button));
  let canvas = $("canvas", stage);
  if (!button) return canvas?.remove();
  if (!canvas) {
    canvas = Object.assign(document.createElement("canvas"), { width: 512, height: 512, className: "seen" });
    canvas.setAttribute("aria-hidden", "true");
    stage.append(canvas);
  }
  cover(canvas, stage, $("img", stage));
  paint(canvas, map.words[button.dataset.word]);
}

function asButtons(title) {
  const text = map.caption;
  let at = 0;
  const nodes = [];
  map.words.forEach(({ start, end, seen }, number) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: text.slice(start, end) });
    Object.assign(button.dataset, { word: number });
    button.title = told("seen", { percent: seen.toLocaleString(language, { style: "percent" }) });
    nodes.push(text.slice(at, start), button);
    at = end;
  });
  title.replaceChildren(...nodes, text.slice(at));
  title.classList.add("evidence");
}

async function toggle(button) {
  const title = $("#caption");
  const on = button.getAttribute("aria-pressed") === "true";
  button.setAttribute("aria-pressed", String(!on));
  if (on) {
    look(null);
    title.replaceChildren(map.caption);
    title.classList.remove("evidence");
    return;
  }
  const response = await fetch(button.dataset.attention);
  const answer = await response.json();
  if (!response.ok) {
    button.setAttribute("aria-pressed", "false");
    return complain(`${answer.detail[0].toUpperCase()}${answer.detail.slice(1)}.`);
  }
  map = answer;
  asButtons(title);
  const most = map.words.reduce((best, one, number) => (one.seen > map.words[best].seen ? number : best), 0);
  look($$("button", title)[most]);
}

function part(button) {
  const shown = button.closest("#shown");
  const stage = $(".stage", shown);
  stage.scrollIntoView({ block: "nearest" });
  choosePart(stage, $("img", stage), (box) => {
    if (!box) return button.focus();
    const address = `${$("#words").getAttribute("action")}?like=${shown.dataset.id}&box=${box}`;
    if (!isOpen()) return location.assign(address);
    shut();
    go(address);
  });
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("#shown [data-do]");
  if (button?.dataset.do === "seen") toggle(button);
  if (button?.dataset.do === "part") part(button);
  const word = target.closest("#caption button");
  if (word) look(word);
});
for (const pointed of ["pointerover", "focusin"]) {
  document.addEventListener(pointed, ({ target }) => {
    const word = target.closest?.("#caption button");
    if (word) look(word);
  });
}
