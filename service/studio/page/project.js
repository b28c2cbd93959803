/** One project: its scenes in order, live. */
import { age, clipCount, dollars, plural, projectState, scenesOf, titleOf } from "./words.js";
import { choiceText } from "./choice.js";
import { pricedFor } from "./price.js";
import { earlierSection } from "./earlier.js";
import { failureText, isNotOrdered, refusalText, withoutIds } from "./reasons.js";
import { h, icon, setText } from "./dom.js";
import { sceneFinder } from "./finder.js";
import { notOrderedBanner } from "./banner.js";
import { projectBar } from "./bar.js";
import { lastPlace } from "./place.js";
import { openRemake } from "./remake.js";
import { duplicate, openRename, remove } from "./manage.js";
import { menu } from "./menu.js";
import { openPlayer } from "./player.js";
import { SceneCard } from "./scene.js";
import { shareDone } from "../client/clips.js";
import { toast } from "./toasts.js";
import { projectVideos } from "./video.js";
import { workshop } from "./workshop.js";

const TICK_MS = 1_000;
const CONNECTIONS = {
  connecting: "Connecting…",
  live: "Live",
  polling: "Looking every few seconds",
  offline: "Offline: trying to reconnect",
};

export function projectView(projectId, { clips, config, operator, onProblem }) {
  let project = null;
  const cards = new Map();
  const videos = projectVideos({ clips, projectId, config });
  const title = h("h1", {}, "Project");
  const summary = h("p", { class: "summary" });
  const bar = projectBar();
  const link = h("span", { class: "connection", "data-connection": "connecting" }, CONNECTIONS.connecting);
  const playAll = h("button", { type: "button", hidden: true, onclick: play }, icon("play"), "Play all");
  const retryAll = h(
    "button",
    { type: "button", hidden: true, onclick: () => retry(failedScenes().map((scene) => scene.key)) },
    icon("retry"),
    "Retry failed",
  );
  const makeWith = h(
    "button",
    { type: "button", hidden: true, onclick: remake },
    icon("sliders"),
    "Make with…",
  );
  const generate = h(
    "button",
    { type: "button", class: "primary", hidden: true, onclick: generateMissing },
    icon("plus"),
    "Generate clips",
  );
  const list = h("ol", { class: "scenes" });
  const finder = sceneFinder(cards);
  const notOrdered = notOrderedBanner({ operator, onAgain: retry });
  const more = menu();
  const scenework = workshop({
    clips,
    config,
    projectId,
    current: () => project,
    onStored: (stored) => change({ ...stored, clockSkewMs: project.clockSkewMs }),
    focusScene: (key) => cards.get(key)?.focus(),
  });
  const add = h(
    "button",
    { type: "button", class: "add", hidden: true, onclick: scenework.add },
    icon("plus"),
    "Add scene",
  );
  const earlier = earlierSection({
    clips,
    projectId,
    onKept: () => toast("The clips are kept.", "done"),
  });
  const element = h(
    "section",
    { class: "page" },
    h("a", { class: "back", href: lastPlace() }, icon("back"), "Projects"),
    h(
      "div",
      { class: "page-head" },
      h("div", { class: "grow" }, title, summary),
      h("div", { class: "actions" }, playAll, retryAll, makeWith, generate, more.element),
    ),
    h("div", { class: "overall" }, bar.element, link),
    notOrdered.element,
    earlier.element,
    finder.element,
    list,
    add,
  );
  list.append(...Array.from({ length: 2 }, () => h("li", { class: "scene waiting", "aria-hidden": "true" })));

  function change(next) {
    const before = project;
    project = next;
    const scenes = scenesOf(project);
    for (const [key, card] of cards) {
      if (scenes.some((scene) => scene.key === key)) continue;
      card.remove();
      cards.delete(key);
    }
    for (const one of list.querySelectorAll(".waiting")) one.remove();
    scenes.forEach((scene, index) => {
      if (!cards.has(scene.key)) cards.set(scene.key, new SceneCard({ on: sceneActions(scene.key), videos }));
      const card = cards.get(scene.key);
      if (list.children[index] !== card) list.insertBefore(card, list.children[index] ?? null);
      card.show({ ...scene, madeWith: otherChoice(scene.job) });
    });
    finder.show(scenes);
    if (!scenes.length && !list.children.length)
      list.append(h("li", { class: "nothing" }, "This project has no scenes."));
    if (scenes.length) list.querySelector(".nothing")?.remove();
    add.hidden = false;
    showMenu(scenes);
    setText(title, titleOf(project));
    playAll.hidden = !project.jobs.some((job) => job.video_url);
    notOrdered.show(scenes.filter((scene) => scene.job && isNotOrdered(scene.job)));
    const failed = failedScenes();
    retryAll.hidden = !failed.length;
    const again = failed.length === 1 ? "Retry failed clip" : `Retry ${failed.length} failed clips`;
    setText(retryAll.lastChild, pricedFor(again, failed));
    const missing = missingScenes();
    generate.hidden = !missing.length;
    const complete = scenes.filter(isComplete);
    makeWith.hidden = !complete.length;
    earlier.show(project, complete);
    generate.classList.toggle("primary", !earlier.keepable);
    const clipsToMake = plural(missing.length, "clip");
    const making = project.earlier?.length ? `Make ${clipsToMake} anew` : `Generate ${clipsToMake}`;
    setText(generate.lastChild, pricedFor(making, missing));
    tick();
    if (before) announce(before, project);
  }

  /** Those whose clips failed. What could not be ordered is asked for again by its own button. */
  const failedScenes = () =>
    scenesOf(project).filter(({ job }) => job?.stage === "failed" && !job.outdated && !isNotOrdered(job));

  /** Those without a clip of what they ask for now. */
  const missingScenes = () =>
    scenesOf(project).filter((scene) => isComplete(scene) && (!scene.job || scene.job.outdated));

  const sceneActions = (key) => ({
    retry: () => retry([key]),
    edit: () => scenework.edit(key),
    make: () => scenework.make([key]),
    cancel: () => scenework.cancel(key),
    remove: () => scenework.remove(key),
  });

  function showMenu(scenes) {
    const onStored = (stored) => change({ ...stored, clockSkewMs: project.clockSkewMs });
    more.set("More about this project", [
      { text: "Rename", icon: "edit", onChoose: () => openRename({ clips, project, onStored }) },
      ...(scenes.length > 1
        ? [{ text: "Arrange scenes", icon: "arrange", onChoose: scenework.arrange }]
        : []),
      { text: "Duplicate", icon: "copy", onChoose: () => duplicate(clips, project) },
      { text: "Delete", icon: "trash", onChoose: () => remove(clips, project), danger: true },
    ]);
  }

  const serviceTime = () => Date.now() + (project.clockSkewMs ?? 0);

  function tick() {
    if (!project) return;
    const now = serviceTime();
    for (const card of cards.values()) card.tick(now);
    const counts = tally(project, cards.size);
    const making = project.jobs.reduce(
      (sum, job) => sum + (job.stage === "failed" ? 0 : shareDone(job, now)),
      0,
    );
    const done = project.jobs.length ? making : counts.completed;
    const state = projectState(counts);
    bar.show(counts, state.tone, done / Math.max(counts.total, 1));
    document.title = `${counts.completed}/${counts.total} · ${titleOf(project)} · Clips`;
    const gone = project.jobs.filter(videos.isGone).length;
    summary.replaceChildren(
      h("span", { class: `chip tone-${state.tone}` }, state.text),
      gone ? h("span", { class: "chip tone-late" }, `${plural(gone, "link")} ended`) : "",
      h("span", {}, clipCount(counts)),
      h("span", {}, choiceText(project, config.models)),
      project.cost_usd > 0
        ? h("span", {}, dollars(project.cost_usd) + (counts.pending ? " so far" : ""))
        : "",
      counts.pending && project.jobs.length
        ? h(
            "span",
            { class: "muted" },
            `Started ${age(new Date(Math.min(...waitingSince(project))).toISOString(), now)}`,
          )
        : "",
    );
  }

  async function retry(scenes) {
    try {
      const answer = await clips.retry(projectId, { scenes });
      const problem = answer.results.find((result) => result.error);
      const sent = answer.results.filter((result) => result.success).length;
      if (problem && !sent) toast(withoutIds(problem.error), "failed");
      else if (sent) toast(`${plural(sent, "clip")} submitted again.`);
      if (answer.note) toast(answer.note);
      const { warning } = answer.results.find((result) => result.warning) ?? {};
      if (warning) toast(withoutIds(warning), "failed");
    } catch (error) {
      toast(refusalText(error), "failed");
    }
  }

  /** What a clip was made with, where that is not what the project's next clips are made with. */
  function otherChoice(job) {
    const same = ["model", "resolution", "audio"].every(
      (name) => !job || job.adopted || job[name] === project[name],
    );
    return same ? "" : choiceText(job, config.models);
  }

  function remake() {
    openRemake({
      clips,
      config,
      projectId,
      current: { model: project.model, resolution: project.resolution, audio: project.audio },
      scenes: scenesOf(project).filter(isComplete),
      async onMake(choice) {
        const answer = await clips.generate(projectId, choice);
        const made = answer.results.filter((result) => result.success).length;
        toast(`${plural(made, "clip")} with ${choiceText(choice, config.models)}.`);
      },
    });
  }

  async function generateMissing() {
    generate.disabled = true;
    // Only what the label has counted.
    await scenework.make(missingScenes().map((scene) => scene.key));
    generate.disabled = false;
  }

  function play() {
    openPlayer(
      scenesOf(project).filter((scene) => scene.job?.video_url),
      videos,
      serviceTime,
    );
  }

  const stop = clips.watch(projectId, change, {
    onConnection(state) {
      link.dataset.connection = state;
      setText(link, CONNECTIONS[state]);
    },
    onError: (error) => onProblem(error, () => window.dispatchEvent(new Event("hashchange"))),
  });
  const timer = setInterval(tick, TICK_MS);
  document.title = "Project · Clips";
  return {
    element,
    leave() {
      stop();
      earlier.leave();
      scenework.leave();
      clearInterval(timer);
    },
  };
}

