/** A slot for one frame: it takes a file or a URL, uploads or looks at it at once, and says what is wrong with it. */
import { h, icon, isShowable, picture, setText } from "./dom.js";
import { refusalText } from "./reasons.js";

const MB = 1_000_000;
// Nobody looks at a URL that is still being typed.
const TYPED_AFTER_MS = 400;
const LOOK_MS = 10_000;
const NOTHING = { url: "", preview: "", name: "", typed: "", problem: "", warning: "" };
// The slot whose frame is being dragged to another one.
let dragged = null;

export const isFrameDragged = () => dragged !== null;

/** Lets two slots change their frames, unless one of them is still waiting for its own; gives whether they did. */
export function swapFrames(one, other) {
  if (one === other || one.loading || other.loading) return false;
  const [ones, others] = [one, other].map((slot) =>
    Object.fromEntries(Object.keys(NOTHING).map((key) => [key, slot[key]])),
  );
  one.put(others);
  other.put(ones);
  return true;
}

/**
 * Makes a slot. `url` is set once its frame can be used, `loading` says what is being waited for; `onChange` is called
 * after each change of these, `onMove(slot, step)` when its frame shall go to the slot before (-1) or after it (1). While
 * `takesDrops` is false, what is dragged over it is none of its business.
 */
export function frameSlot({ clips, config, name, onChange, onMove = () => {}, takesDrops = () => true }) {
  const slot = { ...NOTHING, loading: "", label, keep, take, fill, takeUrl, restore, put, forget, focus: () => file.focus() };
  let turn = 0;
  const file = h("input", { type: "file", class: "unseen", accept: config.upload_types.join(",") });
  const preview = h("span", { class: "slot-picture" }, icon("image", 20));
  const caption = h("span", { class: "slot-name" }, name);
  const hint = h("span", { class: "slot-hint" }, "Drop or choose");
  const target = h("label", { class: "slot" }, file, preview, caption, hint);
  const url = h("input", {
    type: "url",
    class: "slot-url",
    placeholder: "or paste a URL",
    autocomplete: "off",
  });
  const wrong = h("span", { class: "field-problem", role: "alert" });
  const doubt = h("span", { class: "field-warning", role: "status" });
  slot.element = h("div", { class: "slot-box" }, target, url, wrong, doubt);

  function show() {
    const image = slot.preview ? picture(slot.preview, "") : icon("image", 20);
    image.draggable = false;
    preview.replaceChildren(image);
    target.draggable = Boolean(slot.url && !slot.loading);
    target.classList.toggle("filled", Boolean(slot.url));
    target.classList.toggle("loading", Boolean(slot.loading));
    setText(hint, slot.loading || slot.name || (slot.url ? "Change" : "Drop or choose"));
    hint.title = slot.name;
    setText(wrong, slot.problem);
    setText(doubt, slot.warning);
    if (document.activeElement !== url) url.value = slot.typed;
  }

  function changed() {
    show();
    onChange();
  }

  /** Names the slot's controls after a scene, such as "scene 2". */
  function label(scene) {
    file.setAttribute("aria-label", `${name} of ${scene}`);
    file.setAttribute("aria-description", "Drag its frame to another slot, or press arrow left or right");
    url.setAttribute("aria-label", `URL of the ${name.toLowerCase()} of ${scene}`);
  }

  /** Shows a frame that is stored already. */
  function keep(stored) {
    forget();
    turn += 1;
    Object.assign(slot, { url: stored, typed: stored, preview: isShowable(stored) ? stored : "", loading: "" });
    show();
  }

  function forget() {
    if (slot.preview.startsWith("blob:")) URL.revokeObjectURL(slot.preview);
    Object.assign(slot, NOTHING);
  }

  function put(content) {
    turn += 1;
    Object.assign(slot, content);
    changed();
  }

  /** Looks at a file, and uploads it; one that can't be a frame leaves the slot as it is. */
  async function take(chosen) {
    const mine = (turn += 1);
    slot.loading = "Looking…";
    changed();
    const reason = await whyUnfit(chosen, config);
    if (mine !== turn) return;
    if (!reason) return fill(chosen);
    Object.assign(slot, { loading: "", problem: `${chosen.name} was left out: ${reason}.` });
    changed();
  }

  /** Uploads a file that was looked at; a later file or URL for the same slot wins. */
  async function fill(chosen) {
    forget();
    const mine = (turn += 1);
    slot.preview = URL.createObjectURL(chosen);
    slot.name = chosen.name;
    slot.loading = "Uploading…";
    changed();
    try {
      const stored = await clips.upload(chosen);
      if (mine === turn) slot.url = stored.url;
    } catch (error) {
      if (mine === turn) {
        forget();
        slot.problem = `${chosen.name}: ${refusalText(error)}`;
      }
    } finally {
      if (mine === turn) slot.loading = "";
      changed();
    }
  }

  /** Puts in a frame that was kept: an upload by its name too, else the URL that somebody wrote. */
  function restore({ url: kept, name: fileName }) {
    if (!fileName) return takeUrl(kept, true);
    put({ ...NOTHING, url: kept, name: fileName, preview: kept });
  }

  /** Takes a URL; one that was not typed is `dropped`, and written into the field. */
  function takeUrl(text, dropped = false) {
    forget();
    turn += 1;
    slot.loading = "";
    const typed = text.trim();
    if (dropped) url.value = typed;
    if (typed && !/^https?:\/\/[^\s/]+\S*$/.test(typed)) slot.problem = "Write a whole http(s) URL.";
    else if (typed) {
      slot.url = typed;
      look();
    }
    slot.typed = typed;
    changed();
  }

  /** Looks at what is under the URL. What this browser can't load, Runware still may: that is a warning. */
  async function look() {
    const mine = turn;
    slot.loading = "Loading…";
    await new Promise((resolve) => setTimeout(resolve, TYPED_AFTER_MS));
    if (mine !== turn) return;
    const { image, warning } = await seen(slot.url, config);
    if (mine !== turn) return;
    Object.assign(slot, { loading: "", preview: image ? slot.url : "", warning });
    changed();
  }

  file.addEventListener("change", () => file.files[0] && take(file.files[0]));
  url.addEventListener("input", () => takeUrl(url.value));
  file.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step || !slot.url) return;
    event.preventDefault();
    onMove(slot, step);
  });
  target.addEventListener("dragstart", (event) => {
    dragged = slot;
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", slot.name || slot.url);
    target.classList.add("dragged");
  });
  target.addEventListener("dragend", () => {
    dragged = null;
    target.classList.remove("dragged");
  });
  target.addEventListener("dragover", (event) => {
    if (!takesDrops() || dragged === slot) return;
    event.preventDefault();
    target.classList.add("over");
  });
  target.addEventListener("dragleave", () => target.classList.remove("over"));
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    target.classList.remove("over");
    if (dragged) return swapFrames(dragged, slot);
    const [dropped] = event.dataTransfer.files;
    const link = event.dataTransfer.getData("text/uri-list") || event.dataTransfer.getData("text/plain");
    if (dropped) take(dropped);
    else if (link) takeUrl(link.split("\n")[0], true);
  });
  return slot;
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
  return fits(width, height, config) ? "" : `it has ${width} x ${height} pixels, and a frame has ${sidesText(config)}`;
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
    setTimeout(resolve, LOOK_MS, false);
    image.src = url;
  });
  if (loaded) return { image: true, warning: sidesProblem(image.naturalWidth, image.naturalHeight, config) };
  return {
    image: false,
    warning: "No image loads from this URL here. Check it, or upload the file: the clip may fail.",
  };
}
