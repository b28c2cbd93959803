/** The dialog that makes a video: frame pairs, what happens in between, and what it will cost. */
import { asCall, choiceFields, costText, covering, defaultChoice, durationField } from "./choice.js";
import { h, icon, setText } from "./dom.js";
import { frameSlot, sidesText } from "./slots.js";
import { plural } from "./words.js";
import { toast } from "./toasts.js";

const ENDS = ["first", "last"];
let dragged = null;

/** Opens the dialog; gives the id of the project that was made, or null if it was closed. */
export function openCreate({ clips, config }) {
  const scenes = [];
  let prices = [];
  let busy = false;
  let made = null;

  const list = h("ol", { class: "drafts" });
  const said = h("p", { class: "unseen", role: "status" });
  const problem = h("p", { class: "field-problem", role: "alert" });
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
    h("span", { class: "muted" }, `In pairs, by name: first frame, last frame. PNG, JPEG or WebP, ${sidesText(config)}.`),
  );
  const form = h(
    "form",
    { onsubmit: send, novalidate: true },
    h(
      "div",
      { class: "dialog-head" },
      h("h2", { id: "create-title" }, "Create video"),
      h(
        "button",
        { type: "button", class: "quiet icon-only", "aria-label": "Close", onclick: () => dialog.close() },
        icon("remove"),
      ),
    ),
    h(
      "div",
      { class: "dialog-body" },
      h(
        "div",
        { class: "field" },
        h("label", { for: "title" }, "Name ", h("span", { class: "muted" }, "(optional)")),
        title,
      ),
      choice.element,
      files,
      drop,
      list,
      h(
        "button",
        { type: "button", class: "add", onclick: () => focusScene(add()) },
        icon("plus"),
        "Add scene",
      ),
      said,
    ),
    h("div", { class: "dialog-foot" }, h("div", { class: "grow" }, problem, estimate), submit),
  );
  const dialog = h("dialog", { class: "create", "aria-labelledby": "create-title" }, form);

  function add() {
    const slot = (name) => frameSlot({ clips, config, name, onChange: update, takesDrops: () => !dragged });
    const scene = { first: slot("First frame"), last: slot("Last frame"), prompt: "", duration: 0 };
    scene.element = draft(scene);
    scenes.push(scene);
    list.append(scene.element);
    scene.follow();
    update();
    return scene;
  }

  function draft(scene) {
    const number = h("span", { class: "draft-number" });
    const id = `scene-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
    const prompt = h("textarea", {
      id,
      rows: "3",
      placeholder: "What happens between the two frames?",
      oninput: () => (scene.prompt = prompt.value),
    });
    const durations = h("div", {});
    const grip = h(
      "button",
      { type: "button", class: "quiet icon-only grip", draggable: "true" },
      icon("grip"),
    );
    const up = h(
      "button",
      { type: "button", class: "quiet icon-only", onclick: () => move(scene, -1, up) },
      icon("up"),
    );
    const down = h(
      "button",
      { type: "button", class: "quiet icon-only", onclick: () => move(scene, 1, down) },
      icon("down"),
    );
    const remove = h(
      "button",
      { type: "button", class: "quiet icon-only", onclick: () => removeScene(scene) },
      icon("remove"),
    );
    const element = h(
      "li",
      { class: "draft" },
      h("div", { class: "draft-head" }, grip, number, h("span", { class: "grow" }), up, down, remove),
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
        ),
      ),
    );
    /** Offers the durations of the chosen model; what was wanted before stays wanted. */
    scene.follow = () => {
      const { durations_s: offered, prompt_limit: limit } = choice.model;
      if (limit) prompt.setAttribute("maxlength", limit);
      else prompt.removeAttribute("maxlength");
      durations.replaceChildren(
        durationField(offered, covering(scene.duration, offered), `${id}-duration`, (seconds) => {
          scene.duration = seconds;
          update();
        }),
      );
    };
    grip.addEventListener("keydown", (event) => {
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      move(scene, step, grip);
    });
    grip.addEventListener("dragstart", (event) => {
      dragged = scene;
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setDragImage(element, 20, 20);
      element.classList.add("dragged");
    });
    grip.addEventListener("dragend", () => {
      dragged = null;
      element.classList.remove("dragged");
    });
    element.addEventListener("dragover", (event) => {
      if (!dragged || dragged === scene || !scenes.includes(dragged)) return;
      event.preventDefault();
      place(dragged, scenes.indexOf(scene));
    });
    scene.label = (position) => {
      setText(number, `Scene ${position}`);
      grip.setAttribute("aria-label", `Move scene ${position}: drag, or press arrow up or down`);
      up.setAttribute("aria-label", `Move scene ${position} up`);
      down.setAttribute("aria-label", `Move scene ${position} down`);
      remove.setAttribute("aria-label", `Remove scene ${position}`);
      durations.firstChild.setAttribute("aria-label", `Duration of scene ${position}`);
      up.disabled = position === 1;
      down.disabled = position === scenes.length;
      for (const end of ENDS) scene[end].label(`scene ${position}`);
    };
    return element;
  }

  /** Fills what is empty, in order, then adds scenes. */
  function takePairs(chosen) {
    const inOrder = [...chosen].sort((one, other) =>
      one.name.localeCompare(other.name, "en", { numeric: true }),
    );
    const free = scenes
      .flatMap((scene) => ENDS.map((end) => scene[end]))
      .filter((slot) => !slot.url && !slot.loading);
    for (const file of inOrder) {
      if (!free.length) {
        const scene = add();
        free.push(scene.first, scene.last);
      }
      free.shift().take(file);
    }
  }

  function move(scene, step, focus) {
    const to = scenes.indexOf(scene) + step;
    if (to < 0 || to >= scenes.length) return;
    place(scene, to);
    (focus.disabled ? scene.element.querySelector(".grip") : focus).focus();
    setText(said, `Moved to position ${to + 1} of ${scenes.length}.`);
  }

  function place(scene, to) {
    scenes.splice(scenes.indexOf(scene), 1);
    scenes.splice(to, 0, scene);
    list.insertBefore(scene.element, scenes[to + 1]?.element ?? null);
    update();
  }

  function removeScene(scene) {
    const at = scenes.indexOf(scene);
    scenes.splice(at, 1);
    scene.element.remove();
    for (const end of ENDS) scene[end].forget();
    update();
    if (scenes.length) focusScene(scenes[Math.min(at, scenes.length - 1)]);
    else files.focus();
  }

  function update() {
    scenes.forEach((scene, index) => scene.label(index + 1));
    const complete = scenes.filter((scene) => scene.first.url && scene.last.url);
    const { durations_s: offered } = choice.model;
    const seconds = complete.reduce((sum, scene) => sum + covering(scene.duration, offered), 0);
    const uploading = scenes.some((scene) => scene.first.loading || scene.last.loading);
    submit.disabled =
      busy || uploading || !complete.length || complete.length < scenes.filter(isBegun).length;
    setText(submit, complete.length ? `Create ${plural(complete.length, "clip")}` : "Create clips");
    setText(
      estimate,
      complete.length
        ? costText(complete.length, seconds, choice.value, prices, config.models)
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
      setText(problem, error.message);
      busy = false;
      update();
      return;
    }
    dialog.close();
    try {
      const answer = await clips.generate(made, asCall(choice.value));
      toast(`${plural(answer.total_clips, "clip")} submitted.`);
    } catch (error) {
      // The project is stored: its view has the button that tries again.
      toast(error.message, "failed");
    }
  }

  files.addEventListener("change", () => {
    takePairs(files.files);
    files.value = "";
  });
  dialog.addEventListener("dragover", (event) => {
    if (dragged) return;
    event.preventDefault();
    drop.classList.add("over");
  });
  dialog.addEventListener("dragleave", (event) => event.target === dialog && drop.classList.remove("over"));
  dialog.addEventListener("drop", (event) => {
    drop.classList.remove("over");
    if (dragged || !event.dataTransfer.files.length) return;
    event.preventDefault();
    takePairs(event.dataTransfer.files);
  });
  clips
    .estimates()
    .then((estimates) => {
      prices = estimates.prices;
      update();
    })
    // Without an estimate the dialog says that the price is not known.
    .catch(() => {});

  document.body.append(dialog);
  add();
  dialog.showModal();
  title.focus();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      for (const scene of scenes) for (const end of ENDS) scene[end].forget();
      dialog.remove();
      resolve(made);
    });
  });
}

const isBegun = ({ first, last, prompt }) => Boolean(first.url || last.url || prompt.trim());
const focusScene = (scene) => scene.element.querySelector("input[type=file]").focus();
