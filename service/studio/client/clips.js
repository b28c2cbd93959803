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

/** @type {typeof import("./clips.js").createClips} */
export function createClips({ url = "", token } = {}) {
  const http = connection(url.replace(/\/+$/, ""), token);
  return { ...functions(http), ...projects(http), ...videos(http), ...installation(http) };
}

/**
 * How the service is called.
 *
 * @typedef {{
 *   request: (path: string, options?: RequestInit & { headers?: Record<string, string> }) => Promise<Response>,
 *   get: (path: string) => Promise<any>,
 *   send: (method: string, path: string, body: unknown, headers?: Record<string, string>) => Promise<any>,
 *   base: string,
 * }} Http
 */

/**
 * @param {string} base
 * @param {import("./clips.js").ClipsOptions["token"]} token
 * @returns {Http}
 */
function connection(base, token) {
  /** @type {Http["request"]} */
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
    throw await errorOf(response);
  }

  /** @type {Http["send"]} */
  const send = async (method, path, body, headers = {}) => {
    const told = { "content-type": "application/json", ...headers };
    return (await request(path, { method, headers: told, body: JSON.stringify(body) })).json();
  };
  return { base, request, send, get: async (path) => (await request(path)).json() };
}

async function errorOf(response) {
  const answer = await response.json().catch(() => ({}));
  const message = answer.error ?? `The service answered with status ${response.status}.`;
  return new ClipsError(message, answer.code ?? "http_error", response.status, answer);
}

const projectPath = (projectId) => `/projects/${encodeURIComponent(projectId)}`;
const videoPath = (projectId, scene) => `${projectPath(projectId)}/clips/${encodeURIComponent(scene)}.mp4`;
const query = (asked, isGiven) =>
  new URLSearchParams(Object.entries(asked).filter(([, value]) => isGiven(value)));

/**
 * @param {Http} http
 * @returns {Pick<import("./clips.js").Clips, "generate" | "status" | "retry" | "cancel">}
 */
function functions({ send }) {
  const call = (name, projectId, asked = {}) =>
    send("POST", `/functions/v1/${name}`, { project_id: projectId, ...asked });
  return {
    generate: (projectId, { model, resolution, audio, scenes, adopt } = {}) =>
      call("generate-clips", projectId, { model, resolution, audio, scenes, adopt }),
    status: (projectId) => call("check-clips-status", projectId),
    retry: (projectId, { scenes } = {}) => call("retry-clips", projectId, { scenes }),
    cancel: (projectId, { scenes } = {}) => call("cancel-clips", projectId, { scenes }),
  };
}

/**
 * @param {Http} http
 * @returns {Pick<
 *   import("./clips.js").Clips,
 *   "projects" | "project" | "quotes" | "edit" | "create" | "duplicate" | "remove" | "restore" | "watch"
 * >}
 */
function projects(http) {
  const { request, get, send } = http;
  return {
    projects: ({ q, state, cursor, limit = 100 } = {}) =>
      get(`/projects?${query({ q, state, cursor, limit }, Boolean)}`),
    project: (projectId) => get(projectPath(projectId)),
    quotes: (projectId, { model, resolution, audio } = {}) =>
      get(
        `${projectPath(projectId)}/quotes?${query({ model, resolution, audio }, (value) => value !== undefined)}`,
      ),
    edit: (projectId, changes, { edited } = {}) => {
      const known = edited === undefined ? {} : { "if-match": `"${edited}"` };
      return send("PATCH", projectPath(projectId), changes, known);
    },
    create: async (draft) => (await send("POST", "/projects", draft)).id,
    duplicate: async (projectId) => (await send("POST", `${projectPath(projectId)}/copies`, {})).id,
    remove: async (projectId) => (await request(projectPath(projectId), { method: "DELETE" })).json(),
    restore: async (projectId) => (await send("POST", `${projectPath(projectId)}/restore`, {})).id,
    watch: (projectId, onChange, options) => {
      const watch = new Watch(http, projectId, onChange, options);
      watch.run();
      return () => watch.stop();
    },
  };
}

/**
 * @param {Http} http
 * @returns {Pick<import("./clips.js").Clips, "downloadUrl" | "download" | "checkVideo">}
 */
function videos({ base, request }) {
  return {
    downloadUrl: (projectId, scene) => base + videoPath(projectId, scene),
    download: async (projectId, scene, { onProgress = () => {}, signal } = {}) =>
      readFile(await request(videoPath(projectId, scene), { signal }), onProgress),
    checkVideo: async (projectId, scene) => {
      const response = await request(videoPath(projectId, scene), { headers: { range: "bytes=0-0" } });
      // A host that knows no ranges gives all of it.
      await response.body.cancel();
    },
  };
}

/**
 * @param {Http} http
 * @returns {Pick<import("./clips.js").Clips, "upload" | "config" | "estimates">}
 */
