/** What a person does to the scenes of a project: edit, add, remove, arrange, make again, cancel. */
import { offerUndo } from "./undo.js";
import { openArrange } from "./arrange.js";
import { openEdit } from "./edit.js";
import { plural, scenesOf } from "./words.js";
import { refusalText, withoutIds } from "./reasons.js";
import { toast } from "./toasts.js";

/** The actions on a project, whose newest state `current` gives; `onStored` gets it as it is after an edit. */
export function workshop({ clips, config, projectId, current, onStored, focusScene }) {
  // An offer is about this project, and leaves the page with it.
  let withdrawOffer = () => {};

  async function store(changes, edited = current().edited) {
    const stored = await clips.edit(projectId, changes, { edited });
    onStored(stored);
    return stored;
  }

  /** Opens a scene, or a new one where `key` is null. */
  function edit(key) {
    openEdit({
      clips,
      config,
      project: current(),
      key,
      onSaved: onStored,
      onMake: (made) => make([made]),
      onRemove: remove,
    });
  }

  /** Has the clips of these scenes made as the project asks for them now, and of no others. */
  async function make(keys) {
    const free = keys.filter((key) => current().quotes[key]?.paid);
    await told(async () => {
      const { results } = await clips.generate(projectId, { scenes: keys });
      const refused = results.find((result) => result.error);
      const sent = results.filter((result) => result.success && !free.includes(result.sceneKey));
      if (sent.length) toast(`${plural(sent.length, "clip")} submitted.`);
      if (refused) toast(withoutIds(refused.error), "failed");
      if (!sent.length && !refused) toast("This was paid for before, so it costs nothing now.", "done");
    });
  }

  /** Takes a scene away, and offers to put it back. */
  async function remove(key) {
    const { scenes, frames } = current();
    const scene = { scenes: { [key]: scenes?.[key] ?? null }, frames: { [key]: frames?.[key] ?? null } };
    await store({ scenes: { [key]: null }, frames: { [key]: null } });
    withdrawOffer = offerUndo(`Scene ${key} is removed.`, () => putBack(key, scene));
  }

  /** Stores a removed scene as it was. A clip that was paid for is its own again, for nothing. */
  async function putBack(key, scene) {
    if (scenesOf(current()).some((one) => one.key === key))
      throw new Error(`Another scene has the number ${key} by now, so the removed one can't be put back.`);
    const stored = await store(scene);
    if (stored.quotes[key]?.paid) await clips.generate(projectId, { scenes: [key] });
    focusScene(key);
  }

  function arrange() {
    const { edited } = current();
    const scenes = scenesOf(current());
    openArrange({
      scenes,
      async onSave(order) {
        await store({ order }, edited);
        const keys = scenes.map(({ key }) => key);
        const back = keys.map((key) => keys[order.indexOf(key)]);
        withdrawOffer = offerUndo("The scenes are in the new order.", () => store({ order: back }));
      },
    });
  }

  /** Withdraws a clip that was not sent yet. */
  async function cancel(key) {
    await told(async () => {
      const { results } = await clips.cancel(projectId, { scenes: [key] });
      const refused = results.find((result) => !result.success);
      if (refused) toast(withoutIds(refused.error), "failed");
      else toast(`The clip of scene ${key} is cancelled. It costs nothing.`);
    });
  }

  return {
    edit,
    add: () => edit(null),
    make,
    remove: (key) => told(() => remove(key)),
    arrange,
    cancel,
    leave: () => withdrawOffer(),
  };
}

async function told(action) {
  try {
    await action();
  } catch (error) {
    toast(refusalText(error), "failed");
  }
}
