/** Types of clips.js. Times are ISO 8601 in UTC, money is in USD. */

export interface ClipsOptions {
  /** Where the service is, such as "https://clips.example.com"; "" for the page's own origin. */
  url?: string;
  /**
   * The caller's token, or a function that gives it anew for each call. After a 401 it is called once more, with the
   * token that was refused; if it gives another one then, the call is repeated. What it throws, the call rejects with.
   */
  token?: string | ((after?: { refused: string }) => string | undefined | Promise<string | undefined>);
}

export interface Tally {
  total: number;
  completed: number;
  pending: number;
  failed: number;
}

/** How long such clips took here; absent until enough of them have been made. */
export interface Usual {
  median_s: number;
  p90_s: number;
  samples: number;
}

/** "throttled": Runware had no room for it; it is sent again at `send_after`. */
export type Stage = "queued" | "sent" | "throttled" | "generating" | "checking" | "succeeded" | "failed";

/** A scene's current clip. */
export interface Job {
  scene: string;
  task_uuid: string;
  status: "submitting" | "pending" | "succeeded" | "failed";
  stage: Stage;
  video_url: string | null;
  /** When the video's link ends, as far as is known. */
  video_expires_at: string | null;
  /** `sentence` is all that a person needs to read: the message, and what the model's provider said. */
  error: { code: string; message: string; detail: string | null; sentence: string; kind: string } | null;
  cost_usd: number | null;
  /** What it was made with; `resolution` is empty where the model has no choice of it. */
  model: string;
  resolution: string;
  audio: boolean;
  duration_s: number;
  attempt: number;
  submitted_at: string;
  waiting_since: string;
  send_after: string | null;
  settled_at: string | null;
  settled_by: string | null;
  usual: Usual | null;
  /** Whether it was made before the service kept a ledger, and kept: nobody knows by what, when and for how much. */
  adopted: boolean;
  /** Whether it came along when the project was duplicated, and so cost nothing more. */
  copied: boolean;
  /** Whether the project asks for something else for this scene by now. */
  outdated: boolean;
}

/** What making a scene's clip costs, as the project asks for it now. */
export interface Quote {
  /** As it is sent. */
  prompt: string;
  /** The seconds that are made. */
  duration_s: number;
  /** The seconds that the scene asks for, where the model makes others; else null. */
  wanted_s: number | null;
  /** Null where the price is not known. */
  usd: number | null;
  /** A clip for exactly this is there or may still come, so that asking for it costs nothing. */
  paid: boolean;
}

/** A clip that was made before the service kept a ledger, of a project of which that has none. */
export interface EarlierClip {
  jobId: string;
  status: "completed" | "pending" | "failed";
  videoUrl?: string;
}

interface ProjectRow {
  id: string;
  title: string;
  /** By task UUID: "pending", "failed" or the video's URL. */
  clips: Record<string, string>;
  video_url: string | null;
  input_image_url: string | null;
  audio_recording_url: string | null;
  created_at: string;
  updated_at: string;
  /** In the order of their UUIDs; empty once the service has made, or kept, a clip of the project. */
  earlier: EarlierClip[];
}

/** "failed": nothing is under way and a clip failed. "idle": not every scene has its video yet. */
export type ProjectState = "generating" | "failed" | "done" | "idle" | "deleted";

export interface ProjectSummary extends ProjectRow {
  state: ProjectState;
  /** Set only where the state is "deleted". */
  deleted_at: string | null;
  thumbnails: string[];
  counts: Tally;
  cost_usd: number;
}

/** What to list: projects with all these words in their titles, of this state, after this place; deleted ones only by their state. */
export interface ProjectsQuery {
  q?: string;
  state?: ProjectState;
  /** The `next` of the page before. */
  cursor?: string;
  /** 1000 at most. */
  limit?: number;
}

export interface ProjectPage {
  projects: ProjectSummary[];
  /** The next page's cursor; null where there is none. */
  next: string | null;
}

export interface Frames {
  first_frame: string;
  last_frame: string;
}

export interface Project extends ProjectRow {
  sequence: number;
  /** The number of the project's last edit, for `edit`; clips that change leave it as it is. */
  edited: number;
  counts: Tally;
  cost_usd: number;
  jobs: Job[];
  script: string | null;
  scenes: unknown;
  frames: unknown;
  /** Why, as they are now, no clip can be made of scenes, by their keys. */
  problems: Record<string, string>;
  /** The price of each scene that can be made now, by its key; empty where the project's model is not allowed any more. */
  quotes: Record<string, Quote>;
  /** What a second of the next clips costs; null where that is not known. */
  usd_per_second: number | null;
  /** What the next clips are made with: what was chosen, else the installation's default. */
  model: string;
  resolution: string;
  audio: boolean;
}

