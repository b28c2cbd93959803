/** One short message at a time, in the header's own space or right below it, read out politely. */
import { h } from "./dom.js";

const SHOWN_MS = 6_000;
// So that a message can be read before the next one takes its place.
const AT_LEAST_MS = 1_800;
const MOST_WAITING = 3;

const place = document.getElementById("toast");
// Beside the text that is read out, not in it.
const close = document.getElementById("toast-close");
const waiting = [];
let shownAt = 0;
let timer = 0;

/** Shows a message; `tone` is "info", "done" or "failed". */
export function toast(text, tone = "info") {
  waiting.push({ text, tone });
  // What is old news by now is left out.
  if (waiting.length > MOST_WAITING) waiting.shift();
  const wait = Math.max(0, shownAt + AT_LEAST_MS - Date.now());
  clearTimeout(timer);
  timer = setTimeout(next, wait);
}

close.addEventListener("click", () => {
  clearTimeout(timer);
  next();
});

function next() {
  const message = waiting.shift();
  close.hidden = !message;
  if (!message) {
    place.replaceChildren();
    return;
  }
  shownAt = Date.now();
  place.replaceChildren(h("span", { class: `toast-text tone-${message.tone}` }, message.text));
  timer = setTimeout(next, waiting.length ? AT_LEAST_MS : SHOWN_MS);
}
