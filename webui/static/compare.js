// Two copies over each other: a wipe shows the left one up to where the slider is.

import { $, $$ } from "./dom.js";

const dialog = $("#compare");
let copies = [];    // of the group that is compared: the file, the thumbnail, and the name of each

const copyOf = (link) => ({ file: link.dataset.file, thumbnail: $("img", link).src, name: link.dataset.name.split("/").at(-1) });

function show() {
  const { left, right, wipe } = $("form", dialog).elements;
  for (const [image, number] of [[$(".over", dialog), left.value], [$(".under", dialog), right.value]]) {
    const copy = copies[number];
    if (image.dataset.shown === copy.file) continue;
    Object.assign(image.dataset, { fallback: new URL(copy.thumbnail).pathname + new URL(copy.thumbnail).search, shown: copy.file });
    Object.assign(image, { src: copy.file, alt: copy.name });
  }
  $(".wipe", dialog).style.setProperty("--wipe", `${wipe.value}%`);
}

function open(group) {
  copies = $$("li > a", group).map(copyOf);
  for (const [number, select] of $$("select", dialog).entries()) {
    select.replaceChildren(...copies.map(({ name }, value) => new Option(name, value)));
    select.value = number;
  }
  show();
  dialog.showModal();
}

document.addEventListener("click", ({ target }) => { if (target.matches(".compare")) open(target.closest(".group")); });
dialog?.addEventListener("input", show);
dialog && $(".wipe", dialog).addEventListener("pointermove", (event) => {
  const { left, width } = event.currentTarget.getBoundingClientRect();
  $("form", dialog).elements.wipe.value = ((event.clientX - left) / width) * 100;
  show();
});
