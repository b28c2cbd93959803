/** All projects, newest first, by words and state, page by page. */
import { h, icon, picture, setText } from "./dom.js";
import { projectBar } from "./bar.js";
import { age, clipCount, countsOf, dollars, plural, projectState, titleOf } from "./words.js";
import { keepPlace, readPlace } from "./place.js";
import { refusalText } from "./reasons.js";
import { toast } from "./toasts.js";

// Whole rows, in two, three or four columns.
const PAGE = 48;
// As many as the service gives at once.
const MOST = 1000;
// While something is being generated; a project's own view has its event stream.
const LOOK_MS = 5_000;
// Letters that follow each other faster are one question.
const TYPING_MS = 250;
const FILTERS = { "": "All", generating: "Generating", failed: "Failed", done: "Done", deleted: "Deleted" };

export function projectsView({ clips, onProblem, onCreate }) {
  const place = readPlace(location.hash);
  let projects = null;
  let next = null;
  let question = 0;
  let timer = 0;
  let typing = 0;
  let gone = false;
  const list = h("ul", { class: "projects", onclick: remember });
  const more = h("button", { type: "button", class: "more", hidden: true, onclick: showMore }, "Show more");
  const count = h("p", { class: "muted", role: "status" });
  const search = h("input", {
    type: "search",
    id: "search",
    placeholder: "Search",
    maxlength: "160",
    value: place.q,
    oninput: type,
  });
  const filters = Object.entries(FILTERS).map(([state, name]) =>
    h("button", { type: "button", onclick: () => ask({ state }) }, name),
  );
  const tools = h(
    "div",
    { class: "list-tools", hidden: true },
    h("div", { class: "filters", role: "group", "aria-label": "Which projects" }, filters),
    h(
      "div",
      { class: "search" },
      icon("search"),
      h("label", { for: "search", class: "unseen" }, "Search projects"),
      search,
    ),
  );
  const content = h("div", {}, list, more);
  const element = h(
    "section",
    { class: "page" },
    h("div", { class: "page-head" }, h("div", {}, h("h1", {}, "Projects"), count), tools),
    content,
  );
  list.append(
    ...Array.from({ length: 3 }, () => h("li", { class: "project-card waiting", "aria-hidden": "true" })),
  );

  /** Asks for another list: what is shown of the one before is dimmed until its answer is there. */
  function ask(wanted) {
    clearTimeout(typing);
    Object.assign(place, { ...wanted, shown: 0, at: "" });
    keepPlace(place);
    markFilter();
    list.classList.add("outdated");
    look(PAGE);
  }

  function type() {
    clearTimeout(typing);
    typing = setTimeout(() => ask({ q: search.value.trim() }), TYPING_MS);
  }

  /** Reads the newest of what is asked for, at least `wanted` of them where there are so many. */
  async function look(wanted = Math.max(PAGE, projects?.length ?? 0)) {
    clearTimeout(timer);
    await answered(async () => {
      let page = { projects: [], next: null };
      do {
        page = await nextPage(page, Math.min(MOST, wanted - page.projects.length));
      } while (page.next && page.projects.length < wanted);
      return page;
    });
  }

  async function showMore() {
    const before = projects.length;
    more.disabled = true;
    await answered(() => nextPage({ projects, next }, PAGE));
    more.disabled = false;
    if (!gone) list.children[before]?.querySelector("a")?.focus({ preventScroll: true });
  }

  async function nextPage(before, limit) {
    const page = await clips.projects({ q: place.q, state: place.state, cursor: before.next, limit });
    return { projects: [...before.projects, ...page.projects], next: page.next };
  }

  /** Shows what an answer brings, unless something else has been asked meanwhile. */
  async function answered(read) {
    question += 1;
    const asked = question;
    let found;
    try {
      found = await read();
    } catch (error) {
      if (gone || asked !== question) return;
      if (!projects || error.status === 401)
        return onProblem(error, () => window.dispatchEvent(new Event("hashchange")));
      // What is shown stays, and what can't be shown is said.
      setText(count, refusalText(error));
      timer = setTimeout(look, LOOK_MS);
      return;
    }
    if (gone || asked !== question) return;
    ({ projects, next } = found);
    render();
    const busy = projects.some((project) => countsOf(project).pending);
    if (busy && document.visibilityState === "visible") timer = setTimeout(look, LOOK_MS);
  }

  function render() {
    const isFiltered = place.q || place.state;
    tools.hidden = !projects.length && !isFiltered;
    markFilter();
    if (tools.hidden) {
      setText(count, "");
      content.replaceChildren(emptyView(onCreate));
      offerDeleted();
      return;
    }
    const focused = list.contains(document.activeElement) && document.activeElement.getAttribute("href");
    list.classList.remove("outdated");
    list.replaceChildren(...projects.map((project) => card(project, place.state === "deleted" && restore)));
    if (!projects.length) list.append(h("li", { class: "nothing" }, nothingText(place)));
    linkTo(focused)?.focus({ preventScroll: true });
    content.replaceChildren(list, more);
    more.hidden = !next;
    setText(count, countText(projects.length, next, isFiltered));
    place.shown = projects.length > PAGE ? projects.length : 0;
    comeBack();
    keepPlace(place);
  }

  /** Where nothing is left but what was deleted, the way to it is shown. */
  async function offerDeleted() {
    // Without an answer there is nothing to offer.
    const deleted = await clips.projects({ state: "deleted", limit: 1 }).catch(() => ({ projects: [] }));
    const empty = content.querySelector(".empty");
    if (!deleted.projects.length || !empty || gone) return;
    empty.append(
      h(
        "button",
        { type: "button", class: "quiet", onclick: () => ask({ state: "deleted" }) },
        "Show deleted projects",
      ),
    );
  }

  async function restore(project, button) {
    button.disabled = true;
    try {
      await clips.restore(project.id);
      toast(`“${titleOf(project)}” is back in the list.`, "done");
      filters[0].focus();
    } catch (error) {
      toast(refusalText(error), "failed");
    }
    await look();
  }

  /** Shows the project that was opened from here. */
  function comeBack() {
    const link = linkTo(addressOf(place.at));
    place.at = "";
    link?.scrollIntoView({ block: "center" });
    link?.focus({ preventScroll: true });
  }

  function remember(event) {
    const address = event.target.closest("a")?.getAttribute("href");
    const opened = projects?.find((project) => addressOf(project.id) === address);
    if (opened) keepPlace({ ...place, at: opened.id });
  }

  const linkTo = (address) =>
    [...list.querySelectorAll("a")].find((link) => link.getAttribute("href") === address);

  function markFilter() {
    for (const [index, state] of Object.keys(FILTERS).entries())
      filters[index].setAttribute("aria-pressed", String(state === place.state));
  }

  const lookWhenSeen = () => document.visibilityState === "visible" && look();
  document.addEventListener("visibilitychange", lookWhenSeen);
  document.title = "Projects · Clips";
  look(Math.max(PAGE, place.shown));
  return {
    element,
    leave() {
      gone = true;
      clearTimeout(timer);
      clearTimeout(typing);
      document.removeEventListener("visibilitychange", lookWhenSeen);
    },
  };
}

