// Pictures that cannot be loaded: the large one falls back to the thumbnail, a tile shows a note.

import { $$, text } from "./dom.js";

function replace(image) {
  const { fallback } = image.dataset;
  if (fallback && !image.src.endsWith(fallback)) {
    image.srcset = "";
    image.src = fallback;
  } else if (image.closest(".frame")) {
    const note = document.createElement("span");
    note.className = "missing";
    note.textContent = text("missing");
    image.replaceWith(note);
  }
}

addEventListener("error", (event) => {
  if (event.target instanceof HTMLImageElement) replace(event.target);
}, true);
for (const image of $$("img")) if (image.complete && image.src && !image.naturalWidth) replace(image);
