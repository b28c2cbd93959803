/** The dialog that edits a scene, or adds one: its frames, the texts of its prompt, its seconds. */
import { closing } from "./closing.js";
import { frameControls, secondsControl, textControl, textId } from "./edit-controls.js";
import { h, icon, setText } from "./dom.js";
import { fixedParts, isInParts, scenePatch, textFields, wantedSeconds } from "./fields.js";
import { askPrices, priced } from "./price.js";
import { refusalText } from "./reasons.js";
import { swapFrames } from "./slots.js";
import { scenesOf } from "./words.js";

const CONFLICT = "Somebody else edited this project meanwhile. What you typed is still here, and not saved.";
const SILENT = "Spoken in clips with sound only. This project's are made without.";

/**
 * Opens the dialog for a scene of a project, or for a new one where `key` is null. `onSaved` gets the project as it is stored
 * then, `onMake` and `onRemove` the scene.
 */
export function openEdit({ clips, config, project, key, onSaved, onMake, onRemove }) {
  const adding = key === null;
  const model = config.models.find((one) => one.air === project.model);
  // What is edited, as it was stored when it was read.
  let base = null;
  let controls = [];
  let busy = false;

  const button = (text, onclick, kind) => h("button", { type: "button", class: kind, onclick }, text);
  const title = h("h2", { id: "edit-title" });
  const conflict = h(
    "div",
    { class: "draft-bar conflict", role: "alert", hidden: true },
    h("p", {}, CONFLICT),
    button("Load the newest", loadNewest),
  );
  const said = h("p", { class: "muted", role: "status" });
  const fields = h("div", { class: "edit-fields" });
  const problem = h("p", { class: "field-problem", role: "alert" });
  const remove = button("Remove scene", removeScene, "quiet danger");
  const save = h("button", { type: "submit" }, "Save");
  const make = button("Save and make", () => send(true), "primary");
  const keepEditing = button("Keep editing", () => ask(false), "primary");
  const question = h(
    "div",
    { class: "draft-bar", role: "group", "aria-label": "What you changed", hidden: true },
    h("p", { class: "grow" }, "Discard what you changed?"),
    h(
      "div",
      { class: "actions" },
      keepEditing,
      button("Discard", () => dialog.close()),
    ),
  );
  const foot = h("div", { class: "dialog-foot" }, remove, h("div", { class: "grow" }, problem), save, make);
  const dialog = h(
    "dialog",
    { class: "edit", "aria-labelledby": "edit-title" },
    h(
      "form",
      { novalidate: true },
      h(
        "div",
        { class: "dialog-head" },
        title,
        h(
          "button",
          { type: "button", class: "quiet icon-only", "aria-label": "Close", onclick: () => close() },
          icon("remove"),
        ),
      ),
      h("div", { class: "dialog-body" }, conflict, said, fields),
      question,
      foot,
    ),
  );
  const { ask, close } = closing({
    dialog,
    question,
    keepEditing,
    foot,
    isBusy: () => busy,
    isClean: () => !isEdited(),
  });
  const prices = askPrices(clips, config.models, update);

  /** Shows a scene as it is stored in a project. */
  function read(from) {
    const sceneKey = adding ? nextKey(from) : key;
    const scene = objectAt(from.scenes, sceneKey);
    base = { project: from, key: sceneKey, scene, frames: objectAt(from.frames, sceneKey) };
    base.texts = textFields(scene, adding ? usesParts(from) : isInParts(scene));
    for (const one of controls) one.leave();
    const slots = frameControls({ clips, config, base, onChange: update, onMove: swap });
    const texts = base.texts.map((field) => {
      const note = field.path[0] === "dialogue" && !from.audio && SILENT;
      return textControl(field, { limit: model?.prompt_limit, note, onChange: update });
    });
    const wanted = wantedSeconds(scene);
    const seconds = model ? [secondsControl({ base, model, wanted, onChange: update })] : [];
    controls = [...slots, ...texts, ...seconds];
    setText(title, adding ? `Add scene ${sceneKey}` : `Edit scene ${sceneKey}`);
    const elements = [...texts, ...seconds].map((one) => one.element);
    fields.replaceChildren(
      h(
        "div",
        { class: "slots" },
        slots.map((one) => one.element),
      ),
      h("div", { class: "edit-texts" }, elements, fixedText(scene)),
    );
    update();
  }

  const slots = () => controls.filter((one) => one.slot).map((one) => one.slot);
  const swap = () => swapFrames(...slots());
  const control = (id) => controls.find((one) => one.id === id);
  const isChanged = (one) => one.value !== one.stored;

  /** What is to be stored, as a merge patch; nothing where nothing was changed. */
  function changes() {
    const frames = {};
    for (const { id, value } of controls.filter((one) => one.slot && isChanged(one)))
      frames[id] = value || null;
    const texts = base.texts.map((field) => control(textId(field)).value);
    const seconds = control("seconds");
    const scene = scenePatch(
      base.scene,
      base.texts,
      texts,
      seconds && isChanged(seconds) ? seconds.value : null,
    );
    const found = {};
    if (Object.keys(scene).length) found.scenes = { [base.key]: scene };
    if (Object.keys(frames).length) found.frames = { [base.key]: frames };
    return adding && (found.scenes || found.frames) ? asNew(found) : found;
  }

  /** A new scene has its number and its seconds from the start, as the web application's have. */
  function asNew(found) {
    const stored = base.texts.map(({ value }) => value);
    const seconds = scenePatch(base.scene, base.texts, stored, control("seconds")?.value ?? null);
    const scene = { scene_id: Number(base.key), ...found.scenes?.[base.key], ...seconds };
    return { scenes: { [base.key]: scene }, frames: { [base.key]: {}, ...found.frames } };
  }

  const isEdited = () => Object.keys(changes()).length > 0;

  function update() {
    if (!controls.length) return;
    const waits = busy || slots().some((slot) => slot.loading || (slot.problem && !slot.url));
    remove.hidden = adding;
    save.disabled = waits;
    make.disabled = waits || !slots().every((slot) => slot.url);
    setText(make, priced("Save and make", cost()));
  }

  /** What the clip costs: nothing where it is paid for as it stands, else the price of its seconds. */
  function cost() {
    const quote = base.project.quotes[base.key];
    if (quote?.paid && !isEdited()) return 0;
    const seconds = control("seconds");
    return seconds ? prices.of(seconds.value, base.project) : null;
  }

  async function send(andMake) {
    if (save.disabled || (andMake && make.disabled)) return;
    await during(async () => {
      if (isEdited()) onSaved(await clips.edit(project.id, changes(), { edited: base.project.edited }));
      dialog.close();
      if (andMake) await onMake(base.key);
    });
  }

  async function removeScene() {
    await during(async () => {
      await onRemove(base.key);
      dialog.close();
    });
  }

  /** Does what may be refused: that is said then, and what was typed stays. */
  async function during(action) {
    setText(problem, "");
    conflict.hidden = true;
    busy = true;
    update();
    try {
      await action();
    } catch (error) {
      if (error.status === 412) tellConflict();
      else setText(problem, refusalText(error));
    } finally {
      busy = false;
      update();
    }
  }

  function tellConflict() {
    conflict.hidden = false;
    conflict.scrollIntoView({ block: "nearest" });
  }

  /**
   * Shows the scene as it is stored by now. What was typed stays where nobody else changed it, and is offered where somebody
   * did.
   */
  async function loadNewest() {
    await during(async () => {
      const newest = await clips.project(project.id);
      const mine = controls.filter(isChanged).map(({ id, value, stored }) => ({ id, value, stored }));
      read(newest);
      const offered = mine.filter(putBack).length;
      const more = offered
        ? "What you typed is below the fields that somebody else changed."
        : "What you changed is kept.";
      setText(said, `This is the newest. ${more}`);
      fields.querySelector("textarea").focus();
    });
  }

  /** Gives whether a text could only be offered. */
  function putBack({ id, value, stored }) {
    const one = control(id);
    if (!one || one.value === value) return false;
    if (one.stored === stored) {
      one.take(value);
      return false;
    }
    const line = h("p", { class: "yours" }, h("span", {}, one.told(value)));
    const use = () => {
      one.take(value);
      line.remove();
      update();
    };
    line.append(button("Use it", use, "quiet"));
    one.element.append(line);
    return true;
  }

  dialog.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    send(false);
  });
  dialog.addEventListener("close", () => {
    for (const one of controls) one.leave();
    dialog.remove();
  });
  read(project);
  document.body.append(dialog);
  dialog.showModal();
  fields.querySelector("textarea").focus();
}

function fixedText(scene) {
  const fixed = fixedParts(scene);
  return (
    fixed.length > 0 &&
    h("p", { class: "muted" }, `Not shown here, and kept as it is: ${fixed.join(", ").toLowerCase()}.`)
  );
}

/** The number after the last scene's. */
function nextKey(project) {
  const numbers = scenesOf(project).map((scene) => Number(scene.key));
  return String(Math.max(0, ...numbers.filter(Number.isSafeInteger)) + 1);
}

const usesParts = (project) => Object.values(project.scenes ?? {}).some((scene) => scene && isInParts(scene));
const objectAt = (value, key) => (value?.[key] && typeof value[key] === "object" ? value[key] : {});
