/** One project: its scenes in order, live. */
import { notOrderedBanner } from "./banner.js";
import { projectBar } from "./bar.js";
import { h, icon, setText } from "./dom.js";
import { earlierSection } from "./earlier.js";
import { sceneFinder } from "./finder.js";
import { duplicate, openRename, remove } from "./manage.js";
import { Menu } from "./menu.js";
import { lastPlace } from "./place.js";
import { openPlayer } from "./player.js";
import { pricedFor } from "./price.js";
import {
  failedScenes,
  isComplete,
  missingScenes,
  notOrderedScenes,
  otherChoice,
  progressNews,
  retryNews,
  shareOf,
  tally,
  waitingSince,
} from "./project-model.js";
import { refusalText } from "./reasons.js";
import { openRemake } from "./remake.js";
import { SceneCard } from "./scene.js";
import { toast } from "./toasts.js";
import { projectVideos } from "./video.js";
import { age, choiceText, clipCount, dollars, plural, projectState, scenesOf, titleOf } from "./words.js";
import { Workshop } from "./workshop.js";

const TICK_MS = 1_000;
const CONNECTIONS = {
  connecting: "Connecting…",
  live: "Live",
  polling: "Looking every few seconds",
  offline: "Offline: trying to reconnect",
};

/** `element` shows it; `leave` ends what it began. `onProblem` gets an error that no repetition mends. */
export class ProjectView {
  /** @type {import("../client/clips.js").WatchedProject | null} */
  #project = null;
  /** @type {Map<string, SceneCard>} */
  #cards = new Map();
  #id;
  #clips;
  #config;
  #videos;
  #title = h("h1", {}, "Project");
  #summary = h("p", { class: "summary" });
  #bar = projectBar();
  #link = h("span", { class: "connection", "data-connection": "connecting" }, CONNECTIONS.connecting);
  #playAll = action("play", "Play all", () => this.#play());
  #retryAll = action("retry", "Retry failed", () => this.#retry(keysOf(failedScenes(this.#scenes()))));
  #makeWith = action("sliders", "Make with…", () => this.#remake());
  #generate = action("plus", "Generate clips", () => this.#generateMissing(), "primary");
  #add = action("plus", "Add scene", () => this.#scenework.add(), "add");
  #list = h("ol", { class: "scenes" }, waitingCard(), waitingCard());
  #finder = sceneFinder(this.#cards);
  #more = new Menu();
  #notOrdered;
  #scenework;
  #earlier;
  #stop;
  #timer;

