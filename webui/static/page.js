// Searches without reloading the page. All markup comes from the server: an answer is the same page, and its
// parts are put in place here. Without this file every search but drop and paste still works.

const $ = (selector, root = document) => root.querySelector(selector);
const words = $("#words");
const picture = $("#picture");
const chooser = picture.elements.image;
const status = $("#status");
const viewer = $("#viewer");
const results = () => $("#results");

const sent = [];        // pictures searched with, by the number kept in the browser's history
let shown = null;       // the picture whose hits are on the page
let running = null;     // the search under way
let looking = -1;       // index of the hit in the viewer

// Asking the server

async function ask(address, options, note) {
  running?.abort();
  const mine = running = new AbortController();
  results().setAttribute("aria-busy", "true");
  status.textContent = note;
  try {
    const response = await fetch(address, { ...options, signal: mine.signal });
    const text = await response.text();
    if (response.headers.get("Content-Type")?.startsWith("text/html")) {
      return new DOMParser().parseFromString(text, "text/html");
    }
    complain(JSON.parse(text).detail);
  } catch (error) {
    if (!mine.signal.aborted) complain("The server does not answer. Is Retroflex still running?");
  } finally {
    if (running === mine) {
      results().removeAttribute("aria-busy");
      status.textContent = "";
    }
  }
  return null;
}

function complain(text) {
  $(".alert")?.remove();
  const alert = document.createElement("div");
  const line = document.createElement("p");
  alert.className = "alert";
  alert.setAttribute("role", "alert");
  line.textContent = text;
  alert.append(line);
  results().prepend(alert);
  scrollTo(0, 0);
}

function show(page) {
  if (!page) return false;
  const message = $(".alert", page);
  if (message) {
    complain(message.textContent.trim());
    return false;
  }
  if (viewer.open) viewer.close();
  const lost = results().contains(document.activeElement);
  results().replaceWith($("#results", page));
  $("#kept").replaceWith($("#kept", page));
  if (lost) results().focus();
  $(".hints")?.remove();
  const hints = $(".hints", page);
  if (hints) $(".top").append(hints);
  document.body.className = page.body.className;
  document.title = page.title;
  words.elements.q.value = $("#words input", page).value;
  scrollTo(0, 0);
  return true;
}

// The address holds the query, all but a picture's file: that is sent beside it, for as long as it is on the page.
async function go(address, remember = true, file = null) {
  const note = file ? "Looking at your picture…" : "Searching…";
  if (!show(await send(address, file, note))) return;
  shown = file;
  if (!remember) return;
  history.pushState(file && { picture: sent.push(file) - 1 }, "", address);
}

function send(address, file, note) {
  if (!file) return ask(address, {}, note);
  const form = new FormData();
  for (const [name, value] of new URL(address, location).searchParams) form.append(name, value);
  form.set("image", file, "picture");
  return ask("/", { method: "POST", body: form }, note);
}

function goPicture(file) {
  if (file.size > Number(picture.dataset.maxBytes)) {
    complain(`The picture is too large: at most ${picture.dataset.max} can be uploaded.`);
    return;
  }
  go("/", true, file);
}

async function more(link) {
  const page = await send(link.getAttribute("href") ?? link.dataset.address, shown, "Searching…");
  if (!page) return;
  const fresh = [...page.querySelectorAll(".hit")];
  if (!fresh.length) return complain($(".alert", page)?.textContent.trim() ?? "There are no more pictures.");
  $(".grid").append(...fresh);
  $("[data-seen]").textContent = $("[data-seen]", page).textContent.replace(/^[\d,]+/, "1");
  const next = $(".more", page);
  next ? link.replaceWith(next) : link.remove();
  $("a", fresh[0]).focus({ preventScroll: true });
}

// The forms, links and the browser's buttons

words.addEventListener("submit", (event) => {
  event.preventDefault();
  words.elements.q.blur();
  go("/?" + new URLSearchParams(new FormData(words)), true, shown);
});

chooser.addEventListener("change", () => {
  if (chooser.files.length) goPicture(chooser.files[0]);
  chooser.value = "";
});

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest(".hit > a, .more, .steer a, .summary a, .chosen a, .chips a, .query a, .brand, .empty a");
  if (!link) return;
  event.preventDefault();
  if (link.matches(".hit > a")) look(hits().indexOf(link.parentElement));
  else if (link.matches(".more")) more(link);
  else {
    if (viewer.open) viewer.close();
    go(link.getAttribute("href"), true, link.matches("[data-keep]") ? shown : null);
  }
});

addEventListener("popstate", (event) => {
  const file = sent[event.state?.picture] ?? null;
  go(location.pathname + location.search, false, file);
});

// A picture dropped or pasted anywhere

let depth = 0;
const carriesFile = (event) => event.dataTransfer?.types.includes("Files");
const hover = (change) => { depth = Math.max(0, depth + change); $("#drop").hidden = depth === 0; };

addEventListener("dragenter", (event) => { if (carriesFile(event)) hover(1); });
addEventListener("dragleave", (event) => { if (carriesFile(event)) hover(-1); });
addEventListener("dragover", (event) => { if (carriesFile(event)) event.preventDefault(); });
addEventListener("drop", (event) => {
  if (!carriesFile(event)) return;
  event.preventDefault();
  hover(-depth);
  if (event.dataTransfer.files.length) goPicture(event.dataTransfer.files[0]);
});
addEventListener("paste", (event) => {
  const file = event.clipboardData?.files[0];
  if (!file) return;
  event.preventDefault();
  goPicture(file);
});

// The viewer

const hits = () => [...document.querySelectorAll(".hit")];

function look(index) {
  const hit = hits()[index];
  if (!hit) return;
  looking = index;
  const image = $("#viewer-image");
  image.dataset.fallback = $("a > img", hit)?.src ?? "";
  image.src = $("a", hit).href;
  image.alt = $(".caption", hit).textContent;
  $("#viewer-about").replaceChildren(document.importNode($("template", hit).content, true));
  $("#viewer-file").href = $("a", hit).href;
  $("[data-do=previous]").disabled = index === 0;
  $("[data-do=next]").disabled = index === hits().length - 1;
  if (!viewer.open) viewer.showModal();
}

const actions = { close: () => viewer.close(), previous: () => look(looking - 1), next: () => look(looking + 1) };

viewer.addEventListener("click", (event) => {
  if (event.target === viewer) viewer.close();
  actions[event.target.closest("[data-do]")?.dataset.do]?.();
});
viewer.addEventListener("close", () => {
  $("#viewer-image").removeAttribute("src");
  hits()[looking]?.querySelector("a").focus();
});

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (viewer.open && event.key === "ArrowLeft") actions.previous();
  else if (viewer.open && event.key === "ArrowRight") actions.next();
  else if (event.key === "/" && !viewer.open && !event.target.matches("input")) {
    event.preventDefault();
    words.elements.q.select();
  }
});

// A picture that cannot be shown: the viewer falls back to the thumbnail (browsers know no HEIC or TIFF).

addEventListener("error", (event) => {
  const image = event.target;
  if (!(image instanceof HTMLImageElement)) return;
  if (image.id === "viewer-image") {
    if (image.dataset.fallback && image.src !== image.dataset.fallback) image.src = image.dataset.fallback;
  } else if (image.closest(".hit")) {
    const note = document.createElement("span");
    note.className = "missing";
    note.textContent = "The file of this picture is gone";
    image.replaceWith(note);
  }
}, true);
