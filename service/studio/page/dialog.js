/** What dialogs have in common: a heading with the button that closes, and a form that says why it was refused. */
import { h, icon, setText } from "./dom.js";
import { refusalText } from "./reasons.js";

/** The head of a dialog, with its heading. */
export const dialogHead = (heading, onClose) =>
  h(
    "div",
    { class: "dialog-head" },
    heading,
    h(
      "button",
      { type: "button", class: "quiet icon-only", "aria-label": "Close", onclick: () => onClose() },
      icon("remove"),
    ),
  );

/**
 * Opens a dialog with a form, whose class is `name`. `notes` stand in its foot beside the button `submit`. What `onSubmit`
 * throws is shown there; else the dialog closes.
 */
export function openForm({ name, heading, body, notes = [], submit, onSubmit }) {
  const problem = h("p", { class: "field-problem", role: "alert" });
  const close = () => dialog.close();
  const form = h(
    "form",
    { onsubmit: send, novalidate: true },
    dialogHead(h("h2", { id: `${name}-title` }, heading), close),
    body,
    h("div", { class: "dialog-foot" }, h("div", { class: "grow" }, problem, notes), submit),
  );
  const dialog = h("dialog", { class: name, "aria-labelledby": `${name}-title` }, form);

  async function send(event) {
    event.preventDefault();
    submit.disabled = true;
    setText(problem, "");
    try {
      await onSubmit();
      close();
    } catch (error) {
      setText(problem, refusalText(error));
    } finally {
      submit.disabled = false;
    }
  }

  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
