/** What a person does to the scenes of a project: edit, add, remove, arrange, make again, cancel. */
import { offerUndo } from "./undo.js";
import { openArrange } from "./arrange.js";
import { openEdit } from "./edit.js";
import { plural, scenesOf } from "./words.js";
import { refusalText, withoutIds } from "./reasons.js";
import { toast } from "./toasts.js";

/** The actions on a project, whose newest state `current` gives; `onStored` gets it as it is after an edit. */
export class Workshop {
  #clips;
  #config;
  #projectId;
  #current;
  #onStored;
  #focusScene;
  // An offer is about this project, and leaves the page with it.
  #withdrawOffer = () => {};

  constructor({ clips, config, projectId, current, onStored, focusScene }) {
    this.#clips = clips;
    this.#config = config;
    this.#projectId = projectId;
    this.#current = current;
    this.#onStored = onStored;
    this.#focusScene = focusScene;
  }

  leave() {
    this.#withdrawOffer();
  }

  add() {
    this.edit(null);
  }

  /** Opens a scene, or a new one where `key` is null. */
  edit(key) {
    openEdit({
      clips: this.#clips,
      config: this.#config,
      project: this.#current(),
      key,
      onSaved: this.#onStored,
      onMake: (made) => this.make([made]),
      onRemove: (removed) => this.#remove(removed),
    });
  }

  /** Has the clips of these scenes made as the project asks for them now, and of no others. */
  async make(keys) {
    const free = keys.filter((key) => this.#current().quotes[key]?.paid);
    await told(async () => {
      const { results } = await this.#clips.generate(this.#projectId, { scenes: keys });
      const refused = results.find((result) => result.error);
      const sent = results.filter((result) => result.success && !free.includes(result.sceneKey));
      if (sent.length) toast(`${plural(sent.length, "clip")} submitted.`);
      if (refused) toast(withoutIds(refused.error), "failed");
      if (!sent.length && !refused) toast("This was paid for before, so it costs nothing now.", "done");
    });
  }

  /** Takes a scene away, and offers to put it back. */
  remove(key) {
    return told(() => this.#remove(key));
  }

  arrange() {
    const { edited } = this.#current();
    const scenes = scenesOf(this.#current());
    openArrange({
      scenes,
      onSave: async (order) => {
        await this.#store({ order }, edited);
        const keys = scenes.map(({ key }) => key);
        const back = keys.map((key) => keys[order.indexOf(key)]);
        const undo = () => this.#store({ order: back });
        this.#withdrawOffer = offerUndo("The scenes are in the new order.", undo);
      },
    });
  }

  /** Withdraws a clip that was not sent yet. */
  async cancel(key) {
    await told(async () => {
      const { results } = await this.#clips.cancel(this.#projectId, { scenes: [key] });
      const refused = results.find((result) => !result.success);
      if (refused) toast(withoutIds(refused.error), "failed");
      else toast(`The clip of scene ${key} is cancelled. It costs nothing.`);
    });
  }

  async #store(changes, edited = this.#current().edited) {
    const stored = await this.#clips.edit(this.#projectId, changes, { edited });
    this.#onStored(stored);
    return stored;
  }

  async #remove(key) {
    const { scenes, frames } = this.#current();
    const scene = { scenes: { [key]: scenes?.[key] ?? null }, frames: { [key]: frames?.[key] ?? null } };
    await this.#store({ scenes: { [key]: null }, frames: { [key]: null } });
    this.#withdrawOffer = offerUndo(`Scene ${key} is removed.`, () => this.#putBack(key, scene));
  }

  /** Stores a removed scene as it was. A clip that was paid for is its own again, for nothing. */
  async #putBack(key, scene) {
    if (scenesOf(this.#current()).some((one) => one.key === key))
      throw new Error(`Another scene has the number ${key} by now, so the removed one can't be put back.`);
    const stored = await this.#store(scene);
    if (stored.quotes[key]?.paid) await this.#clips.generate(this.#projectId, { scenes: [key] });
    this.#focusScene(key);
  }
}

async function told(action) {
  try {
    await action();
  } catch (error) {
    toast(refusalText(error), "failed");
  }
}
