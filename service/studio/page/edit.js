/** The dialog that edits a scene, or adds one: its frames, the texts of its prompt, its seconds. */
import { closing } from "./closing.js";
import { frameControls, secondsControl, textControl, textId } from "./edit-controls.js";
import { dialogHead } from "./dialog.js";
import { h, setText } from "./dom.js";
import { baseOf, changesOf } from "./edit-model.js";
import { fixedParts, wantedSeconds } from "./fields.js";
import { askPrices, priced } from "./price.js";
import { refusalText } from "./reasons.js";
import { swapFrames } from "./slots.js";

const CONFLICT = "Somebody else edited this project meanwhile. What you typed is still here, and not saved.";
const SILENT = "Spoken in clips with sound only. This project's are made without.";

/**
 * Opens the dialog for a scene of a project, or for a new one where `key` is null. `onSaved` gets the project as it is stored
 * then, `onMake` and `onRemove` the scene.
 */
export const openEdit = (context) => new EditDialog(context).open();

class EditDialog {
  #context;
  #model;
  /** @type {import("./edit-model.js").Base} */
  #base;
  #controls = [];
  #busy = false;
  #title = h("h2", { id: "edit-title" });
  #conflict = h(
    "div",
    { class: "draft-bar conflict", role: "alert", hidden: true },
    h("p", {}, CONFLICT),
    button("Load the newest", () => this.#loadNewest()),
  );
  #said = h("p", { class: "muted", role: "status" });
  #fields = h("div", { class: "edit-fields" });
  #problem = h("p", { class: "field-problem", role: "alert" });
  #remove = button("Remove scene", () => this.#removeScene(), "quiet danger");
  #save = h("button", { type: "submit" }, "Save");
  #make = button("Save and make", () => this.#send(true), "primary");
  #keepEditing = button("Keep editing", () => this.#closing.ask(false), "primary");
  #question = h(
    "div",
    { class: "draft-bar", role: "group", "aria-label": "What you changed", hidden: true },
    h("p", { class: "grow" }, "Discard what you changed?"),
    h(
      "div",
      { class: "actions" },
      this.#keepEditing,
      button("Discard", () => this.#dialog.close()),
    ),
  );
  #dialog;
  #closing;
  #prices;

  constructor(context) {
    const { clips, config, project } = context;
    this.#context = context;
    this.#model = config.models.find((one) => one.air === project.model);
    const told = h("div", { class: "grow" }, this.#problem);
    const foot = h("div", { class: "dialog-foot" }, this.#remove, told, this.#save, this.#make);
    this.#dialog = this.#build(foot);
    this.#closing = closing({
      dialog: this.#dialog,
      question: this.#question,
      keepEditing: this.#keepEditing,
      foot,
      isBusy: () => this.#busy,
      isClean: () => !this.#isEdited(),
    });
    this.#prices = askPrices(clips, config.models, () => this.#update());
  }

  open() {
    this.#dialog.addEventListener("close", () => {
      for (const one of this.#controls) one.leave();
      this.#dialog.remove();
    });
    this.#read(this.#context.project);
    document.body.append(this.#dialog);
    this.#dialog.showModal();
    this.#fields.querySelector("textarea").focus();
  }

