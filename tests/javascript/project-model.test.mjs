import assert from "node:assert/strict";
import { test } from "node:test";
import * as model from "../../service/studio/page/project-model.js";

const NOW = Date.parse("2026-01-02T00:01:00Z");
const SINCE = "2026-01-02T00:00:00Z";
const FRAMES = { first_frame: "https://frames.test/1.png", last_frame: "https://frames.test/2.png" };

/** @returns {any} */
const job = (scene, stage = "generating", changes = {}) => ({
  scene,
  task_uuid: `task-${scene}`,
  stage,
  status: { succeeded: "succeeded", failed: "failed" }[stage] ?? "pending",
  settled_at: ["succeeded", "failed"].includes(stage) ? SINCE : null,
  waiting_since: SINCE,
  usual: null,
  error: stage === "failed" ? { kind: "provider", sentence: "The model failed.", message: "" } : null,
  ...changes,
});

/** A project of so many scenes with both frames, and these jobs. @returns {any} */
const project = (scenes, jobs, changes = {}) => ({
  frames: Object.fromEntries(Array.from({ length: scenes }, (_, at) => [String(at + 1), FRAMES])),
  scenes: {},
  problems: {},
  quotes: {},
  jobs,
  ...changes,
});
const scene = (one, changes = {}) =>
  /** @type {any} */ ({
    first: "https://frames.test/1.png",
    last: "https://frames.test/2.png",
    problem: "",
    job: one,
    ...changes,
  });
const NOT_ORDERED = { error: { kind: "account", sentence: "No credit.", message: "" } };

test("a scene with a problem, or without a frame, can't be made", () => {
  assert.equal(model.isComplete(scene(null)), true);
  assert.equal(model.isComplete(scene(null, { last: "" })), false);
  assert.equal(model.isComplete(scene(null, { problem: "first_frame missing" })), false);
});

test("a failed clip is retried unless it is outdated or could not be ordered", () => {
  const failed = scene(job("1", "failed"));
  const outdated = scene(job("2", "failed", { outdated: true }));
  const notOrdered = scene(job("3", "failed", NOT_ORDERED));
  const all = [failed, outdated, notOrdered, scene(job("4")), scene(null)];
  assert.deepEqual(model.failedScenes(all), [failed]);
  assert.deepEqual(model.notOrderedScenes(all), [notOrdered]);
});

test("generate makes what has no clip, or an outdated one, and nothing else", () => {
  const [none, outdated] = [scene(null), scene(job("2", "succeeded", { outdated: true }))];
  const rest = [scene(job("3", "failed")), scene(job("4", "succeeded")), scene(null, { first: "" })];
  assert.deepEqual(model.missingScenes([none, outdated, ...rest]), [none, outdated]);
});

test("clips from before the ledger are counted by the service alone", () => {
  const counts = { total: 2, completed: 2, pending: 0, failed: 0 };
  assert.equal(model.tally(project(3, [], { earlier: [{}], counts }), 3), counts);
});

test("a scene without a clip counts in the total alone", () => {
  const counts = model.tally(project(3, [job("1"), job("2", "failed")]), 3);
  assert.deepEqual(counts, { total: 3, completed: 0, pending: 1, failed: 1 });
});

test("a bar has no share of what failed, and a part of what is under way", () => {
  const both = project(2, [job("1", "failed"), job("2", "succeeded")]);
  const share = (one) => model.shareOf(one, model.tally(one, 2), NOW);
  assert.equal(share(both), 0.5);
  assert.equal(share(project(2, [job("1")])), 0.2);
  assert.equal(share(project(2, [])), 0);
});

test("a project waits since the clip that waits longest, and since never if all have ended", () => {
  const later = "2026-01-02T00:00:30Z";
  const jobs = [job("1", "generating", { waiting_since: later }), job("2"), job("3", "succeeded")];
  assert.equal(model.waitingSince(project(3, jobs)), "2026-01-02T00:00:00.000Z");
  assert.equal(model.waitingSince(project(1, [job("1", "succeeded")])), null);
});

test("what a clip was made with is told only where it differs and is known", () => {
  const chosen = { model: "b", resolution: "720p", audio: false };
  const other = (changes) =>
    model.otherChoice(project(1, [], chosen), job("1", "succeeded", { ...chosen, ...changes }), []);
  assert.equal(other({}), "");
  assert.equal(other({ model: "a" }), "a · 720p");
  assert.equal(other({ model: "a", adopted: true }), "");
});

test("a retry tells how many were sent, or why none was", () => {
  /** @param {any} results @param {string} [note] */
  const texts = (results, note) =>
    model.retryNews(/** @type {any} */ ({ results, note })).map(({ text }) => text);
  assert.deepEqual(texts([{ success: true }, { success: false, error: "No." }]), ["1 clip submitted again."]);
  assert.deepEqual(texts([{ success: false, error: "No." }]), ["No."]);
  assert.deepEqual(texts([], "Scene 1 has not failed."), ["Scene 1 has not failed."]);
  assert.deepEqual(texts([{ success: true, warning: "It may be billed twice." }]), [
    "1 clip submitted again.",
    "It may be billed twice.",
  ]);
});

const news = (scenes, before, after) =>
  model.progressNews(project(scenes, before), project(scenes, after)).map(({ text }) => text);

test("the last clip is told as the end", () => {
  assert.deepEqual(news(1, [job("1")], [job("1", "succeeded")]), ["Your clip is ready."]);
  const ended = [job("1", "succeeded"), job("2", "succeeded")];
  assert.deepEqual(news(2, [job("1", "succeeded"), job("2")], ended), ["All 2 clips are ready."]);
});

test("a failure is told by itself, and in the end", () => {
  const told = news(2, [job("1", "succeeded"), job("2")], [job("1", "succeeded"), job("2", "failed")]);
  assert.deepEqual(told, ["Scene 2 failed: The model failed.", "Finished: 1 clip done, 1 failed."]);
});

test("each tenth is told, and not each clip", () => {
  const made = (count) =>
    Array.from({ length: 30 }, (_, at) => job(String(at + 1), at < count ? "succeeded" : "generating"));
  assert.deepEqual(news(30, made(1), made(2)), []);
  assert.deepEqual(news(30, made(2), made(3)), ["3 of 30 clips done."]);
});

test("a clip that was cancelled, or a project that is read for the second time, is no news", () => {
  const withdrawn = job("1", "failed", { error: { kind: "withdrawn", sentence: "Cancelled.", message: "" } });
  assert.deepEqual(news(1, [job("1", "queued")], [withdrawn]), []);
  assert.deepEqual(news(1, [job("1", "succeeded")], [job("1", "succeeded")]), []);
});

test("what could not be ordered is told by its banner, not scene by scene", () => {
  const told = news(2, [job("1"), job("2")], [job("1", "failed", NOT_ORDERED), job("2")]);
  assert.deepEqual(told, []);
});
