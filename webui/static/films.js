// A film plays from the scene that is clicked; a film that the browser cannot play is shown by its frame.

import { $, $$ } from "./dom.js";

const player = () => $("#shown video");

function playFrom(link) {
  for (const other of $$("[data-time]", link.closest("ol"))) other.removeAttribute("aria-current");
  link.setAttribute("aria-current", "true");
  player().currentTime = Number(link.dataset.time);
  player().play().catch(() => {});    // the browser may not let it play, or cannot
}

// The film of a Live Photo takes the picture's place for as long as it lasts.
function playMotion(link) {
  const picture = $("#shown .stage img");
  const film = document.createElement("video");
  Object.assign(film, { src: link.href, muted: true, autoplay: true, playsInline: true });
  film.setAttribute("aria-label", picture.alt);
  for (const end of ["ended", "error"]) film.addEventListener(end, () => film.isConnected && film.replaceWith(picture));
  picture.replaceWith(film);
}

document.addEventListener("click", (event) => {
  const scene = event.target.closest("#shown [data-time]");
  const motion = event.target.closest("#shown [data-motion]");
  if (scene && player()) playFrom(scene);
  else if (motion && $("#shown .stage img")) playMotion(motion);
  else return;
  event.preventDefault();
});

document.addEventListener("error", ({ target }) => {
  if (!(target instanceof HTMLVideoElement) || !target.poster) return;
  const frame = document.createElement("img");
  Object.assign(frame, { src: target.poster, alt: target.getAttribute("aria-label") });
  target.replaceWith(frame);
}, true);
