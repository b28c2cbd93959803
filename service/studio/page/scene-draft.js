/** A scene in the dialog that makes a video: its two frames, its prompt and its duration. */
import { durationField } from "./choice.js";
import { ENDS } from "./create-model.js";
import { h, icon, setText } from "./dom.js";
import { covering, secondsText } from "./seconds.js";
import { FrameSlot, swapFrames } from "./slots.js";

const NAMES = { first: "First frame", last: "Last frame" };

/**
 * A scene, whose place is changed by `order`. `onChange` is called after each change of it; `remove(scene)` takes it out,
 * `moveFrame(slot, step)` changes the place of a frame.
 */
export class SceneDraft {
  duration = 0;
  #id = `scene-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  #number = h("span", { class: "draft-number" });
  #prompt = h("textarea", {
    id: this.#id,
    rows: "3",
    placeholder: "What happens between the two frames?",
  });
  #durations = h("div", {});
  #otherSeconds = h("p", { class: "field-warning" });
  #removal = h("button", { type: "button", class: "quiet icon-only" }, icon("remove"));
  #swap = h("button", { type: "button", class: "quiet", disabled: true }, icon("swap"), "Swap");
  #choice;
  #onChange;
  #labelled = 0;

  constructor({ clips, config, choice, order, onChange, remove, moveFrame }) {
    this.#choice = choice;
    this.#onChange = onChange;
    const slot = (name) =>
      new FrameSlot({
        clips,
        config,
        name,
        onChange: () => this.#framesChanged(),
        onMove: moveFrame,
        takesDrops: () => !order.isDragging(),
      });
    this.first = slot(NAMES.first);
    this.last = slot(NAMES.last);
    this.#removal.addEventListener("click", () => remove(this));
    this.#swap.addEventListener("click", () => swapFrames(this.first, this.last));
    this.element = this.#build(order.controls(this));
    order.watchDrags(this);
    this.follow();
  }

  get prompt() {
    return this.#prompt.value;
  }

  /** Offers the durations of the chosen model; what was wanted before stays wanted. */
  follow() {
    const { durations_s: offered, prompt_limit: limit } = this.#choice.model;
    if (limit) this.#prompt.maxLength = limit;
    else this.#prompt.removeAttribute("maxlength");
    const choose = (seconds) => {
      this.duration = seconds;
      setText(this.#otherSeconds, "");
      this.#onChange();
    };
    const chosen = covering(this.duration, offered);
    this.#durations.replaceChildren(durationField(offered, chosen, `${this.#id}-duration`, choose));
    setText(this.#otherSeconds, secondsText(this.duration, this.#choice.model));
    this.#labelled = 0;
  }

  /** Names the scene, and its own controls, after its place. */
  label(position) {
    if (this.#labelled === position) return;
    this.#labelled = position;
    setText(this.#number, `Scene ${position}`);
    this.#removal.setAttribute("aria-label", `Remove scene ${position}`);
    this.#swap.setAttribute("aria-label", `Swap frames of scene ${position}`);
    this.#durations.firstElementChild.setAttribute("aria-label", `Duration of scene ${position}`);
    for (const end of ENDS) this[end].label(`scene ${position}`);
  }

  /** Puts in what was kept of a scene. */
  restore(kept) {
    this.#prompt.value = kept.prompt;
    this.duration = kept.duration;
    for (const end of ENDS) this[end].restore(kept[end]);
    this.follow();
  }

  forget() {
    for (const end of ENDS) this[end].forget();
  }

  focus() {
    this.first.focus();
  }

  #framesChanged() {
    const { first, last } = this;
    this.#swap.disabled = Boolean(first.loading || last.loading || !(first.url || last.url));
    this.#onChange();
  }

  #build({ grip, up, down }) {
    const space = h("span", { class: "grow" });
    const duration = h("span", { "aria-hidden": "true" }, "Duration");
    const slots = ENDS.map((end) => this[end].element);
    const text = h(
      "div",
      { class: "draft-text" },
      h("label", { for: this.#id }, "Prompt"),
      this.#prompt,
      h("div", { class: "duration" }, duration, this.#durations),
      this.#otherSeconds,
    );
    return h(
      "li",
      { class: "draft" },
      h("div", { class: "draft-head" }, grip, this.#number, space, this.#swap, up, down, this.#removal),
      h("div", { class: "draft-body" }, h("div", { class: "slots" }, slots), text),
    );
  }
}
