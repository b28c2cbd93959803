/** What was just done and can be undone: said at the foot of the page, with a button, for a while. */
import { h, icon } from "./dom.js";
import { refusalText } from "./reasons.js";
import { toast } from "./toasts.js";

const SHOWN_MS = 20_000;

const place = document.getElementById("undo");

/**
 * Says what was done, and offers to undo it; gives a function that takes the offer back. Nobody loses the button while the
 * pointer or the focus is on it.
 */
export function offerUndo(text, onUndo) {
  let timer = 0;
  const undo = h("button", { type: "button", class: "primary", onclick: run }, "Undo");
  const close = h(
    "button",
    { type: "button", class: "quiet icon-only", "aria-label": "Dismiss", onclick: () => element.remove() },
    icon("remove"),
  );
  const element = h("div", { class: "undo-offer" }, h("p", { class: "grow" }, text), undo, close);

  async function run() {
    undo.disabled = true;
    try {
      await onUndo();
      element.remove();
    } catch (error) {
      undo.disabled = false;
      toast(refusalText(error), "failed");
    }
  }

  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(() => element.remove(), SHOWN_MS);
  };
  for (const name of ["pointerenter", "focusin"]) element.addEventListener(name, () => clearTimeout(timer));
  for (const name of ["pointerleave", "focusout"]) element.addEventListener(name, wait);
  // One at a time: what came before it has had its moment.
  place.replaceChildren(element);
  // A person who works by keyboard has lost their place with what is gone.
  if (!document.activeElement || document.activeElement === document.body) undo.focus();
  else wait();
  return () => element.remove();
}
