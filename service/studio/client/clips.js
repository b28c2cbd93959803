/**
 * The client of the clip service: an ES module without dependencies, for any page or framework.
 * Its types are in clips.d.ts; README.md beside this folder shows it at work.
 */

// A stream that is silent for longer than two heartbeats of the service (15 s each) is dead.
const SILENCE_MS = 40_000;
// After a tab was hidden, or the machine slept, one missed heartbeat is reason enough to connect anew.
const DOUBT_MS = 20_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
// One failed stream may be a restart; from the second on the project is asked for instead.
const FAILURES_BEFORE_POLLING = 2;
const POLL_PAUSE_MS = 5_000;
// Errors that no repetition mends.
const FINAL = new Set([400, 401, 403, 404, 410, 422]);

/**
 * An answer that is not 2xx, or none at all: `status` is 0 and `code` is "unreachable" then. `answer` is its body, {} if
 * that is no JSON.
 */
export class ClipsError extends Error {
  constructor(message, code, status, answer = {}) {
    super(message);
    this.name = "ClipsError";
    this.code = code;
    this.status = status;
    this.answer = answer;
  }
}

// What the service names uploads, in its own folder or in Supabase's bucket.
const UPLOAD = /\/(uploads|storage\/v1\/object\/public\/images)\/[0-9a-f]{64}\.(png|jpg|webp)$/;

/**
 * Where the small version of a frame is, if it is an upload; else the frame itself. Some uploads have none: show the frame
 * where the small version does not load.
 */
export const smallUrl = (frame) => (UPLOAD.test(frame) ? `${frame}.small.webp` : frame);

export function createClips({ url = "", token } = {}) {
  const base = url.replace(/\/+$/, "");

  async function request(path, { headers = {}, ...options } = {}) {
    const send = (secret) => {
      const authorization = secret ? { authorization: `Bearer ${secret}` } : {};
      return fetch(base + path, { ...options, headers: { ...authorization, ...headers } }).catch((error) => {
        if (error.name === "AbortError") throw error;
        throw new ClipsError("The service can't be reached. Check the connection.", "unreachable", 0);
      });
    };
    const secret = typeof token === "function" ? await token() : token;
    let response = await send(secret);
    if (response.status === 401 && secret && typeof token === "function") {
      const renewed = await token({ refused: secret });
      if (renewed && renewed !== secret) response = await send(renewed);
    }
    if (response.ok) return response;
    const answer = await response.json().catch(() => ({}));
    const message = answer.error ?? `The service answered with status ${response.status}.`;
    throw new ClipsError(message, answer.code ?? "http_error", response.status, answer);
  }

  const get = async (path, options) => (await request(path, options)).json();
  const sendJson = async (method, path, body, headers = {}) =>
    (
      await request(path, {
        method,
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      })
    ).json();
  const post = (path, body) => sendJson("POST", path, body);

  const projectPath = (projectId) => `/projects/${encodeURIComponent(projectId)}`;
  const videoPath = (projectId, scene) => `${projectPath(projectId)}/clips/${encodeURIComponent(scene)}.mp4`;

  return {
    generate: (projectId, { model, resolution, audio, scenes, adopt } = {}) =>
      post("/functions/v1/generate-clips", { project_id: projectId, model, resolution, audio, scenes, adopt }),
    status: (projectId) => post("/functions/v1/check-clips-status", { project_id: projectId }),
    retry: (projectId, { scenes } = {}) =>
      post("/functions/v1/retry-clips", { project_id: projectId, ...(scenes && { scenes }) }),
    cancel: (projectId, { scenes } = {}) =>
      post("/functions/v1/cancel-clips", { project_id: projectId, ...(scenes && { scenes }) }),
    projects: ({ q, state, cursor, limit = 100 } = {}) => {
      const asked = Object.entries({ q, state, cursor, limit }).filter(([, value]) => value);
      return get(`/projects?${new URLSearchParams(asked)}`);
    },
    project: (projectId) => get(projectPath(projectId)),
    quotes: (projectId, { model, resolution, audio } = {}) => {
      const asked = Object.entries({ model, resolution, audio }).filter(([, value]) => value !== undefined);
      return get(`/projects/${encodeURIComponent(projectId)}/quotes?${new URLSearchParams(asked)}`);
    },
    downloadUrl: (projectId, scene) => base + videoPath(projectId, scene),
    download: async (projectId, scene, { onProgress = () => {}, signal } = {}) =>
      readFile(await request(videoPath(projectId, scene), { signal }), onProgress),
    checkVideo: async (projectId, scene) => {
      const response = await request(videoPath(projectId, scene), { headers: { range: "bytes=0-0" } });
      // A host that knows no ranges gives all of it.
      await response.body.cancel();
    },
    edit: (projectId, changes, { edited } = {}) => {
      const known = edited === undefined ? {} : { "if-match": `"${edited}"` };
      return sendJson("PATCH", `/projects/${encodeURIComponent(projectId)}`, changes, known);
    },
    create: async (draft) => (await post("/projects", draft)).id,
    duplicate: async (projectId) => (await post(`${projectPath(projectId)}/copies`, {})).id,
    remove: async (projectId) => (await request(projectPath(projectId), { method: "DELETE" })).json(),
    restore: async (projectId) => (await post(`${projectPath(projectId)}/restore`, {})).id,
    upload: async (image) =>
      (
        await request("/uploads", {
          method: "POST",
          headers: { "content-type": image.type || "image/unknown" },
          body: image,
        })
      ).json(),
    config: () => get("/studio/config"),
    estimates: () => get("/studio/estimates"),
    watch: (projectId, onChange, options) => watch({ request, get }, projectId, onChange, options),
  };
}

