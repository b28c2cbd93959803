/** A scene in the dialog that makes a video: its two frames, its prompt and its duration. */
import { covering, durationField, secondsText } from "./choice.js";
import { h, icon, setText } from "./dom.js";
import { frameSlot, swapFrames } from "./slots.js";

export const ENDS = ["first", "last"];
// The scene that is being dragged to another place.
let dragged = null;

export const isSceneDragged = () => dragged !== null;

/**
 * Makes a scene. `onChange` is called after each change of it; `move(scene, step, focus)`, `place(scene, besides)` and
 * `remove(scene)` change its place, `moveFrame(slot, step)` that of a frame.
 */
export function sceneDraft({ clips, config, choice, onChange, move, place, remove, moveFrame }) {
  const slot = (name) =>
    frameSlot({ clips, config, name, onChange: changed, onMove: moveFrame, takesDrops: () => !dragged });
  const scene = { first: slot("First frame"), last: slot("Last frame"), duration: 0, follow, label, restore };
  let labelled = "";
  const id = `scene-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const number = h("span", { class: "draft-number" });
  const prompt = h("textarea", { id, rows: "3", placeholder: "What happens between the two frames?" });
  const durations = h("div", {});
  const otherSeconds = h("p", { class: "field-warning" });
  const quiet = (name, onclick) =>
    h("button", { type: "button", class: "quiet icon-only", onclick }, icon(name));
  const grip = h("button", { type: "button", class: "quiet icon-only grip", draggable: "true" }, icon("grip"));
  const up = quiet("up", () => move(scene, -1, up));
  const down = quiet("down", () => move(scene, 1, down));
  const removal = quiet("remove", () => remove(scene));
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
    labelled = "";
  }

  /** Names all controls after the scene's place among so many. */
  function label(position, count) {
    if (labelled === `${position} of ${count}`) return;
    labelled = `${position} of ${count}`;
    setText(number, `Scene ${position}`);
    grip.setAttribute("aria-label", `Move scene ${position}: drag, or press arrow up or down`);
    up.setAttribute("aria-label", `Move scene ${position} up`);
    down.setAttribute("aria-label", `Move scene ${position} down`);
    removal.setAttribute("aria-label", `Remove scene ${position}`);
    swap.setAttribute("aria-label", `Swap frames of scene ${position}`);
    durations.firstChild.setAttribute("aria-label", `Duration of scene ${position}`);
    up.disabled = position === 1;
    down.disabled = position === count;
    for (const end of ENDS) scene[end].label(`scene ${position}`);
  }

  /** Puts in what was kept of a scene. */
  function restore(kept) {
    prompt.value = kept.prompt;
    scene.duration = kept.duration;
    for (const end of ENDS) scene[end].restore(kept[end]);
    follow();
  }

  grip.addEventListener("keydown", (event) => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    move(scene, step, grip);
  });
  grip.addEventListener("dragstart", (event) => {
    dragged = scene;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setDragImage(scene.element, 20, 20);
    scene.element.classList.add("dragged");
  });
  grip.addEventListener("dragend", () => {
    dragged = null;
    scene.element.classList.remove("dragged");
  });
  scene.element.addEventListener("dragover", (event) => {
    if (!dragged || dragged === scene) return;
    event.preventDefault();
    place(dragged, scene);
  });
  follow();
  swap.disabled = true;
  return scene;
}

/** Whether anything was put into a scene. */
export const isBegun = ({ first, last, prompt }) =>
  Boolean(first.url || last.url || first.loading || last.loading || prompt.trim());
