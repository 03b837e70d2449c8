// The progress of indexing, as the server sends it; at the end the page reloads.

import { $ } from "./dom.js";

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

if (progress) {
  const events = new EventSource(progress.dataset.events);
  events.addEventListener("progress", ({ data }) => show(JSON.parse(data)));
  events.addEventListener("end", () => {
    events.close();
    location.reload();
  });
}
