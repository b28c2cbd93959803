/** What a project's view decides: which scenes are to be made or retried, how far all is, and what is told. Pure. */
import { shareDone } from "../client/clips.js";
import { failureText, isNotOrdered, withoutIds } from "./reasons.js";
import { choiceText, clipCount, plural, scenesOf } from "./words.js";

/** @typedef {import("../client/clips.js").Project} Project */
/** @typedef {import("../client/clips.js").Job} Job */
/** @typedef {ReturnType<typeof scenesOf>[number]} Scene */
/** @typedef {{ text: string, tone?: string }} Told */

/** Whether a clip can be made of a scene as it is. @param {Scene} scene */
export const isComplete = ({ first, last, problem }) => Boolean(first && last && !problem);

/** Those whose clips failed. What could not be ordered is asked for again by its own button. @param {Scene[]} scenes */
export const failedScenes = (scenes) =>
  scenes.filter(({ job }) => job?.stage === "failed" && !job.outdated && !isNotOrdered(job));

/** Those that could not be ordered. @param {Scene[]} scenes */
export const notOrderedScenes = (scenes) => scenes.filter(({ job }) => job && isNotOrdered(job));

/** Those without a clip of what they ask for now. @param {Scene[]} scenes */
export const missingScenes = (scenes) =>
  scenes.filter((scene) => isComplete(scene) && (!scene.job || scene.job.outdated));

/**
 * How many clips there are: of the ledger, or those from before it.
 *
 * @param {Project} project
 * @param {number} scenes How many there are.
 */
export function tally(project, scenes) {
  if (project.earlier?.length) return project.counts;
  const count = (wanted) => project.jobs.filter((job) => wanted.includes(job.status)).length;
  return {
    total: scenes,
    completed: count(["succeeded"]),
    pending: count(["submitting", "pending"]),
    failed: count(["failed"]),
  };
}

/**
 * How much of a project is done, from 0 to 1.
 *
 * @param {Project} project
 * @param {import("../client/clips.js").Tally} counts
 * @param {number} now
 */
export function shareOf({ jobs }, counts, now) {
  const made = jobs.filter((job) => job.stage !== "failed").map((job) => shareDone(job, now));
  const done = jobs.length ? made.reduce((sum, share) => sum + share, 0) : counts.completed;
  return done / Math.max(counts.total, 1);
}

/**
 * Since when a project has been waiting for a clip, in ISO 8601; null where it waits for none.
 *
 * @param {Project} project
 */
export function waitingSince({ jobs }) {
  const times = jobs.filter((job) => !job.settled_at).map((job) => Date.parse(job.waiting_since));
  return times.length ? new Date(Math.min(...times)).toISOString() : null;
}

/**
 * What a clip was made with, where that is not what the project's next clips are made with.
 *
 * @param {Project} project
 * @param {Job | null} job
 * @param {import("../client/clips.js").Model[]} models
 */
export function otherChoice(project, job, models) {
  if (!job || job.adopted) return "";
  const isSame = ["model", "resolution", "audio"].every((name) => job[name] === project[name]);
  return isSame ? "" : choiceText(job, models);
}

/**
 * What is told of a retry.
 *
 * @param {import("../client/clips.js").Generated} answer
 * @returns {Told[]}
 */
export function retryNews({ results, note }) {
  const problem = results.find((result) => result.error);
  const sent = results.filter((result) => result.success).length;
  const warning = results.find((result) => result.warning)?.warning;
  const told = [];
  if (sent) told.push({ text: `${plural(sent, "clip")} submitted again.` });
  else if (problem) told.push({ text: withoutIds(problem.error), tone: "failed" });
  if (note) told.push({ text: note });
  if (warning) told.push({ text: withoutIds(warning), tone: "failed" });
  return told;
}

/**
 * What has happened between two states of a project: a failure, each tenth done, the end.
 *
 * @param {Project} before
 * @param {Project} after
 * @returns {Told[]}
 */
export function progressNews(before, after) {
  const ended = new Set(before.jobs.filter((job) => job.settled_at).map((job) => job.task_uuid));
  const isNews = (job) => job.settled_at && !ended.has(job.task_uuid) && job.error?.kind !== "withdrawn";
  const news = after.jobs.filter(isNews);
  // What was removed or cancelled is no progress.
  if (!news.length) return [];
  const failures = news
    .filter((job) => job.stage === "failed" && !isNotOrdered(job))
    .map((job) => ({ text: `Scene ${job.scene} failed: ${failureText(job)}`, tone: "failed" }));
  const [was, is] = [before, after].map((project) => tally(project, scenesOf(project).length));
  return [...failures, ...(is.pending ? stepNews(was, is) : [endNews(is)])];
}

/** @returns {Told} */
function endNews({ completed, failed }) {
  if (failed)
    return { text: `Finished: ${plural(completed, "clip")} done, ${failed} failed.`, tone: "failed" };
  const text = completed === 1 ? "Your clip is ready." : `All ${completed} clips are ready.`;
  return { text, tone: "done" };
}

function stepNews(was, is) {
  const tenths = ({ completed, total }) => Math.floor((10 * completed) / Math.max(total, 1));
  return tenths(is) > tenths(was) ? [{ text: `${clipCount(is)} done.` }] : [];
}
