/** What is begun in the dialog that makes a video: where frames go, what is complete, what is sent and kept. Pure. */
import { pairFiles } from "./pairs.js";
import { covering } from "./seconds.js";
import { plural } from "./words.js";

/** @typedef {"first" | "last"} End */
/**
 * What lies in a slot: `url` is set once the frame can be used, `name` is that of a file, `loading` says what is being
 * waited for.
 *
 * @typedef {{ url: string, name: string, loading: string }} Frame
 */
/** @typedef {{ first: Frame, last: Frame, prompt: string, duration: number }} Scene */
/**
 * Where a file goes. A `scene` that is not among the scenes yet is a new one after them.
 *
 * @template File
 * @typedef {{ file: File, scene: number, end: End }} Placement
 */

/** @type {End[]} */
export const ENDS = ["first", "last"];

/** @param {End} end */
export const otherEnd = (end) => (end === "first" ? "last" : "first");

const isFree = (frame) => !frame.url && !frame.loading;
const isComplete = ({ first, last }) => Boolean(first.url && last.url);

/** Whether anything was put into a scene. */
export const isBegun = ({ first, last, prompt }) => !isFree(first) || !isFree(last) || Boolean(prompt.trim());

/**
 * Where files that were chosen together go: as pairs where there is room, in order, then into new scenes. A file whose
 * partner lies in a slot already goes beside it.
 *
 * @template {{ name: string }} File
 * @param {Pick<Scene, End>[]} scenes
 * @param {File[]} files
 * @returns {Placement<File>[]}
 */
export function placesFor(scenes, files) {
  const filled = scenes.map(({ first, last }) => ({ first, last, named: false }));
  return pairFiles(files).flatMap((pair) => {
    const ends = ENDS.filter((end) => pair[end]);
    if (!pair.named) return ends.map((end) => placeNext(filled, pair[end]));
    const scene = roomForPair(filled, pair, ends);
    filled[scene].named = true;
    return ends.map((end) => place(filled, pair[end], scene, end));
  });
}

/** The first scene that has room for a pair whose names say so, or for one half beside the other that is there. */
function roomForPair(filled, pair, ends) {
  const [end] = ends;
  const isMissing = (scene) =>
    ends.length === 1 && isFree(scene[end]) && isPartner(scene[otherEnd(end)], pair[end]);
  const isEmpty = (scene) => ENDS.every((one) => isFree(scene[one]));
  return [isMissing, isEmpty].map((rule) => filled.findIndex(rule)).find((at) => at >= 0) ?? added(filled);
}

/** Puts a file whose name says nothing into the next free slot. */
function placeNext(filled, file) {
  const found = filled.findIndex((scene) => !scene.named && ENDS.some((end) => isFree(scene[end])));
  const scene = found >= 0 ? found : added(filled);
  return place(filled, file, scene, isFree(filled[scene].first) ? "first" : "last");
}

function added(filled) {
  const free = { url: "", name: "", loading: "" };
  return filled.push({ first: free, last: free, named: false }) - 1;
}

function place(filled, file, scene, end) {
  filled[scene][end] = { url: "", name: file.name, loading: "soon" };
  return { file, scene, end };
}

/** Whether a file is the other half of the pair whose first half is in a slot. */
const isPartner = (frame, file) => Boolean(frame.name) && pairFiles([frame, file]).length === 1;

/**
 * Which files came without a partner, in sentences; `scenes` are those after they were placed.
 *
 * @param {Pick<Scene, End>[]} scenes
 * @param {Placement<{ name: string }>[]} placements
 */
export function loneTexts(scenes, placements) {
  return placements
    .filter(({ scene, end }) => isFree(scenes[scene][otherEnd(end)]))
    .map(
      ({ file, scene, end }) =>
        `${file.name} has no partner: scene ${scene + 1} still needs its ${otherEnd(end)} frame.`,
    );
}

/**
 * The place so many slots before or after one; null where there is none.
 *
 * @param {{ scene: number, end: End }} from
 * @param {number} step
 * @param {number} scenes How many there are.
 * @returns {{ scene: number, end: End } | null}
 */
export function placeBeside({ scene, end }, step, scenes) {
  const slot = 2 * scene + ENDS.indexOf(end) + step;
  return slot < 0 || slot >= 2 * scenes ? null : { scene: Math.floor(slot / 2), end: ENDS[slot % 2] };
}

/**
 * How far it is: how many `clips` can be made, of how many `seconds` in all with such durations, and whether the whole `isReady` to be
 * sent: nothing is being looked at or uploaded, and no scene was only begun.
 *
 * @param {Scene[]} scenes
 * @param {number[]} durations
 */
export function standing(scenes, durations) {
  const complete = scenes.filter(isComplete);
  const isWaiting = scenes.some(({ first, last }) => first.loading || last.loading);
  return {
    clips: complete.length,
    seconds: complete.reduce((sum, { duration }) => sum + covering(duration, durations), 0),
    isReady: !isWaiting && complete.length > 0 && complete.length === scenes.filter(isBegun).length,
  };
}

/**
 * The project that is stored: the complete scenes, numbered in their order.
 *
 * @param {string} title
 * @param {Scene[]} scenes
 * @param {number[]} durations
 */
export function projectOf(title, scenes, durations) {
  const numbered = scenes.filter(isComplete).map((scene, index) => ({ ...parts(scene), number: index + 1 }));
  const byNumber = (value) =>
    Object.fromEntries(numbered.map((scene) => [String(scene.number), value(scene)]));
  return {
    script: title.trim() || null,
    frames: byNumber(({ first, last }) => ({ first_frame: first.url, last_frame: last.url })),
    scenes: byNumber(({ prompt, duration, number }) => ({
      scene_id: number,
      description: prompt.trim(),
      duration: covering(duration, durations),
    })),
  };
}

/**
 * What is kept on the device until the video is made.
 *
 * @param {string} title
 * @param {unknown} choice
 * @param {Scene[]} scenes
 */
export function draftOf(title, choice, scenes) {
  const kept = scenes.map(parts).map(({ prompt, duration, first, last }) => ({
    prompt,
    duration,
    first: keptFrame(first),
    last: keptFrame(last),
  }));
  return { title, choice, scenes: kept };
}

/** What is kept of a slot: where its frame is. A URL with a query may hold somebody's key, and is left out. */
function keptFrame({ url, name }) {
  if (!url || (!name && /[?#@]/.test(url))) return { url: "", name: "" };
  return { url, name };
}

/** A draft in a few words. */
export function draftText({ title, scenes }) {
  const count = plural(scenes.length, "scene");
  return title.trim() ? `“${title.trim()}”, ${count}` : count;
}

// Those of a scene in the dialog can't be spread.
const parts = ({ first, last, prompt, duration }) => ({ first, last, prompt, duration });
