// Pictures to search with: chosen, photographed, dropped or pasted; each is a chip in the bar, to be like or unlike.

import { $, complain, text } from "./dom.js";
import { choosePart } from "./part.js";
import { go, isSearch, uploaded } from "./search.js";

const form = $("#picture");
const words = $("#words");

// The query of the bar and the address, to which a picture is added.
const address = () => {
  const query = new URLSearchParams(isSearch(location) ? location.search : "");
  for (const name of ["limit", "offset", "q", "box", "face", "face_number"]) query.delete(name);
  const typed = words.elements.q.value.trim();
  if (typed) query.set("q", typed);
  return `${words.getAttribute("action")}?${query}`;
};

function add(files) {
  const pictures = [...uploaded(), ...[...files].map((file) => ({ file, unlike: false }))];
  const bytes = pictures.reduce((sum, one) => sum + one.file.size, 0);
  if (bytes > Number(form.dataset.maxBytes)) {
    complain(text("tooLarge", { most: form.dataset.max }));
  } else if (files.length) {
    go(address(), pictures);
  }
}

const changes = {
  drop: (pictures, index) => pictures.toSpliced(index, 1),
  turn: (pictures, index) => pictures.with(index, { ...pictures[index], unlike: !pictures[index].unlike }),
};

// The chips show pictures to be like first, in whatever order they were added.
$(".bar").addEventListener("click", (event) => {
  const button = event.target.closest("[data-upload] button");
  if (!button) return;
  if (button.dataset.do === "part") return partOfUpload($("img", button.parentElement));
  const listed = [...uploaded()].sort((one, other) => one.unlike - other.unlike);
  const index = Number(button.closest("[data-upload]").dataset.upload);
  go(address(), changes[button.dataset.do](listed, index));
});

// Chooses a part of the first uploaded picture, in a window of its own.
function partOfUpload(preview) {
  const dialog = $("#part");
  const shown = preview.cloneNode();
  for (const side of ["width", "height"]) shown.removeAttribute(side);
  $(".stage", dialog).replaceChildren(shown);
  dialog.showModal();
  choosePart($(".stage", dialog), shown, (box) => {
    dialog.close();
    if (box) go(`${address()}&box=${box}`, uploaded());
  });
}

form.addEventListener("change", (event) => {
  add(event.target.files);
  event.target.value = "";
});

// A picture dropped or pasted anywhere

let depth = 0;
const carriesFile = (event) => event.dataTransfer?.types.includes("Files");
const hover = (change) => {
  depth = Math.max(0, depth + change);
  $("#drop").hidden = depth === 0;
};

addEventListener("dragenter", (event) => { if (carriesFile(event)) hover(1); });
addEventListener("dragleave", (event) => { if (carriesFile(event)) hover(-1); });
addEventListener("dragover", (event) => { if (carriesFile(event)) event.preventDefault(); });
addEventListener("drop", (event) => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  hover(-depth);
  add(event.dataTransfer.files);
});
addEventListener("paste", (event) => {
  if (!event.clipboardData?.files.length) return;
  event.preventDefault();
  add(event.clipboardData.files);
});
