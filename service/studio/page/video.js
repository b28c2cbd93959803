/** A project's finished videos: whether each is still at its link, and saving it as a file. */
import { refusalText } from "./reasons.js";
import { toast } from "./toasts.js";

export function projectVideos({ clips, projectId, config }) {
  const gone = new Set();
  const asked = new Map();
  // A long project must not ask for all of its videos at once.
  /** @type {Promise<unknown>} */
  let last = Promise.resolve();

  function note(error, job) {
    if (error.code === "video_gone") gone.add(job.video_url);
    return gone.has(job.video_url) ? "gone" : "unknown";
  }

  async function ask(job) {
    try {
      await clips.checkVideo(projectId, job.scene);
      return "there";
    } catch (error) {
      return note(error, job);
    }
  }

  return {
    /** A link can't send a token: it does only where the service needs none. */
    linked: config.sign_in === "none",
    url: (job) => clips.downloadUrl(projectId, job.scene),
    isGone: (job) => gone.has(job?.video_url),

    /** Asks the service, once for each video, whether it is "there" or "gone"; "unknown" where it can't tell. */
    look(job) {
      if (!asked.has(job.video_url)) {
        const answer = last.then(() => ask(job));
        asked.set(job.video_url, answer);
        last = answer;
      }
      return asked.get(job.video_url);
    },

    /** Has the next look ask anew. */
    forget: (job) => asked.delete(job.video_url),

    /** Saves a video as a file, and says so where that does not work; `onShare` is given how much of it has come. */
    async save(job, onShare) {
      try {
        if (this.linked) {
          // The browser would only say that it failed, not why.
          await clips.checkVideo(projectId, job.scene);
          press(this.url(job), "");
          return;
        }
        const onProgress = (received, total) => onShare(total && received / total);
        const { blob, name } = await clips.download(projectId, job.scene, { onProgress });
        const url = URL.createObjectURL(blob);
        press(url, name);
        // The browser reads it after this; there is no event for the end.
        setTimeout(() => URL.revokeObjectURL(url), 60_000);
      } catch (error) {
        note(error, job);
        toast(refusalText(error), "failed");
      }
    },
  };
}

function press(url, name) {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}
