/** A scene's card: both frames, what happens in between, and its clip or how far that is. */
import { describe, dollars, linkText } from "./words.js";
import { h, icon, isShowable, picture, setText } from "./dom.js";
import { isNotOrdered } from "./reasons.js";
import { Menu } from "./menu.js";
import { pricedFor } from "./price.js";
import { shareDone, smallUrl } from "../client/clips.js";

// A clip's first bytes are read when its card is about to be seen: a long project has hundreds.
const nearby = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting || !(target instanceof HTMLVideoElement)) continue;
      nearby.unobserve(target);
      target.preload = "metadata";
    }
  },
  { rootMargin: "600px 0px" },
);
const still = window.matchMedia("(prefers-reduced-motion: reduce)");
// Runware has it by then, or may have it.
const SENT = ["sent", "generating", "checking"];
const UNSENT = ["queued", "throttled"];

export class SceneCard extends HTMLElement {
  #scene = null;
  #known = [];
  #shown = "";
  #state = h("p", { class: "state" });
  #bar = h("progress", { max: "1", value: "0" });
  #actions = h("div", { class: "scene-actions" });
  #clip = h("div", { class: "clip" });
  #frames = h("div", { class: "frames" });
  #heading = h("h2", {});
  #prompt = h("p", { class: "prompt" });
  #facts = h("p", { class: "facts muted" });
  #outdated = h("p", { class: "outdated" });
  #edit = h(
    "button",
    { type: "button", "data-action": "edit", onclick: () => this.#on.edit() },
    icon("edit"),
    "Edit",
  );
  #menu = new Menu();
  #priced = null;
  #on;
  #videos;

  /** `on` has what is done by the card's buttons: `retry`, `edit`, `make`, `cancel` and `remove`. */
  constructor({ on, videos }) {
    super();
    this.#on = on;
    this.#videos = videos;
  }

