/** The dialog that makes a project's clips with another model, resolution or sound. */
import { asCall, choiceFields } from "./choice.js";
import { openForm } from "./dialog.js";
import { h, setText } from "./dom.js";
import { askPrices, due, priced } from "./price.js";
import { plural } from "./words.js";
import { covering } from "./seconds.js";

const KEPT =
  "The clips you have are kept. Going back to their model costs nothing while frames and prompts stay the same.";

/** Opens the dialog for some scenes; `onMake` gets the choice, and may throw what is then shown. */
export function openRemake({ clips, config, projectId, current, scenes, onMake }) {
  let quotes = null;
  const fields = choiceFields(config.models, current, follow);
  const estimate = h("p", { class: "estimate", "aria-live": "polite" });
  const make = h("button", { class: "primary", type: "submit" }, "Make clips");
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

  const prices = askPrices(clips, config.models, show);
  openForm({
    name: "remake",
    heading: "Make with…",
    body: h("div", { class: "dialog-body" }, fields.element, h("p", { class: "muted" }, KEPT)),
    notes: [estimate],
    submit: make,
    onSubmit: () => onMake(asCall(fields.value)),
  });
  follow();
  fields.element.querySelector("select").focus();
}