  constructor(projectId, { clips, config, operator, onProblem }) {
    this.#id = projectId;
    this.#clips = clips;
    this.#config = config;
    this.#videos = projectVideos({ clips, projectId, config });
    this.#notOrdered = notOrderedBanner({ operator, onAgain: (keys) => this.#retry(keys) });
    this.#scenework = new Workshop({
      clips,
      config,
      projectId,
      current: () => this.#project,
      onStored: (stored) => this.#store(stored),
      focusScene: (key) => this.#cards.get(key)?.focus(),
    });
    this.#earlier = earlierSection({
      clips,
      projectId,
      onKept: () => toast("The clips are kept.", "done"),
    });
    this.element = this.#build();
    document.title = "Project · Clips";
    this.#stop = clips.watch(projectId, (project) => this.#change(project), {
      onConnection: (state) => this.#showConnection(state),
      onError: (error) => onProblem(error, () => window.dispatchEvent(new Event("hashchange"))),
    });
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  leave() {
    this.#stop();
    this.#earlier.leave();
    this.#scenework.leave();
    clearInterval(this.#timer);
  }

  #build() {
    const actions = [this.#playAll, this.#retryAll, this.#makeWith, this.#generate, this.#more.element];
    const head = h("div", { class: "grow" }, this.#title, this.#summary);
    return h(
      "section",
      { class: "page" },
      h("a", { class: "back", href: lastPlace() }, icon("back"), "Projects"),
      h("div", { class: "page-head" }, head, h("div", { class: "actions" }, actions)),
      h("div", { class: "overall" }, this.#bar.element, this.#link),
      this.#notOrdered.element,
      this.#earlier.element,
      this.#finder.element,
      this.#list,
      this.#add,
    );
  }

  #showConnection(state) {
    this.#link.dataset.connection = state;
    setText(this.#link, CONNECTIONS[state]);
  }

  #scenes() {
    return scenesOf(this.#project);
  }

  /** Shows a project as it is after an edit, whose answer knows nothing of clocks. */
  #store(stored) {
    this.#change({ ...stored, clockSkewMs: this.#project.clockSkewMs });
  }

  #change(next) {
    const before = this.#project;
    this.#project = next;
    const scenes = this.#scenes();
    this.#showScenes(scenes);
    this.#showMenu(scenes);
    setText(this.#title, titleOf(next));
    this.#showActions(scenes);
    this.#tick();
    if (before) for (const { text, tone } of progressNews(before, next)) toast(text, tone);
  }

  #showScenes(scenes) {
    this.#removeCards(scenes);
    for (const [index, scene] of scenes.entries()) {
      const card = this.#cardOf(scene.key);
      if (this.#list.children[index] !== card)
        this.#list.insertBefore(card, this.#list.children[index] ?? null);
      card.show({ ...scene, madeWith: otherChoice(this.#project, scene.job, this.#config.models) });
    }
    this.#finder.show(scenes);
    if (!scenes.length) this.#list.append(h("li", { class: "nothing" }, "This project has no scenes."));
  }

  /** Takes away what is not among these scenes; what stays is left alone, so that a video goes on playing. */
  #removeCards(scenes) {
    const keys = new Set(keysOf(scenes));
    for (const key of this.#cards.keys()) if (!keys.has(key)) this.#cards.delete(key);
    const kept = new Set(this.#cards.values());
    for (const one of [...this.#list.children])
      if (!(one instanceof SceneCard && kept.has(one))) one.remove();
  }

  #cardOf(key) {
    if (!this.#cards.has(key)) {
      const on = {
        retry: () => this.#retry([key]),
        edit: () => this.#scenework.edit(key),
        make: () => this.#scenework.make([key]),
        cancel: () => this.#scenework.cancel(key),
        remove: () => this.#scenework.remove(key),
      };
      this.#cards.set(key, new SceneCard({ on, videos: this.#videos }));
    }
    return this.#cards.get(key);
  }

  /** A menu that stays the same keeps its actions: each is about the project as it is when it is chosen. */
  #showMenu(scenes) {
    const clips = this.#clips;
    const onStored = (stored) => this.#store(stored);
    const rename = () => openRename({ clips, project: this.#project, onStored });
    const arrange = {
      text: "Arrange scenes",
      icon: "arrange",
      onChoose: () => this.#scenework.arrange(),
    };
    this.#more.set("More about this project", [
      { text: "Rename", icon: "edit", onChoose: rename },
      ...(scenes.length > 1 ? [arrange] : []),
      { text: "Duplicate", icon: "copy", onChoose: () => duplicate(clips, this.#project) },
      { text: "Delete", icon: "trash", onChoose: () => remove(clips, this.#project), danger: true },
    ]);
  }

  /** What can be done to the whole project, each with its price. */
  #showActions(scenes) {
    this.#add.hidden = false;
    this.#playAll.hidden = !this.#project.jobs.some((job) => job.video_url);
    this.#notOrdered.show(notOrderedScenes(scenes));
    const failed = failedScenes(scenes);
    this.#retryAll.hidden = !failed.length;
    const again = failed.length === 1 ? "Retry failed clip" : `Retry ${failed.length} failed clips`;
    setText(this.#retryAll.lastChild, pricedFor(again, failed));
    const complete = scenes.filter(isComplete);
    this.#makeWith.hidden = !complete.length;
    this.#earlier.show(this.#project, complete);
    this.#showGenerate(missingScenes(scenes));
  }

  #showGenerate(missing) {
    this.#generate.hidden = !missing.length;
    this.#generate.classList.toggle("primary", !this.#earlier.keepable);
    const count = plural(missing.length, "clip");
    const making = this.#project.earlier?.length ? `Make ${count} anew` : `Generate ${count}`;
    setText(this.#generate.lastChild, pricedFor(making, missing));
  }

  #serviceTime() {
    return Date.now() + (this.#project.clockSkewMs ?? 0);
  }

  /** Shows what changes with the time alone. */
  #tick() {
    if (!this.#project) return;
    const now = this.#serviceTime();
    for (const card of this.#cards.values()) card.tick(now);
    const counts = tally(this.#project, this.#cards.size);
    const state = projectState(counts);
    this.#bar.show(counts, state.tone, shareOf(this.#project, counts, now));
    document.title = `${counts.completed}/${counts.total} · ${titleOf(this.#project)} · Clips`;
    this.#summary.replaceChildren(...this.#facts(counts, state, now).filter(Boolean));
  }

  #facts(counts, state, now) {
    const { jobs, cost_usd: usd } = this.#project;
    const gone = jobs.filter(this.#videos.isGone).length;
    const since = counts.pending > 0 && waitingSince(this.#project);
    return [
      h("span", { class: `chip tone-${state.tone}` }, state.text),
      gone > 0 && h("span", { class: "chip tone-late" }, `${plural(gone, "link")} ended`),
      h("span", {}, clipCount(counts)),
      h("span", {}, choiceText(this.#project, this.#config.models)),
      usd > 0 && h("span", {}, dollars(usd) + (counts.pending ? " so far" : "")),
      since && h("span", { class: "muted" }, `Started ${age(since, now)}`),
    ];
  }

  async #retry(scenes) {
    try {
      const answer = await this.#clips.retry(this.#id, { scenes });
      for (const { text, tone } of retryNews(answer)) toast(text, tone);
    } catch (error) {
      toast(refusalText(error), "failed");
    }
  }

  #remake() {
    const { model, resolution, audio } = this.#project;
    openRemake({
      clips: this.#clips,
      config: this.#config,
      projectId: this.#id,
      current: { model, resolution, audio },
      scenes: this.#scenes().filter(isComplete),
      onMake: async (choice) => {
        const answer = await this.#clips.generate(this.#id, choice);
        const made = answer.results.filter((result) => result.success).length;
        toast(`${plural(made, "clip")} with ${choiceText(choice, this.#config.models)}.`);
      },
    });
  }

  async #generateMissing() {
    this.#generate.disabled = true;
    // Only what the label has counted.
    await this.#scenework.make(keysOf(missingScenes(this.#scenes())));
    this.#generate.disabled = false;
  }

  #play() {
    const scenes = this.#scenes().filter((scene) => scene.job?.video_url);
    openPlayer(scenes, this.#videos, () => this.#serviceTime());
  }
}

const keysOf = (scenes) => scenes.map((scene) => scene.key);
const action = (shape, text, onclick, kind = undefined) =>
  h("button", { type: "button", class: kind, hidden: true, onclick }, icon(shape), text);
const waitingCard = () => h("li", { class: "scene waiting", "aria-hidden": "true" });