/** Reads a file to its end, in pieces that the browser may keep on disk; gives it with its name. */
async function readFile(response, onProgress) {
  const total = Number(response.headers.get("content-length")) || null;
  let received = 0;
  const counting = new TransformStream({
    transform(piece, next) {
      received += piece.length;
      onProgress(received, total);
      next.enqueue(piece);
    },
  });
  const { headers } = response;
  const counted = new Response(response.body.pipeThrough(counting), { headers });
  try {
    return { blob: await counted.blob(), name: fileName(headers.get("content-disposition") ?? "") };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ClipsError("The download broke off. Try again.", "broken_off", 0);
  }
}

function fileName(disposition) {
  const [, encoded] = /filename\*=UTF-8''([^;]+)/i.exec(disposition) ?? [];
  const [, plain] = /filename="([^"]+)"/i.exec(disposition) ?? [];
  return encoded ? decodeURIComponent(encoded) : (plain ?? "clip.mp4");
}

/** How much of a clip's way is behind it at the time `now`, from 0 to 0.99; 1 only when it has ended. */
export function shareDone(job, now = Date.now()) {
  if (job.settled_at) return 1;
  const { median_s: median, p90_s: p90 } = job.usual ?? { median_s: 120, p90_s: 300 };
  const waited = Math.max(0, secondsWaited(job, now));
  if (waited < median) return (0.8 * waited) / median;
  if (waited < p90) return 0.8 + (0.15 * (waited - median)) / (p90 - median);
  return 0.99 - 0.04 * Math.exp(-(waited - p90) / Math.max(p90, 1));
}

/** How long a clip has been waited for, in seconds. */
export function secondsWaited(job, now = Date.now()) {
  return (now - Date.parse(job.waiting_since)) / 1000;
}

/**
 * Follows a project: by its event stream, else by asking. Connects anew with growing pauses, and at once when
 * the network or the tab is back. Gives a function that ends it.
 */
