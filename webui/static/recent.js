// Recent searches, on this device only; nothing of them is sent, and they can be cleared.

const NAME = "retroflex.recent";
const MOST = 8;

export function recent() {
  try {
    const stored = JSON.parse(localStorage.getItem(NAME) ?? "[]");
    return Array.isArray(stored) ? stored.filter((one) => typeof one === "string") : [];
  } catch {
    return [];  // A private window may have no storage.
  }
}

export function remember(text) {
  const words = text.trim();
  if (!words) return;
  try {
    const others = recent().filter((one) => one.toLowerCase() !== words.toLowerCase());
    localStorage.setItem(NAME, JSON.stringify([words, ...others].slice(0, MOST)));
  } catch { /* as above */ }
}

export function forget() {
  try {
    localStorage.removeItem(NAME);
  } catch { /* as above */ }
}

// Log-out clears what the server cannot tell browsers to clear on lines that are not encrypted.
document.addEventListener("submit", ({ target }) => {
  if (!target.matches("[data-logout]")) return;
  forget();
  indexedDB.deleteDatabase("retroflex");
});
