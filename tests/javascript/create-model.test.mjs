import assert from "node:assert/strict";
import { test } from "node:test";
import * as model from "../../service/studio/page/create-model.js";

const DURATIONS = [4, 6, 8];
const NOTHING = { url: "", name: "", loading: "" };
const frame = (changes) => ({ ...NOTHING, ...changes });
const stored = (name) => frame({ name, url: `https://frames.test/${name}` });
const scene = (changes = {}) => ({ first: NOTHING, last: NOTHING, prompt: "", duration: 0, ...changes });
const complete = (changes = {}) => scene({ first: stored("1.png"), last: stored("2.png"), ...changes });
const files = (...names) => names.map((name) => ({ name }));
const places = (scenes, ...names) =>
  model.placesFor(scenes, files(...names)).map(({ file, scene: at, end }) => `${file.name}: ${at} ${end}`);

test("the first pair goes into the scene that is empty, the next ones into new scenes", () => {
  const found = places([scene()], "1_start.png", "1_end.png", "2_start.png", "2_end.png");
  assert.deepEqual(found, [
    "1_start.png: 0 first",
    "1_end.png: 0 last",
    "2_start.png: 1 first",
    "2_end.png: 1 last",
  ]);
});

test("a pair never goes into a scene where one frame is there already", () => {
  const begun = scene({ first: stored("boat.png") });
  assert.deepEqual(places([begun], "1_start.png", "1_end.png"), [
    "1_start.png: 1 first",
    "1_end.png: 1 last",
  ]);
});

test("a file goes beside the frame that is its partner, before any empty scene", () => {
  const begun = scene({ last: stored("2_end.png") });
  assert.deepEqual(places([scene(), begun], "2_start.png"), ["2_start.png: 1 first"]);
});

test("files without such words fill the free slots in order", () => {
  const begun = scene({ first: stored("boat.png") });
  assert.deepEqual(places([begun], "1.png", "2.png"), ["1.png: 0 last", "2.png: 1 first"]);
});

test("a file without such words takes no slot beside a named pair of the same drop", () => {
  const found = places([scene()], "1_start.png", "2_start.png", "2_end.png", "harbour.png");
  assert.deepEqual(found.at(-1), "harbour.png: 2 first");
});

test("a frame that still uploads holds its slot", () => {
  const waiting = scene({ first: frame({ name: "boat.png", loading: "Uploading…" }) });
  assert.deepEqual(places([waiting], "1.png"), ["1.png: 0 last"]);
});

test("a file without a partner is named with the frame that its scene still needs", () => {
  const placements = model.placesFor([scene()], files("1_start.png", "1_end.png", "2_start.png"));
  const after = [complete(), scene({ first: stored("2_start.png") })];
  assert.deepEqual(model.loneTexts(after, placements), [
    "2_start.png has no partner: scene 2 still needs its last frame.",
  ]);
});

test("a frame moves across the border of two scenes, and not beyond the first and the last slot", () => {
  assert.deepEqual(model.placeBeside({ scene: 0, end: "last" }, 1, 2), { scene: 1, end: "first" });
  assert.deepEqual(model.placeBeside({ scene: 1, end: "first" }, -1, 2), { scene: 0, end: "last" });
  assert.equal(model.placeBeside({ scene: 0, end: "first" }, -1, 2), null);
  assert.equal(model.placeBeside({ scene: 1, end: "last" }, 1, 2), null);
});

test("seconds are those that the model makes, not those that were asked for", () => {
  const scenes = [complete({ duration: 5 }), complete({ duration: 30 }), complete()];
  assert.deepEqual(model.standing(scenes, DURATIONS), { clips: 3, seconds: 6 + 8 + 4, isReady: true });
});

test("nothing is sent while a scene was only begun, or a frame is on its way", () => {
  const ready = (...scenes) => model.standing(scenes, DURATIONS).isReady;
  assert.equal(ready(), false);
  assert.equal(ready(scene()), false);
  assert.equal(ready(complete(), scene()), true);
  assert.equal(ready(complete(), scene({ prompt: "A boat." })), false);
  assert.equal(ready(complete(), scene({ first: stored("1.png") })), false);
  assert.equal(
    ready(complete({ last: frame({ url: "https://frames.test/2", loading: "Loading…" }) })),
    false,
  );
});

test("blanks alone begin no scene", () => {
  assert.equal(model.isBegun(scene({ prompt: " \n" })), false);
});

test("the stored project has the complete scenes alone, numbered without a gap", () => {
  const scenes = [scene(), complete({ prompt: " The boat leaves. ", duration: 5 })];
  assert.deepEqual(model.projectOf(" Harbour ", scenes, DURATIONS), {
    script: "Harbour",
    frames: { 1: { first_frame: "https://frames.test/1.png", last_frame: "https://frames.test/2.png" } },
    scenes: { 1: { scene_id: 1, description: "The boat leaves.", duration: 6 } },
  });
  assert.equal(model.projectOf(" ", scenes, DURATIONS).script, null);
});

test("a kept draft has no URL that may hold a key, and the seconds that were asked for", () => {
  const pasted = frame({ url: "https://frames.test/1?token=secret" });
  const draft = model.draftOf("Harbour", { model: "a" }, [complete({ first: pasted, duration: 5 })]);
  assert.deepEqual(draft.scenes, [
    {
      prompt: "",
      duration: 5,
      first: { url: "", name: "" },
      last: { url: "https://frames.test/2.png", name: "2.png" },
    },
  ]);
});

test("a draft is told by its name, where it has one", () => {
  assert.equal(model.draftText({ title: " Harbour ", scenes: [1, 2] }), "“Harbour”, 2 scenes");
  assert.equal(model.draftText({ title: " ", scenes: [1] }), "1 scene");
});