const addressOf = (projectId) => `#/projects/${projectId}`;

/** How many there are, where all are shown; else how many are shown. */
function countText(shown, next, isFiltered) {
  if (next) return isFiltered ? `The newest ${shown} that match` : `The newest ${shown} projects`;
  if (!isFiltered) return plural(shown, "project");
  return shown === 1 ? "1 project matches" : `${shown} projects match`;
}

function nothingText({ q, state }) {
  const where = state ? `Nothing under “${FILTERS[state]}”` : "Nothing";
  return q ? `${where} matches “${q}”.` : `${where}.`;
}

/** A project; one that was deleted leads nowhere, and `onRestore` brings it back. */
function card(project, onRestore) {
  const counts = countsOf(project);
  const state = projectState(counts);
  const frames = project.thumbnails.slice(0, 4);
  const bar = projectBar();
  bar.show(counts, state.tone);
  return h(
    "li",
    { class: "project-card" },
    h(
      "div",
      { class: "strip", "data-frames": String(Math.max(1, frames.length)) },
      frames.length ? frames.map((url) => picture(url, "")) : picture("", "No frames"),
    ),
    h(
      "div",
      { class: "project-text" },
      h("h2", {}, onRestore ? titleOf(project) : h("a", { href: addressOf(project.id) }, titleOf(project))),
      h(
        "p",
        { class: "facts" },
        h("span", { class: `chip tone-${state.tone}` }, state.text),
        h("span", {}, clipCount(counts)),
        project.earlier?.length > 0 && h("span", { class: "muted" }, "made before"),
      ),
      bar.element,
      h(
        "p",
        { class: "facts muted" },
        h("time", { datetime: project.created_at }, age(project.created_at, Date.now())),
        project.cost_usd > 0 && h("span", { class: "cost" }, dollars(project.cost_usd)),
      ),
      onRestore && restoreButton(project, onRestore),
    ),
  );
}

function restoreButton(project, onRestore) {
  const name = `Restore “${titleOf(project)}”`;
  const button = h("button", { type: "button", "aria-label": name }, icon("restore"), "Restore");
  button.addEventListener("click", () => onRestore(project, button));
  return button;
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
