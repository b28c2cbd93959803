/** What the page says about states, times and money. Pure: the time is an argument. */
import { secondsWaited } from "../client/clips.js";
import { failureText, isNotOrdered } from "./reasons.js";
import { secondsIn } from "./seconds.js";

// Without a past of its own the service calls a clip late after this long.
const LATE_BY_DEFAULT_S = 300;
// A request that is still unanswered then is being asked about.
const UNANSWERED_S = 60;
// Days left are counted from here on; before, the date says it.
const SOON_DAYS = 14;

/** What is happening to a scene's clip: a sentence, and its tone. `problem` is why there is no clip, `gone` that its video is no longer at its link. */
export function describe(job, now, problem = "", gone = false) {
  if (!job) return { text: problem || "Not generated yet.", tone: "idle" };
  const waited = secondsWaited(job, now);
  switch (job.stage) {
    case "succeeded":
      if (gone) return { text: goneText(job, now), tone: "late" };
      if (job.adopted) return { text: "Made before this service kept a ledger", tone: "done" };
      if (job.copied) return { text: "Done, copied from the original", tone: "done" };
      return {
        text: `Done in ${clock((Date.parse(job.settled_at) - Date.parse(job.waiting_since)) / 1000)}`,
        tone: "done",
      };
    case "failed":
      if (isNotOrdered(job)) return { text: "Not made: the service could not order it.", tone: "failed" };
      // Somebody cancelled it, which is no failure.
      if (job.error?.kind === "withdrawn") return { text: failureText(job), tone: "late" };
      return { text: `Failed: ${failureText(job)}`, tone: "failed" };
    case "queued":
      return { text: "Queued", tone: "busy" };
    case "sent":
      return { text: waited > UNANSWERED_S ? "Checking whether it has arrived" : "Sent", tone: "busy" };
    case "throttled": {
      const seconds = (Date.parse(job.send_after) - now) / 1000;
      const when = seconds > 0 ? `in ${clock(seconds)}` : "now";
      return { text: `Runware has no room for it yet; it is sent again ${when}`, tone: "busy" };
    }
    case "checking":
      return { text: `Checking with Runware, for ${clock(waited)}`, tone: "busy" };
    default: {
      const usually = job.usual ? `, usually done in about ${roughly(job.usual.median_s)}` : "";
      if (waited > (job.usual?.p90_s ?? LATE_BY_DEFAULT_S)) {
        return { text: `Late: generating for ${clock(waited)}${usually}`, tone: "late" };
      }
      return { text: `Generating for ${clock(waited)}${usually}`, tone: "busy" };
    }
  }
}

/** How a whole project stands. */
export function projectState({ total, completed, pending, failed }) {
  if (pending) return { text: "Generating", tone: "busy" };
  if (failed) return { text: failed === 1 ? "1 failed" : `${failed} failed`, tone: "failed" };
  if (total && completed === total) return { text: "Done", tone: "done" };
  return { text: completed ? "Partly done" : "Not started", tone: "idle" };
}

/** How a listed project stands: by its earlier clips, while the service has made none. */
export function countsOf({ counts, earlier = [] }) {
  if (!earlier.length) return counts;
  const count = (status) => earlier.filter((one) => one.status === status).length;
  return {
    total: earlier.length,
    completed: count("completed"),
    pending: count("pending"),
    failed: count("failed"),
  };
}

export const clipCount = ({ total, completed }) => `${completed} of ${plural(total, "clip")}`;

/** What a project's bar is called by who reads it out. */
export const barName = (counts) =>
  `Clips done: ${clipCount(counts)}${counts.failed ? `, ${counts.failed} failed` : ""}`;

export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

export function roughly(seconds) {
  if (seconds < 50) return plural(Math.max(5, Math.round(seconds / 5) * 5), "second");
  return plural(Math.max(1, Math.round(seconds / 60)), "minute");
}

export function age(time, now) {
  const seconds = (now - Date.parse(time)) / 1000;
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${plural(Math.floor(seconds / 3600), "hour")} ago`;
  if (seconds < 7 * 86_400) return `${plural(Math.floor(seconds / 86_400), "day")} ago`;
  return new Date(time).toLocaleDateString("en", { day: "numeric", month: "short", year: "numeric" });
}

/** When a video's link ends, or that it has; nothing for a clip without a video. */
export function linkText(expires, now) {
  if (!expires) return "";
  const end = Date.parse(expires);
  const hours = (end - now) / 3_600_000;
  if (hours > 0 && hours < 1) return "Link ends within the hour";
  if (hours > 0 && hours < 24) return `Link ends in ${plural(Math.floor(hours), "hour")}`;
  const days = Math.floor(hours / 24);
  if (hours > 0 && days < SOON_DAYS) return `Link ends in ${plural(days, "day")}`;
  return `Link ${hours > 0 ? "ends" : "was to end"} on ${dayText(end)}`;
}

/** That a video is no longer at its link, since when, and what helps. */
export function goneText(job, now) {
  const end = Date.parse(job.video_expires_at);
  const told =
    end > now
      ? `This video is no longer at its link, which was expected to last until ${dayText(end)}.`
      : `The link to this video ended on ${dayText(end)}.`;
  return `${told} Use a copy that was downloaded earlier. If there is none, change the prompt or choose another model, and generate a new clip: that costs again.`;
}

const dayText = (time) =>
  new Date(time).toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });

export const dollars = (usd) => `$${usd.toFixed(2)}`;

/** How a choice reads in one line, such as "Veo 3.1 · 720p · no sound". */
export function choiceText({ model, resolution, audio }, models) {
  const known = models.find((one) => one.air === model);
  const sound = audio ? "sound" : known?.sound && "no sound";
  return [known?.name ?? model, resolution, sound].filter(Boolean).join(" · ");
}

/** What a person wrote about a scene. */
export function promptOf(scene) {
  const texts = [scene?.description, scene?.visual_action, scene?.dialogue];
  return texts.find((text) => typeof text === "string" && text.trim())?.trim() ?? "";
}

/** The scenes of a project in their order, each with its frames and texts. */
export function scenesOf(project) {
  const frames = asObject(project.frames);
  const scenes = asObject(project.scenes);
  const keys = [
    ...new Set([...Object.keys(frames), ...Object.keys(scenes), ...project.jobs.map((job) => job.scene)]),
  ];
  const jobs = new Map(project.jobs.map((job) => [job.scene, job]));
  return keys
    .sort((one, other) => one.localeCompare(other, "en", { numeric: true }))
    .map((key) => ({
      key,
      first: asText(frames[key]?.first_frame),
      last: asText(frames[key]?.last_frame),
      // What is sent, where a clip can be made.
      prompt: project.quotes[key]?.prompt ?? promptOf(scenes[key]),
      duration: secondsIn(scenes[key]?.duration) === null ? scenes[key]?.duration_sec : scenes[key].duration,
      problem: project.problems[key] ?? "",
      quote: project.quotes[key] ?? null,
      job: jobs.get(key) ?? null,
      // A clip outlives its scene where the web application took that away.
      stored: key in frames || key in scenes,
    }));
}

export function titleOf(project) {
  const line = project.title || "Untitled video";
  return line.length > 120 ? `${line.slice(0, 119).trimEnd()}…` : line;
}

const asObject = (value) => (value && typeof value === "object" ? value : {});
const asText = (value) => (typeof value === "string" ? value.trim() : "");
