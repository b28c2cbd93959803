/**
 * What a person edits of a scene: the texts that its prompt is made of, each in the place where it is stored, and its
 * seconds; and what has to be stored after that. Pure.
 */
import { secondsIn } from "./seconds.js";

/** @type {typeof PARTS[0]} */
const SUMMED_UP = [["description"], "Prompt"];
/**
 * In the order in which a prompt tells them. A description stands for those that are marked.
 *
 * @type {[string[], string, { summed?: boolean, usual?: boolean, isShort?: boolean }?][]}
 */
const PARTS = [
  [["visual_action"], "What happens", { summed: true, usual: true }],
  [["dialogue"], "Dialogue", { usual: true }],
  [["emotion"], "Emotion", { summed: true }],
  [["setting"], "Setting", { summed: true, usual: true }],
  [["camera_motion"], "Camera", { summed: true }],
  [["camera_motion", "type"], "Camera movement", { isShort: true }],
  [["camera_motion", "speed"], "Camera speed", { isShort: true }],
  [["camera_motion", "lens_mm"], "Lens in mm", { isShort: true }],
  [["camera_motion", "camera_height_m"], "Camera height in m", { isShort: true }],
  [["camera_motion", "camera_heading"], "Camera faces", { isShort: true }],
  [["camera_motion", "start_frame"], "Opening frame"],
  [["camera_motion", "end_frame"], "Closing frame"],
  [["camera_motion", "lighting"], "Lighting"],
  [["continuity", "world_rules"], "The world's rules"],
];

/** Whether a scene is told in the application's own parts, not in a description. */
export const isInParts = (scene) =>
  !hasText(scene?.description) && PARTS.some(([path, , { usual } = {}]) => usual && isThere(at(scene, path)));

/**
 * The fields of a scene: `{path, name, value, isShort}`. `value` is the stored one as text; a list has a line for each text. What is
 * no text, such as a dialogue of several speakers, has no field and stays as it is.
 */
export function textFields(scene, inParts = isInParts(scene)) {
  const wanted = inParts
    ? PARTS.filter(([path, , { usual } = {}]) => usual || isThere(at(scene, path)))
    : [SUMMED_UP, ...PARTS.filter(([path, , { summed } = {}]) => !summed && isThere(at(scene, path)))];
  return wanted
    .filter(([path]) => isEditable(at(scene, path)))
    .map(([path, name, { isShort = false } = {}]) => ({
      path,
      name,
      isShort,
      value: asText(at(scene, path)),
    }));
}

/** The seconds that a scene asks for, as the service reads them; null if it names none that can be read. */
export function wantedSeconds(scene) {
  return secondsIn(scene?.duration) ?? secondsIn(scene?.duration_sec);
}

/** The names of the parts of a scene's prompt that have no field. */
export function fixedParts(scene) {
  return PARTS.filter(([path, , { usual } = {}]) => usual && !isEditable(at(scene, path))).map(
    ([, name]) => name,
  );
}

/**
 * What to store of a scene, as a merge patch: the texts that differ from their fields, and the seconds if any are given.
 *
 * @param {any} scene
 * @param {ReturnType<typeof textFields>} fields
 * @param {string[]} texts
 * @param {number | null} chosenSeconds
 */
export function scenePatch(scene, fields, texts, chosenSeconds = null) {
  const patch = {};
  fields.forEach(({ path, value }, index) => {
    const text = texts[index].trim();
    if (text !== value.trim()) set(patch, path, asStored(text, at(scene, path)));
  });
  if (chosenSeconds !== null) patch[secondsName(scene, fields)] = chosenSeconds;
  return patch;
}

function secondsName(scene, fields) {
  if (secondsIn(scene?.duration) !== null) return "duration";
  const inParts = fields.every(({ path }) => path[0] !== "description");
  return inParts || isThere(scene?.duration_sec) ? "duration_sec" : "duration";
}

function asStored(text, before) {
  if (!text) return null;
  if (Array.isArray(before))
    return text
      .split("\n")
      .map((line) => line.trim())
      .filter(Boolean);
  return typeof before === "number" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function asText(value) {
  if (Array.isArray(value)) return value.join("\n");
  return isThere(value) ? String(value) : "";
}

function isEditable(value) {
  if (Array.isArray(value)) return value.every((one) => typeof one === "string");
  return !isThere(value) || typeof value === "string" || typeof value === "number";
}

function at(scene, path) {
  return path.reduce((value, name) => (isObject(value) ? value[name] : undefined), scene);
}

function set(patch, path, value) {
  const inner = path.slice(0, -1).reduce((object, name) => (object[name] ??= {}), patch);
  inner[path.at(-1)] = value;
}

const hasText = (value) => asText(Array.isArray(value) ? value : (value ?? "")).trim() !== "";
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const isThere = (value) => value !== null && value !== undefined;
