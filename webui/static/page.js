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
  results().replaceWith($("#results", page));
  $(".hints")?.remove();
  const hints = $(".hints", page);
  if (hints) $(".top").append(hints);
  document.body.className = page.body.className;
  document.title = page.title;
  words.elements.q.value = $("#words input", page).value;
  scrollTo(0, 0);
  return true;
}

async function go(address, remember = true) {
  if (!show(await ask(address, {}, "Searching…"))) return;
  shown = null;
  if (remember) history.pushState(null, "", address);
}

function body(file, offset = 0) {
  const form = new FormData();
  form.set("offset", offset);
  form.set("image", file, "picture");
  return { method: "POST", body: form };
}

async function goPicture(file, remember = true) {
  if (file.size > Number(picture.dataset.maxBytes)) {
    complain(`The picture is too large: at most ${picture.dataset.max} can be uploaded.`);
    return;
  }
  if (!show(await ask("/", body(file), "Looking at your picture…"))) return;
  shown = file;
  if (remember) history.pushState({ picture: sent.push(file) - 1 }, "", "/");
}

async function more(button) {
  const offset = button.dataset.offset;
  const page = button.href
    ? await ask(button.href, {}, "Searching…")
    : await ask("/", body(shown, offset), "Searching…");
  if (!page) return;
  const fresh = [...page.querySelectorAll(".hit")];
  if (!fresh.length) return complain($(".alert", page)?.textContent.trim() ?? "There are no more pictures.");
  $(".grid").append(...fresh);
  $("[data-seen]").textContent = $("[data-seen]", page).textContent.replace(/^[\d,]+/, "1");
  const next = $(".more", page);
  next ? button.replaceWith(next) : button.remove();
  $("a", fresh[0]).focus({ preventScroll: true });
}

// The forms, links and the browser's buttons

words.addEventListener("submit", (event) => {
  event.preventDefault();
  words.elements.q.blur();
  go("/?" + new URLSearchParams({ q: words.elements.q.value }));
});

chooser.addEventListener("change", () => {
  if (chooser.files.length) goPicture(chooser.files[0]);
  chooser.value = "";
});

document.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target.closest(".hit > a, .more, .chips a, .query a, .brand, .empty a");
  if (!link) return;
  event.preventDefault();
  if (link.matches(".hit > a")) look(hits().indexOf(link.parentElement));
  else if (link.matches(".more")) more(link);
  else go(link.getAttribute("href"));
});

addEventListener("popstate", (event) => {
  const file = sent[event.state?.picture];
  file ? goPicture(file, false) : go(location.pathname + location.search, false);
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

async function similar() {
  try {
    const response = await fetch($("#viewer-file").href);
    if (!response.ok) throw new Error((await response.json()).detail);
    const file = await response.blob();
    viewer.close();
    await goPicture(file);
  } catch (error) {
    viewer.close();
    complain(error.message);
  }
}

const actions = { close: () => viewer.close(), previous: () => look(looking - 1), next: () => look(looking + 1), similar };

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