function watch({ request, get }, projectId, onChange, { onConnection = () => {}, onError = () => {} } = {}) {
  let project = null;
  let lastId = "";
  let connection = "";
  let stopped = false;
  let failures = 0;
  let lastByteAt = 0;
  let stream = new AbortController();
  let endPause = () => {};

  function tell(state) {
    if (state === connection || stopped) return;
    connection = state;
    onConnection(state);
  }

  function take(next, changed, clockSkewMs) {
    if (stopped || (project && next.sequence < project.sequence)) return;
    project = { ...next, clockSkewMs };
    onChange(project, changed);
  }

  function takeEvent({ id, event, data }) {
    const news = JSON.parse(data);
    const skew = Date.parse(news.now) - Date.now();
    if (event === "snapshot") {
      lastId = id;
      // A snapshot always counts: after the service's database was exchanged, numbers begin anew.
      project = null;
      take(news, news.jobs, skew);
    } else if (event === "changes" && project) {
      lastId = id;
      take(merged(project, news), news.jobs, skew);
    }
  }

  async function readStream() {
    stream = new AbortController();
    const headers = { accept: "text/event-stream", ...(lastId && project && { "last-event-id": lastId }) };
    const connecting = setTimeout(() => stream.abort(), SILENCE_MS);
    let watchdog;
    try {
      const response = await request(`/projects/${encodeURIComponent(projectId)}/events`, {
        headers,
        signal: stream.signal,
      });
      const type = response.headers.get("content-type") ?? "";
      if (!type.startsWith("text/event-stream") || !response.body) {
        throw new ClipsError("No event stream came.", "no_stream", response.status);
      }
      lastByteAt = Date.now();
      watchdog = setInterval(() => Date.now() - lastByteAt > SILENCE_MS && stream.abort(), 5_000);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const parse = eventParser(takeEvent);
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        // Headers alone may come from a proxy that holds the rest back.
        failures = 0;
        lastByteAt = Date.now();
        tell("live");
        parse(value);
      }
    } finally {
      clearTimeout(connecting);
      clearInterval(watchdog);
    }
  }

  async function poll() {
    try {
      const next = await get(`/projects/${encodeURIComponent(projectId)}`);
      const known = new Map((project?.jobs ?? []).map((job) => [job.scene, JSON.stringify(job)]));
      const changed = next.jobs.filter((job) => known.get(job.scene) !== JSON.stringify(job));
      if (next.sequence !== project?.sequence) take(next, changed, project?.clockSkewMs ?? 0);
      tell("polling");
      return POLL_PAUSE_MS;
    } catch (error) {
      if (FINAL.has(error.status)) throw error;
      tell("offline");
      return LONGEST_PAUSE_MS;
    }
  }

  function pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  function wake() {
    if (globalThis.document?.visibilityState === "hidden") return;
    if (connection === "live" && Date.now() - lastByteAt > DOUBT_MS) stream.abort();
    endPause();
  }

  function lost() {
    stream.abort();
  }

  async function run() {
    while (!stopped) {
      try {
        await readStream().catch((error) => {
          if (FINAL.has(error.status)) throw error;
          failures += 1;
        });
        if (stopped) return;
        if (connection === "live") tell("connecting");
        let longest = LONGEST_PAUSE_MS;
        if (failures >= FAILURES_BEFORE_POLLING) longest = await poll();
        const grown = FIRST_PAUSE_MS * 2 ** Math.min(failures, 10);
        // Jitter, so that a thousand pages don't come back in the same moment.
        await pause(Math.min(longest, grown) * (0.5 + Math.random() / 2));
      } catch (error) {
        if (!stopped) onError(error);
        stop();
      }
    }
  }

  const listening = [
    [globalThis.document, "visibilitychange", wake],
    [globalThis.window, "online", wake],
    [globalThis.window, "offline", lost],
  ].filter(([target]) => target);
  for (const [target, name, listener] of listening) target.addEventListener(name, listener);

  function stop() {
    stopped = true;
    for (const [target, name, listener] of listening) target.removeEventListener(name, listener);
    stream.abort();
    endPause();
  }

  tell("connecting");
  run();
  return stop;
}

/** A project after news of some of its scenes. */
function merged(project, news) {
  const jobs = new Map(project.jobs.map((job) => [job.scene, job]));
  for (const job of news.jobs) jobs.set(job.scene, job);
  const inOrder = [...jobs.values()].sort((one, other) =>
    one.scene.localeCompare(other.scene, "en", { numeric: true }),
  );
  const shown = (job) => (job.settled_at ? (job.video_url ?? "failed") : "pending");
  const clips = Object.fromEntries(inOrder.map((job) => [job.task_uuid, shown(job)]));
  // The first job means that the ledger has taken over.
  return { ...project, ...news, jobs: inOrder, clips, earlier: [], quotes: quoted(project, news) };
}

/** The quotes after news: at prices of now, and with what is paid by the jobs that are what is asked for. */
function quoted({ quotes }, { usd_per_second: price, jobs }) {
  const paid = new Map(jobs.filter((job) => !job.outdated).map((job) => [job.scene, job.stage !== "failed"]));
  const usd = ({ duration_s: seconds }) => (price === null ? null : Math.round(seconds * price * 10_000) / 10_000);
  return Object.fromEntries(
    Object.entries(quotes ?? {}).map(([scene, quote]) => [
      scene,
      { ...quote, usd: usd(quote), paid: paid.get(scene) ?? quote.paid },
    ]),
  );
}

/** Gives a function that takes an event stream's text in pieces, however they are cut. */
function eventParser(onEvent) {
  let rest = "";
  let event = { id: "", event: "", data: [] };
  return (text) => {
    const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (event.data.length) onEvent({ ...event, data: event.data.join("\n") });
        event = { id: event.id, event: "", data: [] };
        continue;
      }
      const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line);
      if (name === "data") event.data.push(value);
      else if (name === "id" || name === "event") event[name] = value;
    }
  };
}
