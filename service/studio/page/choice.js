/** What clips are made with: model, resolution, sound, seconds. */
import { h } from "./dom.js";

// More than these do not fit beside each other.
const MOST_SEGMENTS = 4;

/** The fields of a choice. `onChange` is called after each change; `value` and `model` say what is chosen, `choose` changes it. */
export function choiceFields(models, current, onChange) {
  const chosen = { ...current };
  const id = `choice-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const model = h("select", { id: `${id}-model`, onchange: changeModel });
  const resolution = h("select", { id: `${id}-resolution`, onchange: changeRest });
  const sound = h("input", { id: `${id}-sound`, type: "checkbox", role: "switch", onchange: changeRest });
  const resolutionField = field("Resolution", resolution);
  const soundField = h(
    "div",
    { class: "field sound" },
    h("label", { for: sound.id }, "Sound"),
    h("span", { class: "switch" }, sound),
  );
  const element = h(
    "div",
    { class: "choice", role: "group", "aria-label": "What the clips are made with" },
    field("Model", model),
    resolutionField,
    soundField,
  );

  // One that was chosen earlier and is not allowed any more gives way to the default.
  const found = (air) =>
    models.find((one) => one.air === air) ?? models.find((one) => one.default) ?? models[0];

  function changeModel() {
    chosen.model = model.value;
    show();
    onChange();
  }

  function changeRest() {
    chosen.resolution = resolution.value;
    chosen.audio = sound.checked;
    onChange();
  }

  function show() {
    const one = found(chosen.model);
    chosen.model = one.air;
    if (!one.resolutions.includes(chosen.resolution)) chosen.resolution = one.default_resolution;
    model.replaceChildren(...models.map(({ air, name }) => option(air, name, air === one.air)));
    resolution.replaceChildren(
      ...one.resolutions.map((name) => option(name, name, name === chosen.resolution)),
    );
    resolutionField.hidden = !one.resolutions.length;
    soundField.hidden = !one.sound;
    sound.checked = one.sound && chosen.audio;
  }

  show();
  return {
    element,
    choose(wanted) {
      Object.assign(chosen, wanted);
      show();
      onChange();
    },
    get model() {
      return found(chosen.model);
    },
    get value() {
      const one = found(chosen.model);
      return { model: one.air, resolution: chosen.resolution, audio: one.sound && Boolean(chosen.audio) };
    },
  };
}

/** What a choice is before anyone has changed it. */
export function defaultChoice(models) {
  const { air, default_resolution: resolution, default_audio: audio } = models.find((one) => one.default);
  return { model: air, resolution, audio };
}

/** The same as the client takes it: a model without resolutions is told none. */
export const asCall = ({ resolution, ...rest }) => (resolution ? { ...rest, resolution } : rest);

/** A choice of seconds: side by side where they are few, else in a list. */
export function durationField(offered, chosen, name, onChange) {
  if (offered.length > MOST_SEGMENTS) {
    const select = h(
      "select",
      {},
      offered.map((seconds) => h("option", { value: seconds, selected: seconds === chosen }, `${seconds} s`)),
    );
    select.addEventListener("change", () => onChange(Number(select.value)));
    return select;
  }
  const segments = offered.map((seconds) => {
    const radio = h("input", { type: "radio", name, value: seconds, checked: seconds === chosen });
    radio.addEventListener("change", () => onChange(seconds));
    return h("label", {}, radio, h("span", {}, `${seconds} s`));
  });
  return h("div", { class: "segments", role: "radiogroup" }, segments);
}

const field = (name, control) => h("div", { class: "field" }, h("label", { for: control.id }, name), control);
const option = (value, text, selected) => h("option", { value, selected }, text);
