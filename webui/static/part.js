// A part of a picture, chosen by dragging a box over it, or by the arrow keys (with shift its size).

import { $, text } from "./dom.js";

const STEP = 0.02;
const LEAST = 0.05;

const within = (value, low, high) => Math.min(Math.max(value, low), high);

// Where an image is painted inside its element, which it fits into as a whole.
export function painted(image) {
  const { left, top, width, height } = image.getBoundingClientRect();
  const own = (image.naturalWidth || 1) / (image.naturalHeight || 1);
  const [wide, high] = own > width / height ? [width, width / own] : [height * own, height];
  return { left: left + (width - wide) / 2, top: top + (height - high) / 2, width: wide, height: high };
}

// Lays an element over the image, in pixels of the stage.
export function cover(element, stage, image) {
  const place = painted(image);
  const { left, top } = stage.getBoundingClientRect();
  Object.assign(element.style, {
    left: `${place.left - left}px`, top: `${place.top - top}px`, width: `${place.width}px`, height: `${place.height}px`,
  });
}

// Lets a person choose; `done` gets "left,top,right,bottom" in shares, null where they leave it.
export function choosePart(stage, image, done) {
  $(".chooser", stage)?.remove();
  const chooser = document.createElement("div");
  chooser.className = "chooser";
  chooser.innerHTML = `<div class="box" tabindex="0" role="application"></div>
    <p class="acts"><button class="button main" type="button"></button><button class="button" type="button"></button></p>`;
  const frame = $(".box", chooser);
  const [search, cancel] = chooser.querySelectorAll("button");
  frame.setAttribute("aria-label", text("part"));
  [search.textContent, cancel.textContent] = [text("searchPart"), text("cancel")];
  let box = [0.25, 0.25, 0.75, 0.75];
  let from = null;

  function show() {
    const [left, top, right, bottom] = box.map((share) => 100 * share);
    Object.assign(frame.style, { left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%` });
  }
  const at = ({ clientX, clientY }) => {
    const { left, top, width, height } = chooser.getBoundingClientRect();
    return [within((clientX - left) / width, 0, 1), within((clientY - top) / height, 0, 1)];
  };
  function end(chosen) {
    removeEventListener("resize", place);
    chooser.remove();
    done(chosen && box.map((share) => Number(share.toFixed(4))).join(","));
  }
  const place = () => cover(chooser, stage, image);

  chooser.addEventListener("pointerdown", (event) => {
    if (event.target.closest("button") || event.button) return;
    event.preventDefault();
    chooser.setPointerCapture(event.pointerId);
    from = at(event);
  });
  chooser.addEventListener("pointermove", (event) => {
    if (!from) return;
    const to = at(event);
    const [left, right] = [from[0], to[0]].sort((one, other) => one - other);
    const [top, bottom] = [from[1], to[1]].sort((one, other) => one - other);
    if (right - left >= LEAST && bottom - top >= LEAST) box = [left, top, right, bottom];
    show();
  });
  for (const over of ["pointerup", "pointercancel"]) chooser.addEventListener(over, () => { from = null; });
  chooser.addEventListener("keydown", (event) => {
    event.stopPropagation();    // The arrows do not lead to another picture.
    if (event.key === "Escape") event.preventDefault();
    if (event.key === "Escape") return end(false);
    if (event.key === "Enter" && event.target === frame) return end(true);
    const [x, y] = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[event.key] ?? [];
    if (x === undefined) return;
    event.preventDefault();
    const [left, top, right, bottom] = box;
    box = event.shiftKey
      ? [left, top, within(right + x, left + LEAST, 1), within(bottom + y, top + LEAST, 1)]
      : [within(left + x, 0, 1 - right + left), within(top + y, 0, 1 - bottom + top), 0, 0]
        .map((value, side, moved) => (side < 2 ? value : moved[side - 2] + [right - left, bottom - top][side - 2]));
    show();
  });
  search.addEventListener("click", () => end(true));
  cancel.addEventListener("click", () => end(false));
  addEventListener("resize", place);
  stage.append(chooser);
  image.complete ? place() : image.addEventListener("load", place, { once: true });
  show();
  frame.focus({ preventScroll: true });
}
