/** A slot for one frame: it takes a file or a URL, uploads or looks at it at once, and says what is wrong with it. */
import { h, icon, isShowable, picture, setText } from "./dom.js";
import { refusalText } from "./reasons.js";

const MB = 1_000_000;
// Nobody looks at a URL that is still being typed.
const TYPED_AFTER_MS = 400;
const LOOK_MS = 10_000;
const NOTHING = Object.freeze({ url: "", preview: "", name: "", typed: "", problem: "", warning: "" });
// The slot whose frame is being dragged to another one.
/** @type {FrameSlot | null} */
let dragged = null;

export const isFrameDragged = () => dragged !== null;

/** Lets two slots change their frames, unless one of them is still waiting for its own; gives whether they did. */
export function swapFrames(one, other) {
  if (one === other || one.loading || other.loading) return false;
  const [ones, others] = [one.content, other.content];
  one.put(others);
  other.put(ones);
  return true;
}

/**
 * A slot. `content` is what lies in it: its `url` is set once the frame can be used. `loading` says what is being waited
 * for. `onChange` is called after each change of these, `onMove(slot, step)` when its frame shall go to the slot before (-1)
 * or after it (1). While `takesDrops` is false, what is dragged over it is none of its business.
 */
export class FrameSlot {
  content = NOTHING;
  loading = "";
  // What began earlier than the newest file or URL has no say any more.
  #turn = 0;
  #clips;
  #config;
  #name;
  #onChange;
  #preview = h("span", { class: "slot-picture" }, icon("image", 20));
  #hint = h("span", { class: "slot-hint" }, "Drop or choose");
  #url = h("input", { type: "url", class: "slot-url", placeholder: "or paste a URL", autocomplete: "off" });
  #wrong = h("span", { class: "field-problem", role: "alert" });
  #doubt = h("span", { class: "field-warning", role: "status" });
  #file;
  #target;

  constructor({ clips, config, name, onChange, onMove = (_slot, _step) => {}, takesDrops = () => true }) {
    this.#clips = clips;
    this.#config = config;
    this.#name = name;
    this.#onChange = onChange;
    this.#file = h("input", { type: "file", class: "unseen", accept: config.upload_types.join(",") });
    const caption = h("span", { class: "slot-name" }, name);
    this.#target = h("label", { class: "slot" }, this.#file, this.#preview, caption, this.#hint);
    this.element = h("div", { class: "slot-box" }, this.#target, this.#url, this.#wrong, this.#doubt);
    this.#listen(onMove);
    this.#lendFrame();
    this.#takeDrops(takesDrops);
  }

  get url() {
    return this.content.url;
  }

  /** The name of the file, where it was one. */
  get name() {
    return this.content.name;
  }

  get problem() {
    return this.content.problem;
  }

  /** Names the slot's controls after a scene, such as "scene 2". */
  label(scene) {
    this.#file.setAttribute("aria-label", `${this.#name} of ${scene}`);
    this.#file.setAttribute(
      "aria-description",
      "Drag its frame to another slot, or press arrow left or right",
    );
    this.#url.setAttribute("aria-label", `URL of the ${this.#name.toLowerCase()} of ${scene}`);
  }

  focus() {
    this.#file.focus();
  }

  /** Shows a frame that is stored already. */
  keep(stored) {
    this.forget();
    this.#turn += 1;
    this.loading = "";
    this.#set({ url: stored, typed: stored, preview: isShowable(stored) ? stored : "" });
    this.#show();
  }

  forget() {
    if (this.content.preview.startsWith("blob:")) URL.revokeObjectURL(this.content.preview);
    this.content = NOTHING;
  }

  put(content) {
    this.#turn += 1;
    this.content = content;
    this.#changed();
  }

