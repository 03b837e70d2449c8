// What a phone expects: a swipe leads to the next picture, two fingers or a double tap zoom, pictures are shared, the
// filters are a sheet, and the page can be installed.

import { $, complain, text } from "./dom.js";
import { step } from "./viewer.js";

const FAR = 48;        // pixels of a swipe
const MOST = 6;        // times
const DOUBLE = 300;    // milliseconds

const fingers = new Map();    // by pointer: where it is
let zoom = { scale: 1, x: 0, y: 0 };
let begun = null;             // the gesture: where the first finger came down, and how it was zoomed then
let tapped = 0;

const picture = () => $("#shown .stage > img");
const inStage = ({ target, pointerType }) => pointerType === "touch" && target.closest("#shown .stage") && !target.closest(".chooser, a, canvas");

function apply(image) {
  const most = { x: (zoom.scale - 1) * image.clientWidth / 2, y: (zoom.scale - 1) * image.clientHeight / 2 };
  for (const axis of ["x", "y"]) zoom[axis] = Math.min(Math.max(zoom[axis], -most[axis]), most[axis]);
  image.style.transform = zoom.scale > 1 ? `translate(${zoom.x}px, ${zoom.y}px) scale(${zoom.scale})` : "";
  image.parentElement.classList.toggle("zoomed", zoom.scale > 1);
  const { file } = image.dataset;
  if (!file || zoom.scale === 1) return;
  delete image.dataset.file;    // the preview stays until the file is there
  image.srcset = "";
  image.src = file;
}

const apart = () => {
  const [one, other] = [...fingers.values()];
  return Math.hypot(one.x - other.x, one.y - other.y);
};

addEventListener("pointerdown", (event) => {
  if (!inStage(event)) return;
  fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  if (picture().style.transform === "") zoom = { scale: 1, x: 0, y: 0 };    // another picture
  begun = { ...zoom, from: { x: event.clientX, y: event.clientY }, apart: fingers.size === 2 ? apart() : 0 };
});

addEventListener("pointermove", (event) => {
  const finger = fingers.get(event.pointerId);
  if (!finger) return;
  Object.assign(finger, { x: event.clientX, y: event.clientY });
  if (fingers.size === 2) zoom.scale = Math.min(Math.max(begun.scale * apart() / begun.apart, 1), MOST);
  else if (begun.scale > 1) Object.assign(zoom, { x: begun.x + finger.x - begun.from.x, y: begun.y + finger.y - begun.from.y });
  else return;
  apply(picture());
});

function lift(event) {
  const finger = fingers.get(event.pointerId);
  if (!finger) return;
  const alone = fingers.size === 1 && !begun.apart;
  fingers.delete(event.pointerId);
  if (!alone || event.type === "pointercancel") return;
  const [right, down] = [finger.x - begun.from.x, finger.y - begun.from.y];
  if (zoom.scale === 1 && Math.abs(right) > FAR && Math.abs(right) > 2 * Math.abs(down)) return step(right < 0 ? "next" : "previous");
  if (Math.hypot(right, down) > 10) return;
  if (event.timeStamp - tapped < DOUBLE) {
    zoom = { scale: zoom.scale > 1 ? 1 : 2.5, x: 0, y: 0 };
    apply(picture());
  }
  tapped = event.timeStamp;
}
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, lift);

async function share({ dataset: { file, name, title } }) {
  try {
    const answer = await fetch(file);
    const content = new File([await answer.blob()], name, { type: answer.headers.get("Content-Type") });
    const whole = { files: [content], title };
    await navigator.share(answer.ok && navigator.canShare?.(whole) ? whole : { title, url: location.href });
  } catch (error) {
    if (error.name !== "AbortError") complain(text("notShared"));
  }
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-do]");
  if (button?.dataset.do === "share") share(button);
  if (button?.dataset.do === "done") {
    const sheet = button.closest("details");
    sheet.open = false;
    $("summary", sheet).focus();
  }
});
$(".sections [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
document.documentElement.classList.toggle("shares", Boolean(navigator.share));

// The worker is no part of showing the page, so it comes last.
const scripts = new URL("./", import.meta.url).pathname;
const root = new URL($("#words").action).pathname;
addEventListener("load", () => {
  navigator.serviceWorker?.register(`${root}service-worker.js?v=${scripts.split("/").at(-2)}`).catch(() => { /* not encrypted */ });
});
