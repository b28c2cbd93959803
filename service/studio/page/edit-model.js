/** What is edited of a scene, and what has to be stored after that. Pure. */
import { isInParts, scenePatch, textFields } from "./fields.js";
import { scenesOf } from "./words.js";

/** @typedef {import("../client/clips.js").Project} Project */
/**
 * A scene as it was stored when it was read: its `frames` and `scene` have what the project has of it, `texts` its fields.
 *
 * @typedef {{
 *   project: Project, key: string, isNew: boolean, scene: any, frames: any, texts: ReturnType<typeof textFields>,
 * }} Base
 */
/**
 * What stands in the dialog: the frames that were changed, all texts in the order of their fields, and the seconds, where
 * there is a choice of them.
 *
 * @typedef {{
 *   frames: Record<string, string>, texts: string[], seconds: { value: number, isChanged: boolean } | null,
 * }} Edited
 */

/**
 * Reads a scene; a new one, after the last, where `key` is null.
 *
 * @param {Project} project
 * @param {string | null} key
 * @returns {Base}
 */
export function baseOf(project, key) {
  const isNew = key === null;
  const sceneKey = isNew ? nextKey(project) : key;
  const scene = objectAt(project.scenes, sceneKey);
  const texts = textFields(scene, isNew ? usesParts(project) : isInParts(scene));
  return { project, key: sceneKey, isNew, scene, frames: objectAt(project.frames, sceneKey), texts };
}

/**
 * What is to be stored, as a merge patch; nothing where nothing was changed.
 *
 * @param {Base} base
 * @param {Edited} edited
 * @returns {import("../client/clips.js").ProjectChanges}
 */
export function changesOf(base, { frames, texts, seconds }) {
  const { key } = base;
  const chosen = seconds?.isChanged ? seconds.value : null;
  const scene = scenePatch(base.scene, base.texts, texts, chosen);
  const stored = Object.fromEntries(Object.entries(frames).map(([id, url]) => [id, url || null]));
  const found = {
    ...(Object.keys(scene).length > 0 && { scenes: { [key]: scene } }),
    ...(Object.keys(stored).length > 0 && { frames: { [key]: stored } }),
  };
  return base.isNew && Object.keys(found).length ? asNew(base, scene, stored, seconds) : found;
}

/** A new scene has its number and its seconds from the start, as the web application's have. */
function asNew({ key, scene, texts }, written, frames, seconds) {
  const unchanged = texts.map(({ value }) => value);
  const lasting = scenePatch(scene, texts, unchanged, seconds?.value ?? null);
  return { scenes: { [key]: { scene_id: Number(key), ...written, ...lasting } }, frames: { [key]: frames } };
}

/** The number after the last scene's. */
function nextKey(project) {
  const numbers = scenesOf(project).map((scene) => Number(scene.key));
  return String(Math.max(0, ...numbers.filter(Number.isSafeInteger)) + 1);
}

const usesParts = (project) => Object.values(project.scenes ?? {}).some((scene) => scene && isInParts(scene));
const objectAt = (value, key) => (value?.[key] && typeof value[key] === "object" ? value[key] : {});
