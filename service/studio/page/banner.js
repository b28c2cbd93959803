/** What is said once for a whole project: that its clips could not be ordered, which no scene is to blame for. */
import { h, icon, setText } from "./dom.js";
import { notOrderedText } from "./reasons.js";

/** The banner; its `show` takes the jobs that could not be ordered, `onAgain` is given their scenes. */
export function notOrderedBanner({ operator, onAgain }) {
  let scenes = [];
  const heading = h("h2", {});
  const text = h("p", {});
  const again = h("button", { type: "button", onclick: ask }, icon("retry"), "Try again");
  const element = h(
    "section",
    { class: "banner", hidden: true },
    icon("alert", 20),
    h("div", { class: "grow", role: "status" }, heading, text),
    again,
  );

  async function ask() {
    again.disabled = true;
    await onAgain(scenes);
    again.disabled = false;
  }

  function show(jobs) {
    element.hidden = !jobs.length;
    if (!jobs.length) return;
    scenes = jobs.map((job) => job.scene);
    const told = notOrderedText(jobs, operator);
    setText(heading, told.heading);
    setText(text, told.text);
  }

  return { element, show };
}
