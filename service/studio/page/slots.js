/** A slot for one frame: it takes a file or a URL, uploads or looks at it at once, and says what is wrong with it. */
import { h, icon, isShowable, setText } from "./dom.js";

const MB = 1_000_000;
// Nobody looks at a URL that is still being typed.
const TYPED_AFTER_MS = 400;
const LOOK_MS = 10_000;
const NOTHING = { url: "", preview: "", name: "", typed: "", problem: "", warning: "" };

/**
 * Makes a slot. `url` is set once its frame can be used, `loading` says what is being waited for; `onChange` is called
 * after each change of these. While `takesDrops` is false, what is dragged over it is none of its business.
 */
export function frameSlot({ clips, config, name, onChange, takesDrops = () => true }) {
  const slot = { ...NOTHING, loading: "", label, take, takeUrl, forget };
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
    const image = slot.preview && h("img", { src: slot.preview, alt: "" });
    preview.replaceChildren(image || icon("image", 20));
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
    url.setAttribute("aria-label", `URL of the ${name.toLowerCase()} of ${scene}`);
  }

  function forget() {
    if (slot.preview.startsWith("blob:")) URL.revokeObjectURL(slot.preview);
    Object.assign(slot, NOTHING);
  }

  /** Uploads a file; a later file or URL for the same slot wins. */
  async function take(chosen) {
    forget();
    slot.problem = fileProblem(chosen, config);
    if (slot.problem) return changed();
    const mine = (turn += 1);
    slot.preview = URL.createObjectURL(chosen);
    slot.name = chosen.name;
    slot.loading = "Uploading…";
    changed();
    try {
      const unfit = await sizeProblem(chosen, config);
      if (mine !== turn) return;
      if (unfit) throw new Error(unfit);
      const stored = await clips.upload(chosen);
      if (mine === turn) slot.url = stored.url;
    } catch (error) {
      if (mine === turn) {
        forget();
        slot.problem = error.message;
      }
    } finally {
      if (mine === turn) slot.loading = "";
      changed();
    }
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
  target.addEventListener("dragover", (event) => {
    if (!takesDrops()) return;
    event.preventDefault();
    target.classList.add("over");
  });
  target.addEventListener("dragleave", () => target.classList.remove("over"));
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    target.classList.remove("over");
    const [dropped] = event.dataTransfer.files;
    const link = event.dataTransfer.getData("text/uri-list") || event.dataTransfer.getData("text/plain");
    if (dropped) take(dropped);
    else if (link) takeUrl(link.split("\n")[0], true);
  });
  return slot;
}

export const sidesText = ({ min_side_px: min, max_side_px: max }) => `${min} to ${max} pixels a side`;

/** What keeps a file from being uploaded; the service looks at its content after that. */
function fileProblem(file, { upload_types: types, max_upload_bytes: limit }) {
  if (!types.includes(file.type)) return "Choose a PNG, JPEG or WebP image.";
  if (file.size > limit) return `Choose an image of ${limit / MB} MB at most.`;
  return "";
}

/** What is wrong with an image's size in pixels; nothing where the browser can't read it. */
async function sizeProblem(file, config) {
  const image = await createImageBitmap(file).catch(() => null);
  if (!image) return "";
  const { width, height } = image;
  image.close();
  return sidesProblem(width, height, config);
}

function sidesProblem(width, height, config) {
  const fits = (side) => side >= config.min_side_px && side <= config.max_side_px;
  if (fits(width) && fits(height)) return "";
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