  connectedCallback() {
    if (this.childElementCount) return;
    this.className = "scene";
    this.setAttribute("role", "listitem");
    this.append(
      h("div", { class: "media" }, this.#frames, this.#clip),
      h(
        "div",
        { class: "scene-text" },
        h("div", { class: "scene-head" }, this.#heading, this.#menu.element),
        this.#prompt,
        this.#facts,
        this.#state,
        this.#outdated,
        this.#bar,
        this.#actions,
      ),
    );
  }

  /** Shows a scene as it stands; `madeWith` says how its clip differs from the project's choice. What has not changed is left alone, so that a video goes on playing. */
  show(scene) {
    const { key, first, last, prompt, job } = scene;
    const shown = JSON.stringify([
      first,
      last,
      prompt,
      scene.duration,
      job && [job.task_uuid, job.stage, job.video_url, job.cost_usd, job.video_expires_at, job.outdated],
      scene.quote && [scene.quote.duration_s, scene.quote.wanted_s, scene.quote.paid],
      scene.stored,
      scene.madeWith,
      this.#videos.isGone(job),
    ]);
    this.#scene = scene;
    this.#tellPrice();
    if (shown === this.#shown) return;
    this.#shown = shown;
    setText(this.#heading, `Scene ${key}`);
    setText(this.#prompt, prompt || "No prompt.");
    this.#prompt.classList.toggle("muted", !prompt);
    this.#known = [
      secondsText(scene),
      job?.attempt > 1 && `attempt ${job.attempt}`,
      job?.cost_usd && dollars(job.cost_usd),
      scene.madeWith,
    ];
    this.#showFrames(first, last);
    this.#showClip(job, first);
    this.#showActions(job);
    this.#bar.setAttribute("aria-label", `Progress of scene ${key}`);
    this.tick(Date.now());
  }

  /** Moves what moves with the time alone. */
  tick(now) {
    const { job, first, last, problem } = this.#scene;
    const gone = this.#videos.isGone(job);
    const facts = [...this.#known, !gone && linkText(job?.video_expires_at, now)];
    setText(this.#facts, facts.filter(Boolean).join(" · "));
    const missing = missingText(first, last) || problemText(problem);
    const { text, tone } = describe(job, now, missing, gone);
    setText(this.#state, text);
    const stage = job?.stage ?? "none";
    // Written each second by hundreds of cards: only where it differs.
    if (this.#state.className !== `state tone-${tone}`) this.#state.className = `state tone-${tone}`;
    if (this.dataset.stage !== stage) this.dataset.stage = stage;
    this.#bar.toggleAttribute("hidden", !job || Boolean(job.settled_at));
    if (job && !this.#bar.hidden) {
      this.#bar.value = shareDone(job, now);
      this.#bar.className = `bar-${tone}`;
    }
    // While the page was open: a video that was loaded in time still plays.
    if (!gone && Date.parse(job?.video_expires_at) <= now) this.#look(job);
  }

  /** Asks whether the video is still at its link, and shows it as gone if it is. */
  async #look(job) {
    const found = await this.#videos.look(job);
    if (found === "gone" && this.#scene.job?.video_url === job.video_url) this.show(this.#scene);
    return found;
  }

  #showFrames(first, last) {
    const shown = [first, last].join(" ");
    if (this.#frames.dataset.shown === shown) return;
    this.#frames.dataset.shown = shown;
    const key = this.#scene.key;
    const images = [
      picture(first, `First frame of scene ${key}`),
      picture(last, `Last frame of scene ${key}`),
    ];
    images[0].addEventListener("load", ({ target }) => {
      if (!(target instanceof HTMLImageElement)) return;
      this.classList.toggle("wide", target.naturalWidth > target.naturalHeight);
    });
    this.#frames.replaceChildren(
      h("figure", {}, images[0], h("figcaption", {}, "First")),
      h("figure", {}, images[1], h("figcaption", {}, "Last")),
    );
  }

  #showClip(job, first) {
    const gone = this.#videos.isGone(job);
    const url = (!gone && job?.video_url) || "";
    if (url && this.#clip.dataset.shown === url) return;
    this.#clip.dataset.shown = url;
    if (url && isShowable(url)) this.#clip.replaceChildren(this.#video(job, first));
    else if (gone) this.#clip.replaceChildren(noVideo(icon("alert", 24), "Link ended"));
    // Somebody cancelled it: nothing went wrong.
    else if (job?.error?.kind === "withdrawn")
      this.#clip.replaceChildren(h("div", { class: "no-clip" }, icon("play", 24)));
    else if (job?.stage === "failed")
      this.#clip.replaceChildren(h("div", { class: "no-clip failed" }, icon("alert", 24)));
    else if (job)
      this.#clip.replaceChildren(
        h(
          "div",
          { class: "no-clip busy" },
          isShowable(first) ? picture(first, "") : "",
          h("span", { class: "spinner" }),
        ),
      );
    else this.#clip.replaceChildren(h("div", { class: "no-clip" }, icon("play", 24)));
  }

  #video(job, poster) {
    const video = h("video", {
      src: job.video_url,
      poster: isShowable(poster) ? smallUrl(poster) : null,
      controls: true,
      playsinline: true,
      preload: "none",
      "aria-label": `Clip of scene ${this.#scene.key}`,
    });
    nearby.observe(video);
    video.addEventListener("error", () => this.#showUnloaded(job, poster));
    // A look in passing: silent, over and over, and gone with the pointer. A person who presses play is not disturbed.
    let passing = false;
    video.addEventListener("pointerenter", (event) => {
      if (event.pointerType !== "mouse" || still.matches || !video.paused || video.currentTime > 0) return;
      passing = true;
      video.muted = true;
      video.loop = true;
      video.play().catch(() => {});
    });
    const end = () => {
      if (!passing) return;
      passing = false;
      video.loop = false;
      video.muted = false;
    };
    video.addEventListener("pointerdown", end);
    video.addEventListener("pointerleave", () => {
      if (!passing) return;
      end();
      video.pause();
      video.currentTime = 0;
    });
    return video;
  }

  /** A browser says only that a video does not load; the service knows whether its link is dead. */
  async #showUnloaded(job, poster) {
    if ((await this.#look(job)) === "gone" || this.#clip.dataset.shown !== job.video_url) return;
    const again = h("button", { type: "button" }, icon("retry"), "Load again");
    again.addEventListener("click", () => {
      this.#videos.forget(job);
      this.#clip.replaceChildren(this.#video(job, poster));
    });
    this.#clip.replaceChildren(noVideo("The video does not load now.", again));
  }

  #showActions(job) {
    const { key, stored } = this.#scene;
    const { activeElement: active } = document;
    const focused = this.#actions.contains(active) && active.getAttribute("data-action");
    const isModerated = job?.stage === "failed" && job.error?.kind === "safety" && !job.outdated;
    this.#edit.hidden = !stored;
    this.#edit.setAttribute("aria-label", `Edit scene ${key}`);
    this.#edit.classList.toggle("primary", isModerated);
    setText(this.#outdated, job?.outdated ? "Outdated: the scene was edited since." : "");
    this.#priced = null;
    const actions = [this.#again(job), this.#edit, this.#cancel(job), this.#downloadOf(job)];
    // What was moderated is refused again as it is.
    if (isModerated) actions.unshift(actions.splice(1, 1)[0]);
    this.#actions.replaceChildren(...actions.filter(Boolean));
    if (focused) this.#find(focused).focus({ preventScroll: true });
    this.#showMenu(job);
  }

  #find(action) {
    /** @type {HTMLElement | null} */
    const found = this.#actions.querySelector(`[data-action="${action}"]`);
    return found ?? this.#edit;
  }

  /** Puts the focus on the card. */
  focus(options) {
    this.#edit.focus(options);
  }

  /** What makes the scene's clip again: as it is now, or once more. */
  #again(job) {
    const { key, quote } = this.#scene;
    if (job?.outdated && quote?.paid)
      return this.#action(
        "make",
        "restore",
        "Take the earlier clip",
        `Take the earlier clip of scene ${key}`,
      );
    if (job?.outdated) return this.#action("make", "retry", "Make anew", `Make scene ${key} anew`);
    if (job?.stage !== "failed" || isNotOrdered(job)) return null;
    return this.#action("retry", "retry", "Retry", `Retry scene ${key}`);
  }

  #cancel(job) {
    if (!UNSENT.includes(job?.stage)) return null;
    return h(
      "button",
      { ...this.#acting("cancel"), "aria-label": `Cancel scene ${job.scene}` },
      icon("remove"),
      "Cancel",
    );
  }

  /** A button that may spend: its label and its name say how much. */
  #action(action, shape, text, name) {
    const button = h("button", this.#acting(action), icon(shape), h("span", {}));
    this.#priced = { button, text, name };
    this.#tellPrice();
    return button;
  }

  /** What a button needs that waits for what it does. */
  #acting(action) {
    const onclick = async ({ currentTarget: button }) => {
      button.disabled = true;
      await this.#on[action]();
      button.disabled = false;
    };
    return { type: "button", "data-action": action, onclick };
  }

  /** Prices change while a card stays as it is. */
  #tellPrice() {
    if (!this.#priced) return;
    const { button, text, name } = this.#priced;
    setText(button.lastChild, pricedFor(text, [this.#scene]));
    button.setAttribute("aria-label", pricedFor(name, [this.#scene]));
  }

  #downloadOf(job) {
    return job?.video_url && !this.#videos.isGone(job) && this.#download(job);
  }

  #showMenu(job) {
    const { key, stored } = this.#scene;
    const sent = SENT.includes(job?.stage) && { text: "It was sent to Runware, so it can't be cancelled." };
    const remove = stored && { text: "Remove scene", icon: "trash", onChoose: this.#on.remove, danger: true };
    this.#menu.set(`More about scene ${key}`, [sent, remove].filter(Boolean));
  }

  #download(job) {
    const videos = this.#videos;
    const label = h("span", {}, "Download");
    const named = { "aria-label": `Download scene ${job.scene}`, "data-action": "download" };
    const control = videos.linked
      ? h("a", { ...named, class: "button", href: videos.url(job), download: true }, icon("download"), label)
      : h("button", { ...named, type: "button" }, icon("download"), label);
    let busy = false;
    control.addEventListener("click", async (event) => {
      event.preventDefault();
      if (busy) return;
      busy = true;
      setText(label, "Downloading…");
      await videos.save(job, (share) => share && setText(label, `Downloading ${Math.floor(100 * share)} %`));
      setText(label, "Download");
      busy = false;
      if (videos.isGone(job)) this.show(this.#scene);
    });
    return control;
  }
}

const noVideo = (...told) => h("div", { class: "no-clip" }, h("div", { class: "no-video" }, ...told));

/** How long a scene's clip is, or will be; and how long it was to be, where no such clip can be made. */
function secondsText({ job, quote }) {
  if (job?.adopted) return "";
  const seconds = job?.duration_s ?? quote?.duration_s;
  if (!seconds) return "";
  const wanted = job?.outdated ? null : quote?.wanted_s;
  return wanted ? `${seconds} s (${wanted} s asked for)` : `${seconds} s`;
}

function missingText(first, last) {
  if (!first && !last) return "Both frames are missing.";
  if (first && last) return "";
  return `The ${first ? "last" : "first"} frame is missing.`;
}

/** What the service says of a scene's frames, in the page's words. */
const problemText = (problem) => problem && `${problem.replace(/^(first|last)_frame/, "The $1 frame")}.`;

customElements.define("scene-card", SceneCard);