  #build(foot) {
    const onsubmit = (event) => {
      event.preventDefault();
      this.#send(false);
    };
    const form = h(
      "form",
      { novalidate: true, onsubmit },
      dialogHead(this.#title, () => this.#closing.close()),
      h("div", { class: "dialog-body" }, this.#conflict, this.#said, this.#fields),
      this.#question,
      foot,
    );
    return h("dialog", { class: "edit", "aria-labelledby": "edit-title" }, form);
  }

  /** Shows a scene as it is stored in a project. */
  #read(project) {
    const base = baseOf(project, this.#context.key);
    this.#base = base;
    for (const one of this.#controls) one.leave();
    const { slots, texts, seconds } = this.#controlsOf(base);
    this.#controls = [...slots, ...texts, ...seconds];
    setText(this.#title, `${base.isNew ? "Add" : "Edit"} scene ${base.key}`);
    const frames = slots.map((one) => one.element);
    const rest = [...texts, ...seconds].map((one) => one.element);
    this.#fields.replaceChildren(
      h("div", { class: "slots" }, frames),
      h("div", { class: "edit-texts" }, rest, fixedText(base.scene)),
    );
    this.#update();
  }

  #controlsOf(base) {
    const { clips, config } = this.#context;
    const [model, onChange] = [this.#model, () => this.#update()];
    const onMove = () => swapFrames(...this.#slots());
    const textOf = (field) => {
      const note = field.path[0] === "dialogue" && !base.project.audio && SILENT;
      return textControl(field, { limit: model?.prompt_limit, note, onChange });
    };
    const wanted = wantedSeconds(base.scene);
    return {
      slots: frameControls({ clips, config, base, onChange, onMove }),
      texts: base.texts.map(textOf),
      seconds: model ? [secondsControl({ base, model, wanted, onChange })] : [],
    };
  }

  /** @returns {[import("./slots.js").FrameSlot, import("./slots.js").FrameSlot]} */
  #slots() {
    const [first, last] = this.#controls.filter((one) => one.slot).map((one) => one.slot);
    return [first, last];
  }

  #control(id) {
    return this.#controls.find((one) => one.id === id);
  }

  #changes() {
    const changed = this.#controls.filter((one) => one.slot && isChanged(one));
    const seconds = this.#control("seconds");
    return changesOf(this.#base, {
      frames: Object.fromEntries(changed.map(({ id, value }) => [id, value])),
      texts: this.#base.texts.map((field) => this.#control(textId(field)).value),
      seconds: seconds ? { value: seconds.value, isChanged: isChanged(seconds) } : null,
    });
  }

  #isEdited() {
    return Object.keys(this.#changes()).length > 0;
  }

  #update() {
    if (!this.#controls.length) return;
    const slots = this.#slots();
    const waits = this.#busy || slots.some((slot) => slot.loading || (slot.problem && !slot.url));
    this.#remove.hidden = this.#base.isNew;
    this.#save.disabled = waits;
    this.#make.disabled = waits || !slots.every((slot) => slot.url);
    setText(this.#make, priced("Save and make", this.#cost()));
  }

  /** What the clip costs: nothing where it is paid for as it stands, else the price of its seconds. */
  #cost() {
    const { project, key } = this.#base;
    if (project.quotes[key]?.paid && !this.#isEdited()) return 0;
    const seconds = this.#control("seconds");
    return seconds ? this.#prices.of(seconds.value, project) : null;
  }

  async #send(andMake) {
    if (this.#save.disabled || (andMake && this.#make.disabled)) return;
    const { clips, project, onSaved, onMake } = this.#context;
    const { key, project: read } = this.#base;
    await this.#during(async () => {
      if (this.#isEdited()) onSaved(await clips.edit(project.id, this.#changes(), { edited: read.edited }));
      this.#dialog.close();
      if (andMake) await onMake(key);
    });
  }

  async #removeScene() {
    await this.#during(async () => {
      await this.#context.onRemove(this.#base.key);
      this.#dialog.close();
    });
  }

  /** Does what may be refused: that is said then, and what was typed stays. */
  async #during(action) {
    setText(this.#problem, "");
    this.#conflict.hidden = true;
    this.#busy = true;
    this.#update();
    try {
      await action();
    } catch (error) {
      if (error.status === 412) this.#tellConflict();
      else setText(this.#problem, refusalText(error));
    } finally {
      this.#busy = false;
      this.#update();
    }
  }

  #tellConflict() {
    this.#conflict.hidden = false;
    this.#conflict.scrollIntoView({ block: "nearest" });
  }

  /**
   * Shows the scene as it is stored by now. What was typed stays where nobody else changed it, and is offered where somebody
   * did.
   */
  async #loadNewest() {
    await this.#during(async () => {
      const newest = await this.#context.clips.project(this.#context.project.id);
      const mine = this.#controls.filter(isChanged).map(({ id, value, stored }) => ({ id, value, stored }));
      this.#read(newest);
      const offered = mine.filter((one) => this.#putBack(one)).length;
      const more = offered
        ? "What you typed is below the fields that somebody else changed."
        : "What you changed is kept.";
      setText(this.#said, `This is the newest. ${more}`);
      this.#fields.querySelector("textarea").focus();
    });
  }

  /** Gives whether a text could only be offered. */
  #putBack({ id, value, stored }) {
    const one = this.#control(id);
    if (!one || one.value === value) return false;
    if (one.stored === stored) {
      one.take(value);
      return false;
    }
    const line = h("p", { class: "yours" }, h("span", {}, one.told(value)));
    const use = () => {
      one.take(value);
      line.remove();
      this.#update();
    };
    line.append(button("Use it", use, "quiet"));
    one.element.append(line);
    return true;
  }
}

const button = (text, onclick, kind = undefined) =>
  h("button", { type: "button", class: kind, onclick }, text);
const isChanged = (one) => one.value !== one.stored;

function fixedText(scene) {
  const fixed = fixedParts(scene);
  return (
    fixed.length > 0 &&
    h("p", { class: "muted" }, `Not shown here, and kept as it is: ${fixed.join(", ").toLowerCase()}.`)
  );
}
