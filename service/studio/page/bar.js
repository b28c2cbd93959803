/** A project's bar: how much of it is done, and which share of it has failed. */
import { barName } from "./words.js";
import { h } from "./dom.js";

/** Makes a bar; its `show` takes how a project stands, its tone, and the share that is done, from 0 to 1. */
export function projectBar() {
  const done = h("progress", { max: "1", value: "0" });
  const failed = h("progress", { class: "bar-failed", max: "1", value: "0", "aria-hidden": "true" });
  return {
    element: h("div", { class: "project-bar" }, failed, done),
    show(counts, tone, share = counts.completed / Math.max(counts.total, 1)) {
      done.value = Math.min(1, share);
      // What has failed follows what is done; the share that succeeded is never shown as failed.
      failed.value = counts.failed ? Math.min(1, done.value + counts.failed / Math.max(counts.total, 1)) : 0;
      done.className = `bar-${tone === "failed" ? "done" : tone}`;
      const name = barName(counts);
      if (done.getAttribute("aria-label") !== name) done.setAttribute("aria-label", name);
    },
  };
}
