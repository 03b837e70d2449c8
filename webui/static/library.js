// The progress of indexing, as the server sends it; at the end the page reloads.

import { $, $$ } from "./dom.js";

const progress = $("#progress");

function span(seconds) {
  const [unit, length] = [["hour", 3600], ["minute", 60], ["second", 1]].find(([, each]) => seconds >= 1.5 * each || each === 1);
  const count = Math.max(1, Math.round(seconds / length));
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

function show({ encoded, total, state, rate, seconds_left: left }) {
  if (total) {
    Object.assign($("progress", progress), { max: total, value: encoded });
    const parts = [`${encoded.toLocaleString("en")} of ${total.toLocaleString("en")} file${total === 1 ? "" : "s"}`];
    if (rate) parts.push(`${Number(rate.toPrecision(3))} per second`);
    if (left) parts.push(`${span(left)} left`);
    $("#progress-line").textContent = parts.join(", ");
  }
  if (state === "stopping") $("h2", progress).textContent = "Stopping…";
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
