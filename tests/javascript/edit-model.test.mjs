import assert from "node:assert/strict";
import { test } from "node:test";
import { baseOf, changesOf } from "../../service/studio/page/edit-model.js";

/** @returns {any} */
const project = (scenes, frames = {}) => ({ scenes, frames, jobs: [], quotes: {}, problems: {} });
const textsOf = (base) => base.texts.map(({ value }) => value);
const same = (base) => ({ frames: {}, texts: textsOf(base), seconds: { value: 4, isChanged: false } });

test("nothing is stored of a scene in which nothing was changed", () => {
  const base = baseOf(project({ 1: { description: "A boat." } }), "1");
  assert.deepEqual(changesOf(base, same(base)), {});
});

test("only the text that was changed is stored, in its own place", () => {
  const base = baseOf(project({ 1: { description: "A boat.", dialogue: "Ahoy." } }), "1");
  const changes = changesOf(base, { ...same(base), texts: ["A ship.", "Ahoy."] });
  assert.deepEqual(changes, { scenes: { 1: { description: "A ship." } } });
});

test("a frame that was taken away is stored as none", () => {
  const base = baseOf(project({ 1: {} }), "1");
  assert.deepEqual(changesOf(base, { ...same(base), frames: { last_frame: "" } }), {
    frames: { 1: { last_frame: null } },
  });
});

test("seconds are stored only if a person chose them", () => {
  const base = baseOf(project({ 1: { description: "A boat.", duration: 5 } }), "1");
  const chosen = { ...same(base), seconds: { value: 8, isChanged: true } };
  assert.deepEqual(changesOf(base, chosen), { scenes: { 1: { duration: 8 } } });
});

test("a new scene comes after the one with the highest number, whatever other keys there are", () => {
  assert.equal(baseOf(project({ 2: {}, 10: {}, intro: {} }), null).key, "11");
  assert.equal(baseOf(project({}), null).key, "1");
});

test("a new scene has its number and its seconds as soon as anything of it is stored", () => {
  const base = baseOf(project({ 1: { description: "A boat." } }), null);
  assert.deepEqual(changesOf(base, same(base)), {});
  assert.deepEqual(changesOf(base, { ...same(base), texts: ["A ship."] }), {
    scenes: { 2: { scene_id: 2, description: "A ship.", duration: 4 } },
    frames: { 2: {} },
  });
});

test("a new scene has the form that the project's other scenes have", () => {
  const names = baseOf(project({ 1: { visual_action: "A boat leaves." } }), null).texts.map(
    ({ name }) => name,
  );
  assert.deepEqual(names, ["What happens", "Dialogue", "Setting"]);
});
