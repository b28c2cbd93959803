/** A scene in the dialog that makes a video: its two frames, its prompt and its duration. */
import { covering, durationField, secondsText } from "./choice.js";
import { h, icon, setText } from "./dom.js";
import { frameSlot, swapFrames } from "./slots.js";

export const ENDS = ["first", "last"];

/**
 * Makes a scene, whose place is changed by `order`. `onChange` is called after each change of it; `remove(scene)` takes
 * it out, `moveFrame(slot, step)` changes the place of a frame.
 */
export function sceneDraft({ clips, config, choice, order, onChange, remove, moveFrame }) {
  const slot = (name) =>
    frameSlot({ clips, config, name, onChange: changed, onMove: moveFrame, takesDrops: () => !order.isDragging() });
  const scene = { first: slot("First frame"), last: slot("Last frame"), duration: 0, follow, label, restore };
  let labelled = 0;
  const id = `scene-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const number = h("span", { class: "draft-number" });
  const prompt = h("textarea", { id, rows: "3", placeholder: "What happens between the two frames?" });
  const durations = h("div", {});
  const otherSeconds = h("p", { class: "field-warning" });
  const { grip, up, down } = order.controls(scene);
  const removal = h(
    "button",
    { type: "button", class: "quiet icon-only", onclick: () => remove(scene) },
    icon("remove"),
  );
  const swap = h("button", { type: "button", class: "quiet", onclick: swapBoth }, icon("swap"), "Swap");
  scene.element = h(
    "li",
    { class: "draft" },
    h("div", { class: "draft-head" }, grip, number, h("span", { class: "grow" }), swap, up, down, removal),
    h(
      "div",
      { class: "draft-body" },
      h(
        "div",
        { class: "slots" },
        ENDS.map((end) => scene[end].element),
      ),
      h(
        "div",
        { class: "draft-text" },
        h("label", { for: id }, "Prompt"),
        prompt,
        h("div", { class: "duration" }, h("span", { "aria-hidden": "true" }, "Duration"), durations),
        otherSeconds,
      ),
    ),
  );
  Object.defineProperty(scene, "prompt", { get: () => prompt.value });

  function changed() {
    const { first, last } = scene;
    swap.disabled = Boolean(first.loading || last.loading || !(first.url || last.url));
    onChange();
  }

  function swapBoth() {
    swapFrames(scene.first, scene.last);
  }

  /** Offers the durations of the chosen model; what was wanted before stays wanted. */
  function follow() {
    const { durations_s: offered, prompt_limit: limit } = choice.model;
    if (limit) prompt.setAttribute("maxlength", limit);
    else prompt.removeAttribute("maxlength");
    durations.replaceChildren(
      durationField(offered, covering(scene.duration, offered), `${id}-duration`, (seconds) => {
        scene.duration = seconds;
        setText(otherSeconds, "");
        onChange();
      }),
    );
    setText(otherSeconds, secondsText(scene.duration, choice.model));
    labelled = 0;
  }

  /** Names the scene, and its own controls, after its place. */
  function label(position) {
    if (labelled === position) return;
    labelled = position;
    setText(number, `Scene ${position}`);
    removal.setAttribute("aria-label", `Remove scene ${position}`);
    swap.setAttribute("aria-label", `Swap frames of scene ${position}`);
    durations.firstChild.setAttribute("aria-label", `Duration of scene ${position}`);
    for (const end of ENDS) scene[end].label(`scene ${position}`);
  }

  /** Puts in what was kept of a scene. */
  function restore(kept) {
    prompt.value = kept.prompt;
    scene.duration = kept.duration;
    for (const end of ENDS) scene[end].restore(kept[end]);
    follow();
  }

  order.watchDrags(scene);
  follow();
  swap.disabled = true;
  return scene;
}

/** Whether anything was put into a scene. */
export const isBegun = ({ first, last, prompt }) =>
  Boolean(first.url || last.url || first.loading || last.loading || prompt.trim());
