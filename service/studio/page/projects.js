/** All projects, newest first. */
import { h, icon, picture, setText } from "./dom.js";
import { age, clipCount, countsOf, dollars, projectState, titleOf } from "./words.js";

const LIMIT = 200;
// While something is being generated; a project's own view has its event stream.
const LOOK_MS = 5_000;

export function projectsView({ clips, onProblem, onCreate }) {
  let projects = null;
  let timer = 0;
  let gone = false;
  const list = h("ul", { class: "projects" });
  const count = h("p", { class: "muted", role: "status" });
  const search = h("input", { type: "search", id: "search", placeholder: "Search", oninput: render });
  const element = h(
    "section",
    { class: "page" },
    h(
      "div",
      { class: "page-head" },
      h("div", {}, h("h1", {}, "Projects"), count),
      h(
        "div",
        { class: "search", hidden: true },
        icon("search"),
        h("label", { for: "search", class: "unseen" }, "Search projects"),
        search,
      ),
    ),
    list,
  );
  const searchBox = element.querySelector(".search");
  list.append(
    ...Array.from({ length: 3 }, () => h("li", { class: "project-card waiting", "aria-hidden": "true" })),
  );

  async function load() {
    clearTimeout(timer);
    try {
      projects = await clips.projects({ limit: LIMIT });
    } catch (error) {
      if (gone) return;
      // What is shown stays; only a first look that fails has nothing to show.
      if (!projects || error.status === 401)
        onProblem(error, () => window.dispatchEvent(new Event("hashchange")));
      else timer = setTimeout(load, LOOK_MS);
      return;
    }
    if (gone) return;
    render();
    const busy = projects.some((project) => project.counts.pending);
    if (busy && document.visibilityState === "visible") timer = setTimeout(load, LOOK_MS);
  }

  function render() {
    if (!projects) return;
    searchBox.hidden = projects.length === 0;
    if (!projects.length) {
      setText(count, "");
      list.replaceWith(emptyView(onCreate));
      return;
    }
    const wanted = search.value.trim().toLowerCase();
    const found = projects.filter((project) => searchText(project).includes(wanted));
    setText(
      count,
      wanted
        ? `${found.length} of ${projects.length} projects`
        : projects.length === 1
          ? "1 project"
          : `${projects.length} projects`,
    );
    list.replaceChildren(...found.map(card));
    if (!found.length)
      list.append(h("li", { class: "nothing" }, `Nothing matches “${search.value.trim()}”.`));
  }

  const look = () => document.visibilityState === "visible" && load();
  document.addEventListener("visibilitychange", look);
  document.title = "Projects · Clips";
  load();
  return {
    element,
    leave() {
      gone = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", look);
    },
  };
}

const searchText = (project) =>
  `${titleOf(project)} ${projectState(countsOf(project)).text} ${project.id}`.toLowerCase();

function card(project) {
  const counts = countsOf(project);
  const state = projectState(counts);
  const frames = project.thumbnails.slice(0, 4);
  return h(
    "li",
    { class: "project-card" },
    h(
      "div",
      { class: "strip", "data-frames": String(Math.max(1, frames.length)) },
      frames.length ? frames.map((url) => picture(url, "", { loading: "lazy" })) : picture("", "No frames"),
    ),
    h(
      "div",
      { class: "project-text" },
      h("h2", {}, h("a", { href: `#/projects/${project.id}` }, titleOf(project))),
      h(
        "p",
        { class: "facts" },
        h("span", { class: `chip tone-${state.tone}` }, state.text),
        h("span", {}, clipCount(counts)),
        project.earlier?.length > 0 && h("span", { class: "muted" }, "made before"),
      ),
      h("progress", {
        class: `bar-${state.tone}`,
        max: "1",
        value: String(counts.total ? counts.completed / counts.total : 0),
        "aria-label": `Clips done: ${clipCount(counts)}`,
      }),
      h(
        "p",
        { class: "facts muted" },
        h("time", { datetime: project.created_at }, age(project.created_at, Date.now())),
        project.cost_usd > 0 && h("span", { class: "cost" }, dollars(project.cost_usd)),
      ),
    ),
  );
}

function emptyView(onCreate) {
  return h(
    "div",
    { class: "empty" },
    h(
      "div",
      { class: "empty-frames", "aria-hidden": "true" },
      h("span", {}),
      icon("next", 20),
      h("span", {}),
      icon("next", 20),
      h("span", { class: "empty-clip" }, icon("play", 22)),
    ),
    h("h2", {}, "Make your first video"),
    h(
      "p",
      { class: "lead" },
      "Give each scene a first and a last frame and say what happens in between. Each pair becomes a clip of 4 to 8 seconds.",
    ),
    h("button", { class: "primary", type: "button", onclick: onCreate }, icon("plus"), "Create video"),
  );
}