const isComplete = (scene) => scene.first && scene.last && !scene.problem;

const waitingSince = (project) =>
  project.jobs.filter((job) => !job.settled_at).map((job) => Date.parse(job.waiting_since));

function tally(project, scenes) {
  if (project.earlier?.length) return project.counts;
  const count = (wanted) => project.jobs.filter((job) => wanted.includes(job.status)).length;
  return {
    total: scenes,
    completed: count(["succeeded"]),
    pending: count(["submitting", "pending"]),
    failed: count(["failed"]),
  };
}

/** Says what has happened: a failure, each tenth done, the end. */
function announce(before, after) {
  const ended = new Set(before.jobs.filter((job) => job.settled_at).map((job) => job.task_uuid));
  const news = after.jobs.filter(
    (job) => job.settled_at && !ended.has(job.task_uuid) && job.error?.kind !== "withdrawn",
  );
  for (const job of news.filter((one) => one.stage === "failed" && !isNotOrdered(one))) {
    toast(`Scene ${job.scene} failed: ${failureText(job)}`, "failed");
  }
  const [was, is] = [before, after].map((project) => tally(project, scenesOf(project).length));
  // What was removed or cancelled is no progress.
  if (!news.length) return;
  if (!is.pending) {
    if (is.failed) toast(`Finished: ${plural(is.completed, "clip")} done, ${is.failed} failed.`, "failed");
    else toast(is.completed === 1 ? "Your clip is ready." : `All ${is.completed} clips are ready.`, "done");
    return;
  }
  const tenths = ({ completed, total }) => Math.floor((10 * completed) / Math.max(total, 1));
  if (tenths(is) > tenths(was)) toast(`${clipCount(is)} done.`);
}
