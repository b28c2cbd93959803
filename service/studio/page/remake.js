/** The dialog that makes a project's clips with another model, resolution or sound. */
import { asCall, choiceFields, costText, covering } from "./choice.js";
import { h, icon, setText } from "./dom.js";
import { plural } from "./words.js";
import { refusalText } from "./reasons.js";

/** Opens the dialog for some scenes; `onMake` gets the choice, and may throw what is then shown. */
export function openRemake({ clips, config, current, scenes, onMake }) {
  let prices = [];
  const fields = choiceFields(config.models, current, update);
  const estimate = h("p", { class: "estimate", "aria-live": "polite" });
  const problem = h("p", { class: "field-problem", role: "alert" });
  const make = h("button", { class: "primary", type: "submit" }, `Make ${plural(scenes.length, "clip")}`);
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

  function update() {
    const durations = fields.model.durations_s;
    const seconds = scenes.reduce((sum, scene) => sum + covering(scene.duration, durations), 0);
    setText(estimate, costText(scenes.length, seconds, fields.value, prices, config.models));
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

  clips
    .estimates()
    .then((estimates) => {
      prices = estimates.prices;
      update();
    })
    // Without an estimate the dialog says that the price is not known.
    .catch(() => {});
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  update();
  dialog.showModal();
  fields.element.querySelector("select").focus();
}
