/** All clips of a project, one after the other. */
import { dialogHead } from "./dialog.js";
import { h, icon, setText } from "./dom.js";
import { goneText } from "./words.js";

/** Opens the player; `scenes` have their videos, `now` gives the service's time. */
export function openPlayer(scenes, videos, now) {
  let at = 0;
  const video = h("video", {
    controls: true,
    playsinline: true,
    autoplay: true,
    "aria-label": "All clips in order",
  });
  const problem = h("p", { class: "player-problem", role: "alert", hidden: true });
  const place = h("p", { role: "status" });
  const previous = h("button", { type: "button", onclick: () => show(at - 1) }, icon("back"), "Previous");
  const next = h("button", { type: "button", onclick: () => show(at + 1) }, "Next", icon("next"));
  const dialog = h(
    "dialog",
    { class: "player", "aria-label": "All clips in order" },
    dialogHead(place, () => dialog.close()),
    video,
    problem,
    h("div", { class: "actions" }, previous, next),
  );

  function show(index) {
    at = index;
    const { job } = scenes[at];
    video.src = job.video_url;
    tell(videos.isGone(job) ? goneText(job, now()) : "");
    setText(place, `Scene ${scenes[at].key}, ${at + 1} of ${scenes.length}`);
    previous.disabled = at === 0;
    next.disabled = at === scenes.length - 1;
    // Refused where the browser wants a click first; the controls are there for it.
    video.play().catch(() => {});
  }

  function tell(text) {
    setText(problem, text);
    problem.hidden = !text;
    video.hidden = Boolean(text);
    if (!text) return;
    video.removeAttribute("src");
    video.load();
  }

  video.addEventListener("error", async () => {
    const { job } = scenes[at];
    const found = await videos.look(job);
    if (job !== scenes[at].job) return;
    tell(found === "gone" ? goneText(job, now()) : "The video does not load now. Try again in a minute.");
  });
  video.addEventListener("ended", () => at < scenes.length - 1 && show(at + 1));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  show(0);
}
