// The progress of indexing, as the server sends it; at the end the page reloads.

import { $, $$, language, number, text } from "./dom.js";

const progress = $("#progress");

function span(seconds) {
  const [unit, length] = [["hour", 3600], ["minute", 60], ["second", 1]].find(([, each]) => seconds >= 1.5 * each || each === 1);
  return Math.max(1, Math.round(seconds / length)).toLocaleString(language, { style: "unit", unit, unitDisplay: "long" });
}

function show({ encoded, total, state, rate, seconds_left: left, faces_done: searched, faces_total: faces }) {
  if (total || faces) {
    const [done, count] = faces ? [searched, faces] : [encoded, total];
    Object.assign($("progress", progress), { max: count, value: done });
    const parts = [text("done", { done, count })];
    if (rate) parts.push(text("rate", { rate: Number(rate.toPrecision(3)) }));
    if (left) parts.push(text("left", { time: span(left) }));
    const told = parts.join(", ");
    $("#progress-line").textContent = faces ? text("faces", { progress: told }) : told;
  }
  if (state === "stopping") $("h2", progress).textContent = text("stopping");
}

// The pictures that were captioned last, as the server shows them; asked for again once the last answer is there.
let counted = 0;
let asking = false;

async function showFresh({ encoded }) {
  const fresh = $("#fresh");
  if (asking || encoded === counted) return;
  [asking, counted] = [true, encoded];
  try {
    const page = new DOMParser().parseFromString(await (await fetch(fresh.dataset.from)).text(), "text/html");
    const shown = new Map($$("img", fresh).map((image) => [image.getAttribute("src"), image.closest("li")]));
    const tiles = $$(".hit", page).map((tile) => shown.get($("img", tile).getAttribute("src")) ?? tile);
    for (const part of $$(".tick, .steer", page)) part.remove();
    fresh.replaceChildren(...tiles);
  } catch { /* The next event asks again. */ }
  asking = false;
}

if (progress) {
  const events = new EventSource(progress.dataset.events);
  events.addEventListener("progress", ({ data }) => {
    show(JSON.parse(data));
    showFresh(JSON.parse(data));
  });
  events.addEventListener("end", () => {
    events.close();
    location.reload();
  });
}