/** A project's quotes with a choice. */
export type ProjectQuotes = Pick<Project, "quotes" | "usd_per_second" | "model" | "resolution" | "audio">;

/** A project that is watched; `clockSkewMs` is how far the service's clock is ahead of this one. */
export interface WatchedProject extends Project {
  clockSkewMs: number;
}

export interface ProjectDraft {
  frames: Record<string, Partial<Frames> | null>;
  scenes?: Record<string, Record<string, unknown> | null>;
  script?: string | null;
}

/**
 * What changes in a project, as a JSON merge patch (RFC 7396): what is left out stays, null removes. A scene that is null
 * in both `frames` and `scenes` is removed; its clips stay paid for, and are found again if it is put back.
 */
export interface ProjectChanges {
  /** At most 160 characters, and not blank. */
  title?: string;
  frames?: Record<string, { [name in keyof Frames]?: string | null } | null>;
  scenes?: Record<string, Record<string, unknown> | null>;
  /**
   * All scene keys in their new order: the scene at place i then has the i-th of the project's keys. Its clips move
   * along, so that nothing is bought again. Send `edited` with it: the same order again would move the scenes again.
   */
  order?: string[];
}

/**
 * What to make a project's clips with; the project keeps it. A `model` begins anew: what is not named beside it is
 * the installation's default. Without one the earlier model stays.
 */
export interface Choice {
  model?: string;
  resolution?: string;
  audio?: boolean;
}

export interface SceneResult {
  sceneKey: string;
  taskUUID: string | null;
  success: boolean;
  videoURL?: string;
  error?: string;
  /** What may be billed beside a clip that was bought again. */
  warning?: string;
  /** That the clip has other seconds than were asked for. */
  note?: string;
}

interface Counts {
  success: true;
  project_id: string;
  /** The clips that are there or may still come: `completed` and `pending`. */
  total_clips: number;
  completed: number;
  pending: number;
  failed: number;
  /** All scenes that were asked about: `completed`, `pending` and `failed`. */
  scenes: number;
  clips: Record<string, string>;
  earlier: EarlierClip[];
}

export interface Generated extends Counts {
  all_complete: boolean;
  results: SceneResult[];
  /** What a retry did not retry, since it has not failed. */
  note?: string;
}

/** `success` of a result: nothing of the scene is being made any more; `error` says why it still is, or what there is. */
export interface Cancelled extends Omit<Counts, "earlier"> {
  results: { sceneKey: string; taskUUID: string | null; success: boolean; error?: string }[];
}

export interface Status extends Counts {
  details: {
    jobId: string | null;
    sceneKey: string;
    status: "completed" | "pending" | "failed";
    videoUrl?: string;
    error?: string;
  }[];
}

/** The body of an error. With the code "nothing_made" it also has what a success would have had. */
export type ErrorAnswer = Partial<
  Omit<Generated & Status, "success"> & { success: false; error: string; code: string }
>;

/** A model that may be chosen. `prices` are those of the service's table, in USD a second of video. */
export interface Model {
  air: string;
  name: string;
  /** Whether it is the one of a project for which nobody chose. */
  default: boolean;
  durations_s: number[];
  /** Empty where the model has no choice of it. */
  resolutions: string[];
  default_resolution: string;
  /** Whether it can make sound. */
  sound: boolean;
  default_audio: boolean;
  /** The most characters of a prompt; null where that is unknown. */
  prompt_limit: number | null;
  prices: { resolution: string; audio: boolean; usd_per_second: number; source: string; as_of: string }[];
}

export interface StudioConfig {
  sign_in: "none" | "token" | "supabase";
  supabase_url: string | null;
  anon_key: string | null;
  /** Whether the SERVICE_TOKEN signs an operator in beside the users of Supabase. */
  operator_token: boolean;
  models: Model[];
  max_upload_bytes: number;
  /** The least and the most pixels of each side of an uploaded frame. */
  min_side_px: number;
  max_side_px: number;
  upload_types: string[];
}

/** What a second of video costs: by what past clips cost here, else by the table of models. */
export interface PriceEstimate {
  model: string;
  resolution: string;
  audio: boolean;
  usd_per_second: number;
  basis: "past" | "table";
}

/** A variant whose price is not known is left out. */
export interface StudioEstimates {
  prices: PriceEstimate[];
}

/** "live": by the event stream. "polling": asked for every few seconds, since no stream comes through. */
export type Connection = "connecting" | "live" | "polling" | "offline";

export interface WatchOptions {
  onConnection?: (connection: Connection) => void;
  /** Called once, for an error that no repetition mends; the watch is over then. */
  onError?: (error: ClipsError) => void;
}

