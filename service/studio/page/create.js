/** The dialog that makes a video: frame pairs, what happens in between, and what it will cost. */
import { asCall, choiceFields, defaultChoice } from "./choice.js";
import { closing } from "./closing.js";
import {
  draftOf,
  draftText,
  ENDS,
  isBegun,
  loneTexts,
  placeBeside,
  placesFor,
  projectOf,
  standing,
} from "./create-model.js";
import { dialogHead } from "./dialog.js";
import { h, icon, setText } from "./dom.js";
import { Ordering } from "./order.js";
import { askPrices, priced } from "./price.js";
import { refusalText } from "./reasons.js";
import { SceneDraft } from "./scene-draft.js";
import { isFrameDragged, sidesText, swapFrames, whyUnfit } from "./slots.js";
import { toast } from "./toasts.js";
import { age, plural } from "./words.js";

// Each is held in memory as pixels while it is looked at.
const LOOKED_AT_ONCE = 4;
// Letters that follow each other faster are kept together.
const KEEP_AFTER_MS = 300;

/** Opens the dialog; gives the id of the project that was made, or null if it was closed. `drafts` keeps what was begun. */
export const openCreate = (context) => new CreateDialog(context).open();

class CreateDialog {
  /** @type {SceneDraft[]} */
  #scenes = [];
  #busy = false;
  #looking = 0;
  #made = null;
  #keeping = 0;
  #clips;
  #config;
  #drafts;
  // The draft of an earlier time, until somebody has said what becomes of it.
  #offered;
  #list = h("ol", { class: "drafts" });
  #said = h("p", { class: "unseen", role: "status" });
  #problem = h("p", { class: "field-problem", role: "alert" });
  #leftOut = h("div", { class: "notices left-out", role: "alert" });
  #unpaired = h("div", { class: "notices unpaired", role: "status" });
  #estimate = h("p", { class: "estimate", "aria-live": "polite" });
  #title = h("input", { id: "title", type: "text", maxlength: "200", placeholder: "Harbour at dawn" });
  #submit = h("button", { class: "primary", type: "submit" }, "Create clips");
  #keepEditing = button("Keep editing", () => this.#closing.ask(false), "primary");
  #question = bar(
    "Discard this draft?",
    this.#keepEditing,
    button("Discard", () => this.#discard()),
    button("Keep for later", () => this.#keepForLater()),
  );
  #files;
  #drop;
  #offer;
  #choice;
  #order;
  #prices;
  #dialog;
  #closing;

  constructor({ clips, config, drafts }) {
    this.#clips = clips;
    this.#config = config;
    this.#drafts = drafts;
    this.#offered = drafts.read();
    this.#files = fileInput(config);
    this.#drop = dropZone(config);
    this.#offer = this.#offerBar();
    this.#question.hidden = true;
    this.#choice = choiceFields(config.models, defaultChoice(config.models), () => {
      for (const scene of this.#scenes) scene.follow();
      this.#update();
    });
    this.#order = new Ordering({
      list: this.#list,
      items: this.#scenes,
      said: this.#said,
      name: (_, position) => `scene ${position}`,
      onChange: () => this.#update(),
    });
    const foot = h(
      "div",
      { class: "dialog-foot" },
      h("div", { class: "grow" }, this.#problem, this.#estimate),
      this.#submit,
    );
    const form = h(
      "form",
      { onsubmit: (event) => this.#send(event), oninput: () => this.#keepSoon(), novalidate: true },
      dialogHead(h("h2", { id: "create-title" }, "Create video"), () => this.#closing.close()),
      this.#body(),
      this.#question,
      foot,
    );
    this.#dialog = h("dialog", { class: "create", "aria-labelledby": "create-title" }, form);
    this.#closing = closing({
      dialog: this.#dialog,
      question: this.#question,
      keepEditing: this.#keepEditing,
      foot,
      isBusy: () => this.#busy,
      isClean: () => this.#isEmpty(),
    });
    this.#prices = askPrices(clips, config.models, () => this.#update());
  }

  open() {
    this.#takeFrames();
    document.body.append(this.#dialog);
    this.#add();
    this.#dialog.showModal();
    if (this.#offered) this.#offer.querySelector("button").focus();
    else this.#title.focus();
    return new Promise((resolve) => {
      this.#dialog.addEventListener("close", () => {
        clearTimeout(this.#keeping);
        for (const scene of this.#scenes) scene.forget();
        this.#dialog.remove();
        resolve(this.#made);
      });
    });
  }

  #body() {
    const optional = h("span", { class: "muted" }, "(optional)");
    const add = () => this.#add().focus();
    return h(
      "div",
      { class: "dialog-body" },
      this.#offer,
      h("div", { class: "field" }, h("label", { for: "title" }, "Name ", optional), this.#title),
      this.#choice.element,
      this.#files,
      this.#drop,
      this.#leftOut,
      this.#unpaired,
      this.#list,
      h("button", { type: "button", class: "add", onclick: add }, icon("plus"), "Add scene"),
      this.#said,
    );
  }

  #offerBar() {
    const kept = this.#offered;
    const element = bar(
      kept ? `A draft is on this device: ${draftText(kept)}, ${age(kept.kept_at, Date.now())}.` : "",
      button("Continue", () => this.#resume(), "primary"),
      button("Discard it", () => {
        this.#drafts.drop();
        this.#answerOffer();
      }),
    );
    element.hidden = !kept;
    return element;
  }

  #add() {
    const scene = new SceneDraft({
      clips: this.#clips,
      config: this.#config,
      choice: this.#choice,
      order: this.#order,
      onChange: () => this.#update(),
      remove: (one) => this.#remove(one),
      moveFrame: (slot, step) => this.#moveFrame(slot, step),
    });
    this.#scenes.push(scene);
    this.#list.append(scene.element);
    this.#order.label();
    this.#update();
    return scene;
  }

  #remove(scene) {
    const at = this.#scenes.indexOf(scene);
    this.#takeOut(scene);
    this.#update();
    const next = this.#scenes[Math.min(at, this.#scenes.length - 1)];
    (next ?? this.#files).focus();
  }

  #takeOut(scene) {
    this.#scenes.splice(this.#scenes.indexOf(scene), 1);
    scene.element.remove();
    this.#order.label();
    scene.forget();
  }

  /** Takes files that are dropped anywhere in the dialog, or chosen. */
  #takeFrames() {
    const dialog = this.#dialog;
    this.#files.addEventListener("change", () => {
      this.#takeFiles([...this.#files.files]);
      this.#files.value = "";
    });
    dialog.addEventListener("dragover", (event) => {
      if (this.#order.isDragging() || isFrameDragged()) return;
      event.preventDefault();
      this.#drop.classList.add("over");
    });
    dialog.addEventListener(
      "dragleave",
      ({ target }) => target === dialog && this.#drop.classList.remove("over"),
    );
    dialog.addEventListener("drop", (event) => {
      this.#drop.classList.remove("over");
      if (!event.dataTransfer.files.length) return;
      event.preventDefault();
      this.#takeFiles([...event.dataTransfer.files]);
    });
  }

  /** Takes files that were chosen together, once all of them were looked at: a bad one has no part in the pairs. */
  async #takeFiles(chosen) {
    this.#looking += 1;
    this.#update();
    const reasons = await this.#whyUnfit(chosen);
    this.#looking -= 1;
    const placements = placesFor(
      this.#scenes,
      chosen.filter((file) => !reasons.get(file)),
    );
    for (const { file, scene, end } of placements) (this.#scenes[scene] ?? this.#add())[end].fill(file);
    this.#update();
    const bad = chosen.filter((file) => reasons.get(file));
    tell(
      this.#leftOut,
      bad.map((file) => `${file.name} was left out: ${reasons.get(file)}.`),
    );
    tell(this.#unpaired, loneTexts(this.#scenes, placements));
  }

  async #whyUnfit(files) {
    const reasons = new Map();
    const waiting = [...files];
    const look = async () => {
      for (let file = waiting.shift(); file; file = waiting.shift())
        reasons.set(file, await whyUnfit(file, this.#config));
    };
    await Promise.all(Array.from({ length: LOOKED_AT_ONCE }, look));
    return reasons;
  }

  /** Moves a frame to the slot before or after it; the frame that is there takes its place. */
  #moveFrame(slot, step) {
    const scene = this.#scenes.findIndex((one) => ENDS.some((end) => one[end] === slot));
    const end = ENDS.find((one) => this.#scenes[scene][one] === slot);
    const to = placeBeside({ scene, end }, step, this.#scenes.length);
    const other = to && this.#scenes[to.scene][to.end];
    if (!other || !swapFrames(slot, other)) return;
    other.focus();
    setText(this.#said, `Moved to the ${to.end} frame of scene ${to.scene + 1}.`);
  }

  #isEmpty() {
    return !this.#title.value.trim() && !this.#looking && !this.#scenes.some(isBegun);
  }

  #draft() {
    return draftOf(this.#title.value, this.#choice.value, this.#scenes);
  }

  /** Keeps what is there now, soon. An older draft that is still offered is not written over meanwhile. */
  #keepSoon() {
    clearTimeout(this.#keeping);
    if (this.#offered || this.#made) return;
    const keep = () => (this.#isEmpty() ? this.#drafts.drop() : this.#drafts.keep(this.#draft()));
    this.#keeping = setTimeout(keep, KEEP_AFTER_MS);
  }

  /** Puts in the draft that is offered, after what was begun meanwhile. */
  #resume() {
    const kept = this.#offered;
    for (const scene of this.#scenes.filter((one) => !isBegun(one))) this.#takeOut(scene);
    this.#title.value ||= kept.title;
    this.#choice.choose(kept.choice);
    for (const scene of kept.scenes) this.#add().restore(scene);
    if (!this.#scenes.length) this.#add();
    this.#answerOffer();
  }

  #answerOffer() {
    this.#offered = null;
    this.#offer.hidden = true;
    this.#title.focus();
    this.#update();
  }

  #discard() {
    // What is offered still was not shown, and stays.
    if (!this.#offered) this.#drafts.drop();
    this.#dialog.close();
  }

  #keepForLater() {
    if (this.#drafts.keep(this.#draft())) return this.#dialog.close();
    this.#closing.ask(false);
    setText(this.#problem, "This draft can't be kept on this device: the browser has no room for it.");
  }

  #update() {
    this.#keepSoon();
    for (const [index, scene] of this.#scenes.entries()) scene.label(index + 1);
    const choice = this.#choice.value;
    const { clips, seconds, isReady } = standing(this.#scenes, this.#choice.model.durations_s);
    this.#submit.disabled = this.#busy || this.#looking > 0 || !isReady;
    const label = `Create ${plural(clips, "clip")}`;
    setText(this.#submit, clips ? priced(label, this.#prices.of(seconds, choice)) : "Create clips");
    const missing = "Each scene needs both of its frames.";
    setText(this.#estimate, clips ? this.#prices.text(clips, seconds, choice) : missing);
  }

  async #send(event) {
    event.preventDefault();
    if (this.#submit.disabled) return;
    this.#busy = true;
    this.#update();
    setText(this.#problem, "");
    try {
      const project = projectOf(this.#title.value, this.#scenes, this.#choice.model.durations_s);
      this.#made = await this.#clips.create(project);
    } catch (error) {
      setText(this.#problem, refusalText(error));
      this.#busy = false;
      this.#update();
      return;
    }
    if (!this.#offered) this.#drafts.drop();
    this.#dialog.close();
    await this.#generate();
  }

  async #generate() {
    try {
      const answer = await this.#clips.generate(this.#made, asCall(this.#choice.value));
      toast(`${plural(answer.total_clips, "clip")} submitted.`);
    } catch (error) {
      // The project is stored: its view has the button that tries again.
      toast(refusalText(error), "failed");
    }
  }
}

const fileInput = ({ upload_types: types }) =>
  h("input", { type: "file", id: "pairs", class: "unseen", multiple: true, accept: types.join(",") });

const dropZone = (config) =>
  h(
    "label",
    { class: "drop", for: "pairs" },
    icon("image", 24),
    h("span", {}, h("strong", {}, "Drop frames here"), " or ", h("u", {}, "choose files")),
    h(
      "span",
      { class: "muted" },
      `In pairs, by name: start and end, first and last, a and b, or 1 and 2. PNG, JPEG or WebP, ${sidesText(config)}.`,
    ),
  );

const button = (text, onclick, kind = undefined) =>
  h("button", { type: "button", class: kind, onclick }, text);
const bar = (text, ...buttons) =>
  h(
    "div",
    { class: "draft-bar", role: "group", "aria-label": text },
    h("p", {}, text),
    h("div", { class: "actions" }, buttons),
  );
const tell = (place, texts) => place.replaceChildren(...texts.map((text) => h("p", {}, text)));
