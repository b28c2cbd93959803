/** The dialog that makes a project's clips with another model, resolution or sound. */
import { asCall, choiceFields } from "./choice.js";
import { h, icon, setText } from "./dom.js";
import { askPrices, due, priced } from "./price.js";
import { plural } from "./words.js";
import { refusalText } from "./reasons.js";
import { covering } from "./seconds.js";

/** Opens the dialog for some scenes; `onMake` gets the choice, and may throw what is then shown. */
export function openRemake({ clips, config, projectId, current, scenes, onMake }) {
  let quotes = null;
  const fields = choiceFields(config.models, current, follow);
  const estimate = h("p", { class: "estimate", "aria-live": "polite" });
  const problem = h("p", { class: "field-problem", role: "alert" });
  const make = h("button", { class: "primary", type: "submit" }, "Make clips");
  const dialog = h(
    "dialog",
    { class: "remake", "aria-labelledby": "remake-title" },
    h(
      "form",
      { onsubmit: send },
      h(
        "div",
        { class: "dialog-head" },
        h("h2", { id: "remake-title" }, "Make with…"),
        h(
          "button",
          { type: "button", class: "quiet icon-only", "aria-label": "Close", onclick: () => dialog.close() },
          icon("remove"),
        ),
      ),
      h(
        "div",
        { class: "dialog-body" },
        fields.element,
        h(
          "p",
          { class: "muted" },
          "The clips you have are kept. Going back to their model costs nothing while frames and prompts stay the same.",
        ),
      ),
      h("div", { class: "dialog-foot" }, h("div", { class: "grow" }, problem, estimate), make),
    ),
  );

  /** Has what is chosen quoted: only the service knows what of it is paid. */
  async function follow() {
    const choice = asCall(fields.value);
    quotes = null;
    show();
    const found = await clips.quotes(projectId, choice).catch(() => null);
    if (JSON.stringify(choice) !== JSON.stringify(asCall(fields.value))) return;
    quotes = found && scenes.map((scene) => found.quotes[scene.key]).filter(Boolean);
    show();
  }

  function show() {
    const count = `Make ${plural(scenes.length, "clip")}`;
    setText(make, quotes ? priced(count, due(quotes)) : count);
    const { durations_s: durations } = fields.model;
    const seconds = quotes
      ? quotes.filter((quote) => !quote.paid).map((quote) => quote.duration_s)
      : scenes.map((scene) => covering(scene.duration, durations));
    const sum = seconds.reduce((one, other) => one + other, 0);
    const text = sum ? prices.text(seconds.length, sum, fields.value) : "These clips are paid already.";
    setText(estimate, text);
  }

  async function send(event) {
    event.preventDefault();
    make.disabled = true;
    setText(problem, "");
    try {
      await onMake(asCall(fields.value));
      dialog.close();
    } catch (error) {
      setText(problem, refusalText(error));
    } finally {
      make.disabled = false;
    }
  }

  const prices = askPrices(clips, config.models, show);
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  follow();
  dialog.showModal();
  fields.element.querySelector("select").focus();
}
