/** Clips that were made before the service kept a ledger: shown, and kept as the scenes' own if a person says so. */
import { openForm } from "./dialog.js";
import { h, icon, isShowable, picture, setText } from "./dom.js";
import { due } from "./price.js";
import { dollars, plural } from "./words.js";

// As often as the application asks.
const CHECK_MS = 15_000;

/** The section of a project's view. `onKept` is called after the clips were kept. */
export function earlierSection({ clips, projectId, onKept }) {
  let shown = "";
  let checking = 0;
  let pairs = [];
  const notice = h("p", { class: "earlier-notice", role: "status" });
  const reason = h("p", { class: "muted" });
  const keep = h(
    "button",
    { type: "button", class: "primary", onclick: () => openKeep({ pairs, onKeep }) },
    "Keep these clips…",
  );
  const list = h("ol", { class: "earlier-clips" });
  const element = h(
    "section",
    { class: "earlier", hidden: true, "aria-labelledby": "earlier-title" },
    h("h2", { id: "earlier-title" }, "Made before this service kept a ledger"),
    h("div", { class: "earlier-head" }, h("div", { class: "grow" }, notice, reason), keep),
    list,
  );

  /** Shows what a project has of them; `scenes` are those with both frames. */
  function show(project, scenes) {
    const earlier = project.earlier ?? [];
    element.hidden = !earlier.length;
    follow(earlier.some((one) => one.status === "pending"));
    if (!earlier.length) return;
    pairs = scenes.map((scene, index) => ({ scene, clip: earlier[index], number: index + 1 }));
    const refused = refusal(earlier, scenes.length);
    keep.hidden = Boolean(refused);
    setText(reason, refused || "They can be kept as the clips of the scenes, for nothing.");
    setText(notice, noticeText(earlier, scenes));
    // What has not changed is left alone, so that a video goes on playing.
    if (shown === JSON.stringify(earlier)) return;
    shown = JSON.stringify(earlier);
    list.replaceChildren(...earlier.map(clipElement));
  }

  /** Has Runware asked, at once and then every so often; what comes of it shows by the project's own news. */
  function follow(pending) {
    if (pending && !checking) {
      checking = setInterval(check, CHECK_MS);
      check();
    } else if (!pending) leave();
  }

  function check() {
    // Without an answer the next one tells.
    if (document.visibilityState === "visible") clips.status(projectId).catch(() => {});
  }

  function leave() {
    clearInterval(checking);
    checking = 0;
  }

  async function onKeep() {
    await clips.generate(projectId, { adopt: true });
    onKept();
  }

  return {
    element,
    show,
    /** Whether a press of the button would keep them. */
    get keepable() {
      return !element.hidden && !keep.hidden;
    },
    leave,
  };
}

function noticeText(earlier, scenes) {
  const done = earlier.filter((one) => one.status === "completed").length;
  const usd = due(scenes.map((scene) => scene.quote).filter(Boolean));
  const here = `${plural(done, "finished clip")} ${done === 1 ? "is" : "are"} here already.`;
  return usd ? `${here} Made anew: about ${dollars(usd)}.` : here;
}

/** Why the clips can't be those of the scenes, as the service would say; nothing if they can. */
function refusal(earlier, scenes) {
  const count = (status) => earlier.filter((one) => one.status === status).length;
  if (count("pending")) return `${plural(count("pending"), "clip")} may still come.`;
  if (count("failed"))
    return `${plural(count("failed"), "clip")} failed, so that nobody can say which scene the others belong to.`;
  if (earlier.length === scenes) return "";
  return `There are ${plural(earlier.length, "clip")} for ${plural(scenes, "scene")}, so that they can't be kept as theirs.`;
}

function clipElement(clip, index) {
  const name = `Clip ${index + 1}`;
  return h(
    "li",
    {},
    h("div", { class: "clip" }, media(clip, name)),
    h("p", { class: "facts" }, name, said(clip)),
  );
}

function media({ status, videoUrl }, name) {
  if (videoUrl && isShowable(videoUrl)) {
    const shown = { controls: true, playsinline: true, preload: "metadata", "aria-label": name };
    return h("video", { src: videoUrl, ...shown });
  }
  if (status === "pending") return h("div", { class: "no-clip" }, h("span", { class: "spinner" }));
  return h("div", { class: `no-clip ${status}` }, icon(status === "failed" ? "alert" : "play", 24));
}

const said = ({ status }) =>
  status === "completed" ? "" : h("span", { class: "muted" }, status === "pending" ? "Pending" : "Failed");

/** Shows which clip would become which scene's, before it is done. `onKeep` may throw what is then shown. */
function openKeep({ pairs, onKeep }) {
  const hint =
    "They are in the order the application showed them. Nobody kept which scene each belongs to: look at each pair first.";
  const body = h(
    "div",
    // It scrolls, by keyboard, too.
    { class: "dialog-body", tabindex: "0", role: "group", "aria-label": "Each scene with its clip" },
    h("p", {}, hint),
    h("ol", { class: "pairs" }, pairs.map(pairElement)),
  );
  openForm({
    name: "keep",
    heading: "Keep these clips",
    body,
    notes: [h("p", {}, "This costs nothing.")],
    submit: h("button", { class: "primary", type: "submit" }, `Keep ${plural(pairs.length, "clip")}`),
    onSubmit: onKeep,
  });
  body.focus();
}

function pairElement({ scene, clip, number }) {
  const name = `Clip ${number}, for scene ${scene.key}`;
  const frame = (url, which) => h("figure", {}, picture(url, `${which} frame of scene ${scene.key}`));
  return h(
    "li",
    {},
    h("h3", {}, `Scene ${scene.key}`),
    scene.prompt && h("p", { class: "prompt" }, scene.prompt),
    h("div", { class: "frames" }, frame(scene.first, "First"), frame(scene.last, "Last")),
    icon("next", 20),
    h("div", { class: "clip" }, media(clip, name)),
    h("p", { class: "muted" }, `Clip ${number}`),
  );
}
