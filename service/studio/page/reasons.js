/** Why a clip was not made, or a call not done, in words for people who make videos. Pure. */

// An id is of use to a program alone; what stands before it reads as well without.
const ID = / [\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}\b/gi;
// JSON, markup, or a word for programs, such as "HTTP 400".
const FOR_PROGRAMS = /[{}<>]|\[object |\btask_?UUID|\bHTTP\b|\b(?:GET|POST|PATCH|DELETE) \//i;
// Where Runware's own words are for programs alone.
const BY_KIND = {
  safety: "Runware's safety check refused it. Change the prompt or the frames.",
  rejected:
    "Runware refused it as it was asked for. Change the prompt or the frames, or choose another model.",
};
const NO_REASON = "The model could not make it. Try again later.";
const NOT_ALLOWED =
  "There is a video, but the service is not set up to take it from where it lies. Ask whoever runs the service to allow that, then retry it: it is looked for again before anything is paid.";
const REFUSED_CALLS = {
  provider_refused: "The service could not order it. Your scenes are kept.",
  project_edited: "The project was edited meanwhile, so nothing was bought. Try again.",
  project_changed:
    "Somebody edited this project meanwhile, so this was not stored. Look at it as it is now, and try again.",
  project_busy:
    "The project's earlier clips are being looked for just now, so nothing was bought. Try again in a minute.",
  project_deleted: "This project was deleted. It can be restored in the list of deleted projects.",
  project_unreadable:
    "This project was stored in a form that can't be shown. Store it anew from where it was made, or delete it in the list of projects.",
  // Something before the service answered, in no words of its own.
  http_error: "The service can't answer just now. Try again in a minute.",
  clip_not_ready: "This scene has no finished clip.",
  store_unavailable: "The service can't reach its database just now. Try again in a minute.",
};

/** Whether the service could not order a clip: its account at Runware is at fault, and no scene. */
export const isNotOrdered = (job) => job?.stage === "failed" && job.error?.kind === "account";

/** Why a clip failed: in Runware's words, where a person can use them. */
export function failureText({ error }) {
  if (!error) return "No reason was given.";
  if (error.code === "videoHostRefused") return NOT_ALLOWED;
  const said = [error.sentence, error.message].find((text) => text && !FOR_PROGRAMS.test(text));
  return said ? withoutIds(said) : (BY_KIND[error.kind] ?? NO_REASON);
}

/** What a call that was refused is told as. */
export function refusalText(error) {
  if (REFUSED_CALLS[error.code]) return REFUSED_CALLS[error.code];
  const said = withoutIds(error.message);
  return FOR_PROGRAMS.test(said) ? "This did not work. Try again in a minute." : said;
}

/** That the service could not order clips, for the person who looks: a heading and what to do. */
export function notOrderedText(jobs, operator) {
  const heading = `The service could not order ${jobs.length === 1 ? "1 clip" : `${jobs.length} clips`}`;
  if (!operator) {
    return {
      heading,
      text: "Its account at Runware needs attention. Whoever runs the service finds the reason in its log. Your scenes are kept.",
    };
  }
  return {
    heading,
    text: `Runware refused this service's account: ${closed(jobs[0].error.sentence)} Check RUNWARE_API_KEY and the credit in Runware's dashboard; the command “clips doctor” tells which of them it is. Then try again.`,
  };
}

/** Leaves out the ids in a text. */
export const withoutIds = (text) => text.replace(ID, "");

const closed = (text) => (/[.!?]$/.test(text) ? text : `${text}.`);
