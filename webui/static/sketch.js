// A sketch to search with, drawn by mouse, pen or finger; a chosen file is searched with at once.

import { $, complain, text } from "./dom.js";
import { go } from "./search.js";

const form = $("#sketch");
const canvas = $("canvas", form);
const pen = canvas.getContext("2d");
const strokes = [];    // each is a list of points in pixels of the canvas
let drawing = null;    // the pointer that draws

function paint() {
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, canvas.width, canvas.height);
  Object.assign(pen, { strokeStyle: "#000", lineWidth: 7, lineCap: "round", lineJoin: "round" });
  for (const [first, ...rest] of strokes) {
    pen.beginPath();
    pen.moveTo(...first);
    for (const point of rest.length ? rest : [first]) pen.lineTo(...point);
    pen.stroke();
  }
}

const point = ({ clientX, clientY }) => {
  const { left, top, width, height } = canvas.getBoundingClientRect();
  return [((clientX - left) / width) * canvas.width, ((clientY - top) / height) * canvas.height];
};

canvas.addEventListener("pointerdown", (event) => {
  if (drawing !== null || event.button) return;
  drawing = event.pointerId;
  canvas.setPointerCapture(drawing);
  strokes.push([point(event)]);
  paint();
});
canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== drawing) return;
  strokes.at(-1).push(point(event));
  paint();
});
for (const end of ["pointerup", "pointercancel"]) {
  canvas.addEventListener(end, (event) => { if (event.pointerId === drawing) drawing = null; });
}

const search = (file) => go(`${form.getAttribute("action")}?by=${form.elements.by.value}`, [{ file, unlike: false }]);

form.addEventListener("click", ({ target }) => {
  if (!target.dataset.do) return;
  target.dataset.do === "undo" ? strokes.pop() : strokes.splice(0);
  paint();
});
form.addEventListener("change", ({ target }) => { if (target.files?.length) search(target.files[0]); });
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!strokes.length) return complain(text("drawFirst"));
  canvas.toBlob(search, "image/png");
});

paint();
