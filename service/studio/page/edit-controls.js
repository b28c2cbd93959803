/**
 * What the dialog that edits a scene shows: its frames, texts and seconds. Each has an `id`, what is `stored`, its `value`,
 * `take` to change that, and says by `told` what a person had put in.
 */
import { durationField } from "./choice.js";
import { h } from "./dom.js";
import { covering, secondsText } from "./seconds.js";
import { FrameSlot } from "./slots.js";

const FRAMES = { first_frame: "First frame", last_frame: "Last frame" };
const ROWS = { description: 5, visual_action: 4 };
const LONG = 60;

/** The two frames; `onMove` is called when one shall go to the other's place. */
export function frameControls({ clips, config, base, onChange, onMove }) {
  return Object.entries(FRAMES).map(([id, name]) => {
    const slot = new FrameSlot({ clips, config, name, onChange, onMove });
    const stored = textAt(base.frames, id);
    if (stored) slot.keep(stored);
    slot.label(`scene ${base.key}`);
    return {
      id,
      slot,
      stored,
      element: h("div", {}, slot.element),
      told: () => "You chose another frame.",
      take: (frame) => slot.keep(frame),
      leave: () => slot.forget(),
      get value() {
        return slot.url;
      },
    };
  });
}

export const textId = ({ path }) => `edit-${path.join("-")}`;

/** A text of the scene; `note` is said below it. */
export function textControl(field, { limit, note, onChange }) {
  const { path, name, value: stored, isShort } = field;
  const id = textId(field);
  const rows = ROWS[path[0]] ?? (stored.length > LONG ? 3 : 1);
  const area = h("textarea", { id, rows, oninput: onChange, maxlength: limit });
  area.value = stored;
  return {
    id,
    stored,
    element: h(
      "div",
      { class: isShort ? "field short" : "field" },
      h("label", { for: id }, name),
      area,
      note && h("p", { class: "muted" }, note),
    ),
    told: (text) => `You typed: “${text}”`,
    take(text) {
      area.value = text;
    },
    leave() {},
    get value() {
      return area.value;
    },
  };
}

/** The seconds, of those that the model makes; `wanted` is what the scene asks for. */
export function secondsControl({ base, model, wanted, onChange }) {
  const stored = covering(wanted, model.durations_s);
  let chosen = stored;
  const place = h("div", {});

  function take(seconds) {
    chosen = seconds;
    const field = durationField(model.durations_s, chosen, "edit-seconds", (picked) => {
      chosen = picked;
      onChange();
    });
    field.setAttribute("aria-label", `Duration of scene ${base.key}`);
    place.replaceChildren(field);
  }

  take(stored);
  return {
    id: "seconds",
    stored,
    element: h(
      "div",
      {},
      h("div", { class: "duration" }, h("span", { "aria-hidden": "true" }, "Duration"), place),
      h("p", { class: "field-warning" }, secondsText(wanted, model)),
    ),
    told: (seconds) => `You chose ${seconds} s.`,
    take,
    leave() {},
    get value() {
      return chosen;
    },
  };
}

const textAt = (value, key) => (typeof value[key] === "string" ? value[key].trim() : "");
