/** Finding scenes in a long project: only those that failed or are still being made, and from one failure to the next. */
import { h, setText } from "./dom.js";
import { plural } from "./words.js";

// So many fit on a screen or two.
const SHORT = 6;
const FILTERS = {
  all: { name: "All", fits: () => true },
  failed: { name: "Failed", fits: ({ job }) => job?.stage === "failed" },
  pending: { name: "Pending", fits: ({ job }) => Boolean(job) && !job.settled_at },
};

/** `cards` has the element of each scene by its key. */
export function sceneFinder(cards) {
  let scenes = [];
  let filter = "all";
  let last = -1;
  const buttons = Object.entries(FILTERS).map(([name, { name: text }]) =>
    h("button", { type: "button", onclick: () => choose(name) }, text),
  );
  const next = h("button", { type: "button", onclick: jump });
  const said = h("p", { class: "muted", role: "status" });
  const element = h(
    "div",
    { class: "finder", hidden: true },
    h("div", { class: "filters", role: "group", "aria-label": "Which scenes" }, buttons),
    next,
    said,
  );

  const those = (name) => scenes.filter(FILTERS[name].fits);

  function choose(name) {
    filter = name;
    last = -1;
    show(scenes);
    const { length } = those(name);
    setText(said, name === "all" ? "" : `${plural(length, "scene")} of ${scenes.length}`);
  }

  /** Goes to the first failed scene below the one before. */
  function jump() {
    const failed = those("failed");
    const found = failed.find((scene) => scenes.indexOf(scene) > last) ?? failed[0];
    last = scenes.indexOf(found);
    const card = cards.get(found.key);
    card.tabIndex = -1;
    card.scrollIntoView({ block: "center" });
    card.focus({ preventScroll: true });
    setText(said, `Scene ${found.key}: ${failed.indexOf(found) + 1} of ${failed.length} failed`);
  }

  /** Shows these scenes, as far as they are wanted. */
  function show(current) {
    scenes = current;
    const count = Object.fromEntries(Object.keys(FILTERS).map((name) => [name, those(name).length]));
    // What was looked for is done: nobody is left before an empty page.
    if (!count[filter]) filter = "all";
    element.hidden = scenes.length <= SHORT || !(count.failed || count.pending);
    Object.entries(FILTERS).forEach(([name, { name: text }], index) => {
      setText(buttons[index], name === "all" ? text : `${text} ${count[name]}`);
      buttons[index].hidden = !count[name];
      buttons[index].setAttribute("aria-pressed", String(name === filter));
    });
    next.hidden = !count.failed || filter === "pending";
    setText(next, `${count.failed} failed: next`);
    if (filter === "all" && !count.failed) setText(said, "");
    for (const scene of scenes) cards.get(scene.key).toggleAttribute("hidden", !FILTERS[filter].fits(scene));
  }

  return { element, show };
}
