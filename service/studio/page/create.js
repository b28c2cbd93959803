/** The dialog that makes a video: frame pairs, what happens in between, and what it will cost. */
import { asCall, choiceFields, covering, defaultChoice } from "./choice.js";
import { closing } from "./closing.js";
import { h, icon, setText } from "./dom.js";
import { keptFrame } from "./drafts.js";
import { ordering } from "./order.js";
import { pairFiles } from "./pairs.js";
import { ENDS, isBegun, sceneDraft } from "./scene-draft.js";
import { isFrameDragged, sidesText, swapFrames, whyUnfit } from "./slots.js";
import { askPrices, priced } from "./price.js";
import { age, plural } from "./words.js";
import { refusalText } from "./reasons.js";
import { toast } from "./toasts.js";

// Each is held in memory as pixels while it is looked at.
const LOOKED_AT_ONCE = 4;
// Letters that follow each other faster are kept together.
const KEEP_AFTER_MS = 300;

/** Opens the dialog; gives the id of the project that was made, or null if it was closed. `drafts` keeps what was begun. */
export function openCreate({ clips, config, drafts }) {
  const scenes = [];
  let busy = false;
  let looking = 0;
  let made = null;
  let keeping = 0;
  let offered = drafts.read();

  const list = h("ol", { class: "drafts" });
  const said = h("p", { class: "unseen", role: "status" });
  const order = ordering({ list, items: scenes, said, name: (_, position) => `scene ${position}`, onChange: update });
  const problem = h("p", { class: "field-problem", role: "alert" });
  const leftOut = h("div", { class: "notices left-out", role: "alert" });
  const unpaired = h("div", { class: "notices unpaired", role: "status" });
  const estimate = h("p", { class: "estimate", "aria-live": "polite" });
  const title = h("input", { id: "title", type: "text", maxlength: "200", placeholder: "Harbour at dawn" });
  const choice = choiceFields(config.models, defaultChoice(config.models), () => {
    for (const scene of scenes) scene.follow();
    update();
  });
  const submit = h("button", { class: "primary", type: "submit" }, "Create clips");
  const files = h("input", {
    type: "file",
    id: "pairs",
    class: "unseen",
    multiple: true,
    accept: config.upload_types.join(","),
  });
  const drop = h(
    "label",
    { class: "drop", for: "pairs" },
    icon("image", 24),
    h("span", {}, h("strong", {}, "Drop frames here"), " or ", h("u", {}, "choose files")),
    h("span", { class: "muted" }, `In pairs, by name: start and end, first and last, a and b, or 1 and 2. PNG, JPEG or WebP, ${sidesText(config)}.`),
  );
  const offer = bar(
    offered ? `A draft is on this device: ${draftText(offered)}, ${age(offered.kept_at, Date.now())}.` : "",
    button("Continue", resume, "primary"),
    button("Discard it", () => answerOffer(drafts.drop)),
  );
  const keepEditing = button("Keep editing", () => ask(false), "primary");
  const question = bar("Discard this draft?", keepEditing, button("Discard", discard), button("Keep for later", keepForLater));
  const foot = h("div", { class: "dialog-foot" }, h("div", { class: "grow" }, problem, estimate), submit);
  offer.hidden = !offered;
  question.hidden = true;
  const form = h(
    "form",
    { onsubmit: send, novalidate: true },
    h(
      "div",
      { class: "dialog-head" },
      h("h2", { id: "create-title" }, "Create video"),
      h(
        "button",
        { type: "button", class: "quiet icon-only", "aria-label": "Close", onclick: () => close() },
        icon("remove"),
      ),
    ),
    h(
      "div",
      { class: "dialog-body" },
      offer,
      h(
        "div",
        { class: "field" },
        h("label", { for: "title" }, "Name ", h("span", { class: "muted" }, "(optional)")),
        title,
      ),
      choice.element,
      files,
      drop,
      leftOut,
      unpaired,
      list,
      h(
        "button",
        { type: "button", class: "add", onclick: () => focusScene(add()) },
        icon("plus"),
        "Add scene",
      ),
      said,
    ),
    question,
    foot,
  );
  const dialog = h("dialog", { class: "create", "aria-labelledby": "create-title" }, form);

  const { ask, close } = closing({
    dialog,
    question,
    keepEditing,
    foot,
    isBusy: () => busy,
    isClean: () => isEmpty(),
  });
  const prices = askPrices(clips, config.models, update);

  function add() {
    const scene = sceneDraft({ clips, config, choice, order, onChange: update, remove, moveFrame });
    scenes.push(scene);
    list.append(scene.element);
    order.label();
    update();
    return scene;
  }

  /** Takes files that were chosen together, once all of them were looked at: a bad one has no part in the pairs. */
  async function takeFiles(chosen) {
    const reasons = new Map();
    const waiting = [...chosen];
    looking += 1;
    update();
    const look = async () => {
      for (let file = waiting.shift(); file; file = waiting.shift())
        reasons.set(file, await whyUnfit(file, config));
    };
    await Promise.all(Array.from({ length: LOOKED_AT_ONCE }, look));
    looking -= 1;
    const placed = fill(pairFiles(chosen.filter((file) => !reasons.get(file))));
    update();
    tell(
      leftOut,
      chosen.filter((file) => reasons.get(file)).map((file) => `${file.name} was left out: ${reasons.get(file)}.`),
    );
    tell(unpaired, placed.filter(({ scene, end }) => isFree(scene[otherEnd(end)])).map(loneText));
  }

  /** Puts pairs where there is room, in order, and adds scenes; gives where each file went. */
  function fill(pairs) {
    const named = new Set();
    const put = (file, scene, end) => {
      scene[end].fill(file);
      return { file, scene, end };
    };
    const putNext = (file) => {
      const free = scenes.find((scene) => !named.has(scene) && ENDS.some((end) => isFree(scene[end]))) ?? add();
      return put(file, free, isFree(free.first) ? "first" : "last");
    };
    return pairs.flatMap((pair) => {
      const ends = ENDS.filter((end) => pair[end]);
      if (!pair.named) return ends.map((end) => putNext(pair[end]));
      const isMissing = (scene) => ends.length === 1 && isFree(scene[ends[0]]) && isPartner(scene[otherEnd(ends[0])], pair[ends[0]]);
      const scene = scenes.find(isMissing) ?? scenes.find((one) => ENDS.every((end) => isFree(one[end]))) ?? add();
      named.add(scene);
      return ends.map((end) => put(pair[end], scene, end));
    });
  }

  const loneText = ({ file, scene, end }) =>
    `${file.name} has no partner: scene ${scenes.indexOf(scene) + 1} still needs its ${otherEnd(end)} frame.`;

  /** Moves a frame to the slot before or after it; the frame that is there takes its place. */
  function moveFrame(slot, step) {
    const slots = scenes.flatMap((scene) => ENDS.map((end) => scene[end]));
    const to = slots.indexOf(slot) + step;
    if (!slots[to] || !swapFrames(slot, slots[to])) return;
    slots[to].focus();
    setText(said, `Moved to the ${ENDS[to % 2]} frame of scene ${Math.floor(to / 2) + 1}.`);
  }

  function takeOut(scene) {
    scenes.splice(scenes.indexOf(scene), 1);
    scene.element.remove();
    order.label();
    for (const end of ENDS) scene[end].forget();
  }

  function remove(scene) {
    const at = scenes.indexOf(scene);
    takeOut(scene);
    update();
    if (scenes.length) focusScene(scenes[Math.min(at, scenes.length - 1)]);
    else files.focus();
  }

  const isEmpty = () => !title.value.trim() && !looking && !scenes.some(isBegun);

  const draft = () => ({
    title: title.value,
    choice: choice.value,
    scenes: scenes.map(({ first, last, prompt, duration }) => ({
      prompt,
      duration,
      first: keptFrame(first),
      last: keptFrame(last),
    })),
  });

  /** Keeps what is there now, soon. An older draft that is still offered is not written over meanwhile. */
  function keepSoon() {
    clearTimeout(keeping);
    if (!offered && !made) keeping = setTimeout(() => (isEmpty() ? drafts.drop() : drafts.keep(draft())), KEEP_AFTER_MS);
  }

  /** Puts in the draft that is offered, after what was begun meanwhile. */
  function resume() {
    const kept = offered;
    for (const scene of scenes.filter((one) => !isBegun(one))) takeOut(scene);
    title.value ||= kept.title;
    choice.choose(kept.choice);
    for (const scene of kept.scenes) add().restore(scene);
    if (!scenes.length) add();
    answerOffer();
  }

  function answerOffer(act = () => {}) {
    act();
    offered = null;
    offer.hidden = true;
    title.focus();
    update();
  }

  function discard() {
    // What is offered still was not shown, and stays.
    if (!offered) drafts.drop();
    dialog.close();
  }

  function keepForLater() {
    if (drafts.keep(draft())) return dialog.close();
    ask(false);
    setText(problem, "This draft can't be kept on this device: the browser has no room for it.");
  }

  function update() {
    keepSoon();
    scenes.forEach((scene, index) => scene.label(index + 1));
    const complete = scenes.filter((scene) => scene.first.url && scene.last.url);
    const { durations_s: offered } = choice.model;
    const seconds = complete.reduce((sum, scene) => sum + covering(scene.duration, offered), 0);
    const uploading = looking > 0 || scenes.some((scene) => scene.first.loading || scene.last.loading);
    submit.disabled =
      busy || uploading || !complete.length || complete.length < scenes.filter(isBegun).length;
    const usd = prices.of(seconds, choice.value);
    setText(submit, complete.length ? priced(`Create ${plural(complete.length, "clip")}`, usd) : "Create clips");
    setText(
      estimate,
      complete.length
        ? prices.text(complete.length, seconds, choice.value)
        : "Each scene needs both of its frames.",
    );
  }

  async function send(event) {
    event.preventDefault();
    if (submit.disabled) return;
    busy = true;
    update();
    setText(problem, "");
    const wanted = scenes.filter((scene) => scene.first.url && scene.last.url);
    const byNumber = (value) =>
      Object.fromEntries(wanted.map((scene, index) => [String(index + 1), value(scene, index + 1)]));
    try {
      made = await clips.create({
        script: title.value.trim() || null,
        frames: byNumber(({ first, last }) => ({ first_frame: first.url, last_frame: last.url })),
        scenes: byNumber(({ prompt, duration }, number) => ({
          scene_id: number,
          description: prompt.trim(),
          duration: covering(duration, choice.model.durations_s),
        })),
      });
    } catch (error) {
      setText(problem, refusalText(error));
      busy = false;
      update();
      return;
    }
    if (!offered) drafts.drop();
    dialog.close();
    try {
      const answer = await clips.generate(made, asCall(choice.value));
      toast(`${plural(answer.total_clips, "clip")} submitted.`);
    } catch (error) {
      // The project is stored: its view has the button that tries again.
      toast(refusalText(error), "failed");
    }
  }

  form.addEventListener("input", keepSoon);
  files.addEventListener("change", () => {
    takeFiles([...files.files]);
    files.value = "";
  });
  dialog.addEventListener("dragover", (event) => {
    if (order.isDragging() || isFrameDragged()) return;
    event.preventDefault();
    drop.classList.add("over");
  });
  dialog.addEventListener("dragleave", (event) => event.target === dialog && drop.classList.remove("over"));
  dialog.addEventListener("drop", (event) => {
    drop.classList.remove("over");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    takeFiles([...event.dataTransfer.files]);
  });
  document.body.append(dialog);
  add();
  dialog.showModal();
  if (offered) offer.querySelector("button").focus();
  else title.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      clearTimeout(keeping);
      for (const scene of scenes) for (const end of ENDS) scene[end].forget();
      dialog.remove();
      resolve(made);
    });
  });
}

const button = (text, onclick, kind) => h("button", { type: "button", class: kind, onclick }, text);
const bar = (text, ...buttons) =>
  h("div", { class: "draft-bar", role: "group", "aria-label": text }, h("p", {}, text), h("div", { class: "actions" }, buttons));

/** A draft in a few words. */
const draftText = ({ title, scenes }) => (title.trim() ? `“${title.trim()}”, ${plural(scenes.length, "scene")}` : plural(scenes.length, "scene"));

const otherEnd = (end) => (end === "first" ? "last" : "first");
const isFree = (slot) => !slot.url && !slot.loading;
/** Whether a file is the other half of the pair whose first half is in a slot. */
const isPartner = (slot, file) => Boolean(slot.name) && pairFiles([slot, file]).length === 1;
const tell = (place, texts) => place.replaceChildren(...texts.map((text) => h("p", {}, text)));
const focusScene = (scene) => scene.first.focus();
