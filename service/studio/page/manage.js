/** What a person does with a whole project: rename, duplicate, delete. */
import { openForm } from "./dialog.js";
import { h } from "./dom.js";
import { lastPlace } from "./place.js";
import { offerUndo } from "./undo.js";
import { titleOf } from "./words.js";
import { refusalText } from "./reasons.js";
import { toast } from "./toasts.js";

const addressOf = (projectId) => `#/projects/${projectId}`;

/** Opens the dialog for a project's name; `onStored` gets the project as it is stored then. */
export function openRename({ clips, project, onStored }) {
  const name = h("input", {
    id: "new-title",
    type: "text",
    maxlength: "160",
    autocomplete: "off",
    required: true,
  });
  name.value = project.title;
  const field = h("div", { class: "field" }, h("label", { for: "new-title" }, "Name"), name);

  async function rename() {
    const title = name.value.trim();
    if (!title) throw new Error("Write a name.");
    // A name is one word of one person: whatever else was edited meanwhile is no reason to refuse it.
    if (title !== project.title) onStored(await clips.edit(project.id, { title }));
  }

  openForm({
    name: "rename",
    heading: "Rename project",
    body: h("div", { class: "dialog-body" }, field),
    submit: h("button", { class: "primary", type: "submit" }, "Rename"),
    onSubmit: rename,
  });
  name.select();
}

/** Makes a copy of a project, with the clips that were paid for, and goes there. */
export async function duplicate(clips, project) {
  await told(async () => {
    location.hash = addressOf(await clips.duplicate(project.id));
    toast("This is the copy. Its finished clips came along and are not paid for again.", "done");
  });
}

/** Deletes a project, goes to the list, and offers the way back. */
export async function remove(clips, project) {
  await told(async () => {
    await clips.remove(project.id);
    location.hash = lastPlace();
    offerUndo(`“${titleOf(project)}” is deleted.`, () => bringBack(clips, project));
  });
}

/** Restores a deleted project, and goes there. */
export async function bringBack(clips, project) {
  await clips.restore(project.id);
  location.hash = addressOf(project.id);
}

async function told(action) {
  try {
    await action();
  } catch (error) {
    toast(refusalText(error), "failed");
  }
}
