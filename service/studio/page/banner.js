/** What is said once for a whole project: that its clips could not be ordered, which no scene is to blame for. */
import { h, icon, setText } from "./dom.js";
import { pricedFor } from "./price.js";
import { notOrderedText } from "./reasons.js";

/** The banner; its `show` takes the scenes that could not be ordered, `onAgain` is given their keys. */
export function notOrderedBanner({ operator, onAgain }) {
  let keys = [];
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
    await onAgain(keys);
    again.disabled = false;
  }

  function show(scenes) {
    element.hidden = !scenes.length;
    if (!scenes.length) return;
    keys = scenes.map((scene) => scene.key);
    const told = notOrderedText(
      scenes.map((scene) => scene.job),
      operator,
    );
    setText(again.lastChild, pricedFor("Try again", scenes));
    setText(heading, told.heading);
    setText(text, told.text);
  }

  return { element, show };
}