export interface DownloadOptions {
  /** Called with the bytes received so far, and with all that will come, null where that is not known. */
  onProgress?: (received: number, total: number | null) => void;
  signal?: AbortSignal;
}

export interface DownloadedClip {
  blob: Blob;
  name: string;
}

export interface Clips {
  /**
   * Submits a job for each scene with both frames, or for those of `scenes` only; what is paid for already is not bought
   * again. Where no clip could be made, `generate`, `status` and `retry` reject with the code "nothing_made", and `answer` tells of each scene. With
   * `adopt` it buys nothing, and makes the earlier clips those of the scenes, in order; where they don't fit it rejects.
   */
  generate(projectId: string, choice?: Choice & { scenes?: string[]; adopt?: boolean }): Promise<Generated>;
  /** Has Runware asked for news, and reports every scene. Before any `generate` it rejects: "nothing_asked". */
  status(projectId: string): Promise<Status>;
  /** New attempts for all failed clips, or for those of these scenes that failed. */
  retry(projectId: string, options?: { scenes?: string[] }): Promise<Generated>;
  /**
   * Cancels what was not sent to Runware yet, of these scenes or of all: it costs nothing. What was sent comes and is paid
   * for. Where nothing could be cancelled it rejects: "nothing_cancelled", and `answer` tells of each scene.
   */
  cancel(projectId: string, options?: { scenes?: string[] }): Promise<Cancelled>;
  /** A page of the projects, newest first. */
  projects(options?: ProjectsQuery): Promise<ProjectPage>;
  project(projectId: string): Promise<Project>;
  /** What making the clips costs with a choice, which is not stored; without one, as the project is. */
  quotes(projectId: string, choice?: Choice): Promise<ProjectQuotes>;
  /**
   * Where a finished clip is downloaded from. A link can send no token: it does where the service needs none. Where it
   * needs one, use `download`.
   */
  downloadUrl(projectId: string, scene: string): string;
  /** Fetches a finished clip with its file name; rejects with `video_gone` where its link is dead. */
  download(projectId: string, scene: string, options?: DownloadOptions): Promise<DownloadedClip>;
  /** Resolves if a finished clip's video is still there; else rejects as `download` does. */
  checkVideo(projectId: string, scene: string): Promise<void>;
  /**
   * Changes a project; gives it as it is then. With `edited`, the number that the project had, it rejects with
   * "project_changed" if somebody has edited it since: read it again, and edit that.
   */
  edit(projectId: string, changes: ProjectChanges, options?: { edited?: number }): Promise<Project>;
  /** Stores a project; gives its id. */
  create(draft: ProjectDraft): Promise<string>;
  /**
   * Stores a copy of a project, with the clips that it shows and that are finished, so that nothing is bought again for
   * these; gives its id.
   */
  duplicate(projectId: string): Promise<string>;
  /**
   * Deletes a project with a way back: it is hidden until `restore`, every other call about it rejects with
   * "project_deleted", and clips that are under way are still made. A watch of it ends by `onError`, as does that of a
   * project that can't be read any more ("project_unreadable").
   */
  remove(projectId: string): Promise<{ id: string; deleted_at: string }>;
  /** Brings a deleted project back as it was; gives its id. */
  restore(projectId: string): Promise<string>;
  /** Keeps an image for use as a frame; gives its URL. */
  upload(image: Blob): Promise<{ url: string; width: number; height: number }>;
  config(): Promise<StudioConfig>;
  estimates(): Promise<StudioEstimates>;
  /**
   * Calls `onChange` with the whole project at once and after each change, `changed` being the jobs that did.
   * Gives a function that ends it.
   */
  watch(
    projectId: string,
    onChange: (project: WatchedProject, changed: Job[]) => void,
    options?: WatchOptions,
  ): () => void;
}

/** An answer that is not 2xx, or none at all: `status` is 0 and `code` is "unreachable" then. */
export class ClipsError extends Error {
  constructor(message: string, code: string, status: number, answer?: ErrorAnswer);
  readonly code: string;
  readonly status: number;
  /** The body; empty if none came, or it is no JSON. */
  readonly answer: ErrorAnswer;
}

/** Where the small version of an uploaded frame is, else the frame itself; show the frame if that does not load. */
export function smallUrl(frame: string): string;

export function createClips(options?: ClipsOptions): Clips;

/** How much of a clip's way is behind it at the time `now`, from 0 to 0.99; 1 only when it has ended. */
export function shareDone(job: Job, now?: number): number;

/** How long a clip has been waited for, in seconds. */
export function secondsWaited(job: Job, now?: number): number;
