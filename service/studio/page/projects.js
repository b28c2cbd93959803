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

/** `element` shows it; `leave` ends what it began. `onProblem` gets an error where there is nothing to show. */
export class ProjectsView {
  #clips;
  #onProblem;
  #onCreate;
  #place = readPlace(location.hash);
  /** @type {import("../client/clips.js").ProjectSummary[] | null} */
  #projects = null;
  #next = null;
  // The number of the newest question: what an older one brings is out of date.
  #question = 0;
  #timer = 0;
  #typing = 0;
  #gone = false;
  #list = h("ul", { class: "projects", onclick: (event) => this.#remember(event) }, waitingCards());
  #more = h(
    "button",
    { type: "button", class: "more", hidden: true, onclick: () => this.#showMore() },
    "Show more",
  );
  #count = h("p", { class: "muted", role: "status" });
  #search = h("input", {
    type: "search",
    id: "search",
    placeholder: "Search",
    maxlength: "160",
    value: this.#place.q,
    oninput: () => this.#type(),
  });
  #filters = Object.entries(FILTERS).map(([state, name]) =>
    h("button", { type: "button", onclick: () => this.#ask({ state }) }, name),
  );
  #tools = h(
    "div",
    { class: "list-tools", hidden: true },
    h("div", { class: "filters", role: "group", "aria-label": "Which projects" }, this.#filters),
    h(
      "div",
      { class: "search" },
      icon("search"),
      h("label", { for: "search", class: "unseen" }, "Search projects"),
      this.#search,
    ),
  );
  #content = h("div", {}, this.#list, this.#more);
  element = h(
    "section",
    { class: "page" },
    h("div", { class: "page-head" }, h("div", {}, h("h1", {}, "Projects"), this.#count), this.#tools),
    this.#content,
  );
  #lookWhenSeen = () => document.visibilityState === "visible" && this.#look();

  constructor({ clips, onProblem, onCreate }) {
    this.#clips = clips;
    this.#onProblem = onProblem;
    this.#onCreate = onCreate;
    document.addEventListener("visibilitychange", this.#lookWhenSeen);
    document.title = "Projects · Clips";
    this.#look(Math.max(PAGE, this.#place.shown));
  }

  leave() {
    this.#gone = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#typing);
    document.removeEventListener("visibilitychange", this.#lookWhenSeen);
  }

  /** Asks for another list: what is shown of the one before is dimmed until its answer is there. */
  #ask(wanted) {
    clearTimeout(this.#typing);
    Object.assign(this.#place, { ...wanted, shown: 0, at: "" });
    keepPlace(this.#place);
    this.#markFilter();
    this.#list.classList.add("outdated");
    this.#look(PAGE);
  }

  #type() {
    clearTimeout(this.#typing);
    this.#typing = setTimeout(() => this.#ask({ q: this.#search.value.trim() }), TYPING_MS);
  }

  /** Reads the newest of what is asked for, at least `wanted` of them where there are so many. */
  async #look(wanted = Math.max(PAGE, this.#projects?.length ?? 0)) {
    clearTimeout(this.#timer);
    await this.#answered(async () => {
      let page = { projects: [], next: null };
      do {
        page = await this.#nextPage(page, Math.min(MOST, wanted - page.projects.length));
      } while (page.next && page.projects.length < wanted);
      return page;
    });
  }

  async #showMore() {
    const before = this.#projects.length;
    this.#more.disabled = true;
    await this.#answered(() => this.#nextPage({ projects: this.#projects, next: this.#next }, PAGE));
    this.#more.disabled = false;
    if (!this.#gone) this.#list.children[before]?.querySelector("a")?.focus({ preventScroll: true });
  }

  async #nextPage(before, limit) {
    const { q, state } = this.#place;
    const page = await this.#clips.projects({ q, state, cursor: before.next, limit });
    return { projects: [...before.projects, ...page.projects], next: page.next };
  }

  /** Shows what an answer brings, unless something else has been asked meanwhile. */
  async #answered(read) {
    this.#question += 1;
    const asked = this.#question;
    const isOver = () => this.#gone || asked !== this.#question;
    let found;
    try {
      found = await read();
    } catch (error) {
      if (!isOver()) this.#tell(error);
      return;
    }
    if (isOver()) return;
    this.#projects = found.projects;
    this.#next = found.next;
    this.#render();
    const busy = this.#projects.some((project) => countsOf(project).pending);
    if (busy && document.visibilityState === "visible") this.#lookLater();
  }

  #tell(error) {
    if (!this.#projects || error.status === 401)
      return this.#onProblem(error, () => window.dispatchEvent(new Event("hashchange")));
    // What is shown stays, and what can't be shown is said.
    setText(this.#count, refusalText(error));
    this.#lookLater();
  }

  #lookLater() {
    this.#timer = setTimeout(() => this.#look(), LOOK_MS);
  }

  #render() {
    const isFiltered = Boolean(this.#place.q || this.#place.state);
    this.#tools.hidden = !this.#projects.length && !isFiltered;
    this.#markFilter();
    if (this.#tools.hidden) this.#renderNothing();
    else this.#renderList(isFiltered);
  }

  #renderNothing() {
    setText(this.#count, "");
    this.#content.replaceChildren(emptyView(this.#onCreate));
    this.#offerDeleted();
  }

  #renderList(isFiltered) {
    const [list, projects, place] = [this.#list, this.#projects, this.#place];
    const focused = list.contains(document.activeElement) && document.activeElement.getAttribute("href");
    const onRestore = place.state === "deleted" ? (project, button) => this.#restore(project, button) : null;
    list.classList.remove("outdated");
    list.replaceChildren(...projects.map((project) => card(project, onRestore)));
    if (!projects.length) list.append(h("li", { class: "nothing" }, nothingText(place)));
    this.#linkTo(focused)?.focus({ preventScroll: true });
    this.#content.replaceChildren(list, this.#more);
    this.#more.hidden = !this.#next;
    setText(this.#count, countText(projects.length, this.#next, isFiltered));
    place.shown = projects.length > PAGE ? projects.length : 0;
    this.#comeBack();
    keepPlace(place);
  }

  /** Where nothing is left but what was deleted, the way to it is shown. */
  async #offerDeleted() {
    const asked = { state: "deleted", limit: 1 };
    // Without an answer there is nothing to offer.
    const deleted = await this.#clips.projects(asked).catch(() => ({ projects: [] }));
    const empty = this.#content.querySelector(".empty");
    if (!deleted.projects.length || !empty || this.#gone) return;
    const show = () => this.#ask({ state: "deleted" });
    empty.append(h("button", { type: "button", class: "quiet", onclick: show }, "Show deleted projects"));
  }

  async #restore(project, button) {
    button.disabled = true;
    try {
      await this.#clips.restore(project.id);
      toast(`“${titleOf(project)}” is back in the list.`, "done");
      this.#filters[0].focus();
    } catch (error) {
      toast(refusalText(error), "failed");
    }
    await this.#look();
  }

  /** Shows the project that was opened from here. */
  #comeBack() {
    const link = this.#linkTo(addressOf(this.#place.at));
    this.#place.at = "";
    link?.scrollIntoView({ block: "center" });
    link?.focus({ preventScroll: true });
  }

  #remember(event) {
    const address = event.target.closest("a")?.getAttribute("href");
    const opened = this.#projects?.find((project) => addressOf(project.id) === address);
    if (opened) keepPlace({ ...this.#place, at: opened.id });
  }

  #linkTo(address) {
    return [...this.#list.querySelectorAll("a")].find((link) => link.getAttribute("href") === address);
  }

  #markFilter() {
    for (const [index, state] of Object.keys(FILTERS).entries())
      this.#filters[index].setAttribute("aria-pressed", String(state === this.#place.state));
  }
}

const waitingCards = () =>
  Array.from({ length: 3 }, () => h("li", { class: "project-card waiting", "aria-hidden": "true" }));
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
