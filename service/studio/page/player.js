/** All clips of a project, one after the other. */
import { h, icon, setText } from "./dom.js";

/** Opens the player; `scenes` have their videos. */
export function openPlayer(scenes) {
  let at = 0;
  const video = h("video", {
    controls: true,
    playsinline: true,
    autoplay: true,
    "aria-label": "All clips in order",
  });
  const place = h("p", { role: "status" });
  const previous = h("button", { type: "button", onclick: () => show(at - 1) }, icon("back"), "Previous");
  const next = h("button", { type: "button", onclick: () => show(at + 1) }, "Next", icon("next"));
  const dialog = h(
    "dialog",
    { class: "player", "aria-label": "All clips in order" },
    h(
      "div",
      { class: "dialog-head" },
      place,
      h(
        "button",
        { type: "button", class: "quiet icon-only", "aria-label": "Close", onclick: () => dialog.close() },
        icon("remove"),
      ),
    ),
    video,
    h("div", { class: "actions" }, previous, next),
  );

  function show(index) {
    at = index;
    video.src = scenes[at].job.video_url;
    setText(place, `Scene ${scenes[at].key}, ${at + 1} of ${scenes.length}`);
    previous.disabled = at === 0;
    next.disabled = at === scenes.length - 1;
    // Refused where the browser wants a click first; the controls are there for it.
    video.play().catch(() => {});
  }

  video.addEventListener("ended", () => at < scenes.length - 1 && show(at + 1));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  show(0);
}