function installation({ request, get }) {
  return {
    upload: async (image) => {
      const headers = { "content-type": image.type || "image/unknown" };
      return (await request("/uploads", { method: "POST", headers, body: image })).json();
    },
    config: () => get("/studio/config"),
    estimates: () => get("/studio/estimates"),
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
 * the network or the tab is back. `run` goes on until `stop`, or until an error that no repetition mends.
 */
class Watch {
  /** @type {import("./clips.js").WatchedProject | null} */
  #project = null;
  #lastId = "";
  #connection = "";
  #stopped = false;
  #failures = 0;
  #lastByteAt = 0;
  #stream = new AbortController();
  #endPause = () => {};
  #http;
  #path;
  #onChange;
  #onConnection;
  #onError;
  #listening;

  /**
   * @param {Http} http
   * @param {string} projectId
   * @param {(project: import("./clips.js").WatchedProject, changed: import("./clips.js").Job[]) => void} onChange
   * @param {import("./clips.js").WatchOptions} options
   */
  constructor(http, projectId, onChange, { onConnection = () => {}, onError = () => {} } = {}) {
    this.#http = http;
    this.#path = projectPath(projectId);
    this.#onChange = onChange;
    this.#onConnection = onConnection;
    this.#onError = onError;
    // Neither is there outside of a browser.
    const { document, window } = globalThis;
    this.#listening = [
      { target: document, name: "visibilitychange", listener: () => this.#wake() },
      { target: window, name: "online", listener: () => this.#wake() },
      { target: window, name: "offline", listener: () => this.#stream.abort() },
    ].filter(({ target }) => target);
    for (const { target, name, listener } of this.#listening) target.addEventListener(name, listener);
  }

  stop() {
    this.#stopped = true;
    for (const { target, name, listener } of this.#listening) target.removeEventListener(name, listener);
    this.#stream.abort();
    this.#endPause();
  }

  async run() {
    this.#tell("connecting");
    try {
      while (!this.#stopped) await this.#round();
    } catch (error) {
      if (!this.#stopped) this.#onError(error);
      this.stop();
    }
  }

  /** Reads one stream to its end, and waits before the next; while streams fail, the project is asked for. */
  async #round() {
    await this.#readStream().catch((error) => {
      if (FINAL.has(error.status)) throw error;
      this.#failures += 1;
    });
    if (this.#stopped) return;
    if (this.#connection === "live") this.#tell("connecting");
    const longest = this.#failures >= FAILURES_BEFORE_POLLING ? await this.#poll() : LONGEST_PAUSE_MS;
    const grown = FIRST_PAUSE_MS * 2 ** Math.min(this.#failures, 10);
    // Jitter, so that a thousand pages don't come back in the same moment.
    await this.#pause(Math.min(longest, grown) * (0.5 + Math.random() / 2));
  }

  async #readStream() {
    const stream = new AbortController();
    this.#stream = stream;
    const known = this.#lastId && this.#project ? { "last-event-id": this.#lastId } : {};
    const headers = { accept: "text/event-stream", ...known };
    const connecting = setTimeout(() => stream.abort(), SILENCE_MS);
    let watchdog;
    try {
      const response = await this.#http.request(`${this.#path}/events`, { headers, signal: stream.signal });
      const type = response.headers.get("content-type") ?? "";
      if (!type.startsWith("text/event-stream") || !response.body) {
        throw new ClipsError("No event stream came.", "no_stream", response.status);
      }
      this.#lastByteAt = Date.now();
      watchdog = setInterval(() => Date.now() - this.#lastByteAt > SILENCE_MS && stream.abort(), 5_000);
      await this.#readEvents(response.body);
    } finally {
      clearTimeout(connecting);
      clearInterval(watchdog);
    }
  }

  async #readEvents(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    const parse = eventParser((event) => this.#takeEvent(event));
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      // Headers alone may come from a proxy that holds the rest back.
      this.#failures = 0;
      this.#lastByteAt = Date.now();
      this.#tell("live");
      parse(value);
    }
  }

  #takeEvent({ id, event, data }) {
    const news = JSON.parse(data);
    const skew = Date.parse(news.now) - Date.now();
    if (event === "snapshot") {
      this.#lastId = id;
      // A snapshot always counts: after the service's database was exchanged, numbers begin anew.
      this.#project = null;
      this.#take(news, news.jobs, skew);
    } else if (event === "changes" && this.#project) {
      this.#lastId = id;
      this.#take(merged(this.#project, news), news.jobs, skew);
    }
  }

  #take(next, changed, clockSkewMs) {
    if (this.#stopped || (this.#project && next.sequence < this.#project.sequence)) return;
    this.#project = { ...next, clockSkewMs };
    this.#onChange(this.#project, changed);
  }

  /** Asks for the project; gives for how long to wait at most until the next time. */
  async #poll() {
    try {
      const next = await this.#http.get(this.#path);
      const before = this.#project;
      const known = new Map((before?.jobs ?? []).map((job) => [job.scene, JSON.stringify(job)]));
      const changed = next.jobs.filter((job) => known.get(job.scene) !== JSON.stringify(job));
      if (next.sequence !== before?.sequence) this.#take(next, changed, before?.clockSkewMs ?? 0);
      this.#tell("polling");
      return POLL_PAUSE_MS;
    } catch (error) {
      if (FINAL.has(error.status)) throw error;
      this.#tell("offline");
      return LONGEST_PAUSE_MS;
    }
  }

  /** @returns {Promise<void>} */
  #pause(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #wake() {
    if (globalThis.document?.visibilityState === "hidden") return;
    if (this.#connection === "live" && Date.now() - this.#lastByteAt > DOUBT_MS) this.#stream.abort();
    this.#endPause();
  }

  #tell(state) {
    if (state === this.#connection || this.#stopped) return;
    this.#connection = state;
    this.#onConnection(state);
  }
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
  const usd = ({ duration_s: seconds }) =>
    price === null ? null : Math.round(seconds * price * 10_000) / 10_000;
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
