/** The frame around the views: which one is shown, who is signed in, and the button that is always there. */
import { openCreate } from "./create.js";
import { h, icon } from "./dom.js";
import { draftStore } from "./drafts.js";
import { ProjectView } from "./project.js";
import { ProjectsView } from "./projects.js";
import { refusalText } from "./reasons.js";
import { clips, openSession, signInView, signOut, whoIsSignedIn } from "./session.js";
import { toast } from "./toasts.js";

const view = document.getElementById("view");
const newButton = document.getElementById("new");
const signOutButton = document.getElementById("sign-out");
let config = null;
let operator = false;
/** @type {{ element?: Element, leave?: () => void }} */
let shown = {};

async function start() {
  try {
    const session = await openSession(sessionEnded);
    ({ config, operator } = session);
    if (!session.signedIn) return showSignIn();
  } catch (error) {
    return show(problemView(error, start));
  }
  newButton.hidden = false;
  signOutButton.hidden = config.sign_in === "none";
  route();
}

function route() {
  if (!config || newButton.hidden) return;
  const [, projectId] = /^#\/projects\/([\w-]+)$/.exec(location.hash) ?? [];
  const context = { clips, config, operator, onProblem: showProblem, onCreate: create };
  show(projectId ? new ProjectView(projectId, context) : new ProjectsView(context));
}

/** Shows a view: an element, or one with a `leave` that ends what it began. */
function show(next) {
  shown.leave?.();
  shown = next instanceof Element ? { element: next } : next;
  view.replaceChildren(shown.element);
  window.scrollTo(0, 0);
}

function showSignIn(notice) {
  newButton.hidden = true;
  signOutButton.hidden = true;
  show(signInView(start, notice));
  document.title = "Sign in · Clips";
}

function showProblem(error, again) {
  if (error.status === 401 && config?.sign_in !== "none") {
    endSession(error.message);
    return;
  }
  show(problemView(error, again));
}

function problemView(error, again) {
  if (error.code === "project_deleted") return deletedView();
  const missing = error.status === 404;
  return h(
    "section",
    { class: "empty" },
    icon("alert", 32),
    h("h1", {}, missing ? "There is no such project" : "This did not work"),
    h(
      "p",
      { class: "lead" },
      missing ? "It may have been stored elsewhere, or its address is incomplete." : refusalText(error),
    ),
    missing
      ? h("a", { class: "button", href: "#/" }, "Show all projects")
      : h("button", { type: "button", onclick: again }, icon("retry"), "Try again"),
  );
}

function deletedView() {
  const [, projectId] = /^#\/projects\/([\w-]+)$/.exec(location.hash) ?? [];
  const problem = h("p", { class: "field-problem", role: "alert" });
  const restore = h("button", { type: "button", class: "primary" }, icon("restore"), "Restore");
  restore.addEventListener("click", async () => {
    restore.disabled = true;
    try {
      await clips.restore(projectId);
      route();
    } catch (error) {
      problem.textContent = refusalText(error);
      restore.disabled = false;
    }
  });
  return h(
    "section",
    { class: "empty" },
    icon("trash", 32),
    h("h1", {}, "This project is deleted"),
    h("p", { class: "lead" }, "Nothing of it is lost: its scenes and clips are kept."),
    h("div", { class: "actions" }, restore, h("a", { class: "button", href: "#/" }, "Show all projects")),
    problem,
  );
}

async function create() {
  const projectId = await openCreate({ clips, config, drafts: draftStore(await whoIsSignedIn()) });
  if (projectId) location.hash = `#/projects/${projectId}`;
}

async function endSession(notice) {
  showSignIn(notice);
  await signOut();
}

function sessionEnded() {
  if (!newButton.hidden) showSignIn();
}

newButton.addEventListener("click", create);
signOutButton.addEventListener("click", async () => {
  await endSession();
  toast("Signed out.");
});
window.addEventListener("hashchange", () => {
  // The way to the content is no view.
  if (location.hash === "#view") return;
  route();
  view.focus({ preventScroll: true });
});
start();