  /** Uploads a file that was looked at; a later file or URL for the same slot wins. */
  async fill(chosen) {
    this.forget();
    this.#turn += 1;
    const mine = this.#turn;
    this.#set({ preview: URL.createObjectURL(chosen), name: chosen.name });
    this.loading = "Uploading…";
    this.#changed();
    try {
      const stored = await this.#clips.upload(chosen);
      if (mine === this.#turn) this.#set({ url: stored.url });
    } catch (error) {
      if (mine === this.#turn) {
        this.forget();
        this.#set({ problem: `${chosen.name}: ${refusalText(error)}` });
      }
    } finally {
      if (mine === this.#turn) this.loading = "";
      this.#changed();
    }
  }

  /** Puts in a frame that was kept: an upload by its name too, else the URL that somebody wrote. */
  restore({ url: kept, name: fileName }) {
    if (!fileName) return this.#takeUrl(kept, true);
    this.put({ ...NOTHING, url: kept, name: fileName, preview: kept });
  }

  /** Looks at a file, and uploads it; one that can't be a frame leaves the slot as it is. */
  async #take(chosen) {
    this.#turn += 1;
    const mine = this.#turn;
    this.loading = "Looking…";
    this.#changed();
    const reason = await whyUnfit(chosen, this.#config);
    if (mine !== this.#turn) return;
    if (!reason) return this.fill(chosen);
    this.loading = "";
    this.#set({ problem: `${chosen.name} was left out: ${reason}.` });
    this.#changed();
  }

  /** Takes a URL; one that was not typed is `dropped`, and written into the field. */
  #takeUrl(text, dropped = false) {
    this.forget();
    this.#turn += 1;
    this.loading = "";
    const typed = text.trim();
    if (dropped) this.#url.value = typed;
    if (typed && !/^https?:\/\/[^\s/]+\S*$/.test(typed)) this.#set({ problem: "Write a whole http(s) URL." });
    else if (typed) {
      this.#set({ url: typed });
      this.#look();
    }
    this.#set({ typed });
    this.#changed();
  }

  /** Looks at what is under the URL. What this browser can't load, Runware still may: that is a warning. */
  async #look() {
    const mine = this.#turn;
    this.loading = "Loading…";
    await new Promise((resolve) => setTimeout(resolve, TYPED_AFTER_MS));
    if (mine !== this.#turn) return;
    const { image, warning } = await seen(this.url, this.#config);
    if (mine !== this.#turn) return;
    this.loading = "";
    this.#set({ preview: image ? this.url : "", warning });
    this.#changed();
  }

  #set(changes) {
    this.content = { ...this.content, ...changes };
  }

  #changed() {
    this.#show();
    this.#onChange();
  }

  #show() {
    const { url, name, preview, problem, warning, typed } = this.content;
    const image = preview ? picture(preview, "") : icon("image", 20);
    if (image instanceof HTMLElement) image.draggable = false;
    this.#preview.replaceChildren(image);
    this.#target.draggable = Boolean(url && !this.loading);
    this.#target.classList.toggle("filled", Boolean(url));
    this.#target.classList.toggle("loading", Boolean(this.loading));
    setText(this.#hint, this.loading || name || (url ? "Change" : "Drop or choose"));
    this.#hint.title = name;
    setText(this.#wrong, problem);
    setText(this.#doubt, warning);
    if (document.activeElement !== this.#url) this.#url.value = typed;
  }

  #listen(onMove) {
    this.#file.addEventListener("change", () => this.#file.files[0] && this.#take(this.#file.files[0]));
    this.#url.addEventListener("input", () => this.#takeUrl(this.#url.value));
    this.#file.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || !this.url) return;
      event.preventDefault();
      onMove(this, step);
    });
  }

  /** Has its frame dragged to another slot. */
  #lendFrame() {
    const target = this.#target;
    target.addEventListener("dragstart", (event) => {
      dragged = this;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", this.name || this.url);
      target.classList.add("dragged");
    });
    target.addEventListener("dragend", () => {
      dragged = null;
      target.classList.remove("dragged");
    });
  }

  #takeDrops(takesDrops) {
    const target = this.#target;
    target.addEventListener("dragover", (event) => {
      if (!takesDrops() || dragged === this) return;
      event.preventDefault();
      target.classList.add("over");
    });
    target.addEventListener("dragleave", () => target.classList.remove("over"));
    target.addEventListener("drop", (event) => {
      event.preventDefault();
      event.stopPropagation();
      target.classList.remove("over");
      if (dragged) return swapFrames(dragged, this);
      const [dropped] = event.dataTransfer.files;
      const link = event.dataTransfer.getData("text/uri-list") || event.dataTransfer.getData("text/plain");
      if (dropped) this.#take(dropped);
      else if (link) this.#takeUrl(link.split("\n")[0], true);
    });
  }
}

export const sidesText = ({ min_side_px: min, max_side_px: max }) => `${min} to ${max} pixels a side`;

/** Why a file can't be a frame, as the end of a sentence; empty if it can, as far as a browser can tell. */
export async function whyUnfit(file, config) {
  const { upload_types: types, max_upload_bytes: limit } = config;
  if (!types.includes(file.type)) return "it is no PNG, JPEG or WebP image";
  if (file.size > limit) return `it has more than ${limit / MB} MB`;
  const image = await createImageBitmap(file).catch(() => null);
  if (!image) return "it can't be read as an image";
  const { width, height } = image;
  image.close();
  return fits(width, height, config)
    ? ""
    : `it has ${width} x ${height} pixels, and a frame has ${sidesText(config)}`;
}

const fits = (width, height, { min_side_px: min, max_side_px: max }) =>
  [width, height].every((side) => side >= min && side <= max);

function sidesProblem(width, height, config) {
  if (fits(width, height, config)) return "";
  return `This image has ${width} x ${height} pixels. Choose one with ${sidesText(config)}.`;
}

/** What a browser sees under a URL: whether it is an image, and what may be wrong with it. */
async function seen(url, config) {
  if (!isShowable(url)) return { image: false, warning: "Not looked at: this page loads https images only." };
  const image = new Image();
  const loaded = await new Promise((resolve) => {
    image.onload = () => resolve(true);
    image.onerror = () => resolve(false);
    setTimeout(() => resolve(false), LOOK_MS);
    image.src = url;
  });
  if (loaded) return { image: true, warning: sidesProblem(image.naturalWidth, image.naturalHeight, config) };
  return {
    image: false,
    warning: "No image loads from this URL here. Check it, or upload the file: the clip may fail.",
  };
}
