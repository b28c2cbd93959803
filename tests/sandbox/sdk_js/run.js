// Has videos made as an application does. Takes {url, key, tasks} on stdin, and prints for each task {results, error}: what
// videoInference gave, or the error it threw. With a key that is refused it prints one {error}.
import { readFileSync } from "node:fs";
import { Runware } from "@runware/sdk-js";

const { url, key, tasks } = JSON.parse(readFileSync(0, "utf8"));

async function outcome(work) {
  try {
    return { results: await work(), error: null };
  } catch (failed) {
    return { results: null, error: failed.error ?? { message: String(failed) } };
  }
}

let runware;
const greeted = await outcome(async () => {
  runware = await Runware.initialize({ apiKey: key, url, timeoutDuration: 10_000 });
});
const outcomes = greeted.error
  ? [greeted]
  : await Promise.all(tasks.map(({ taskType, ...task }) => outcome(() => runware.videoInference(task))));
console.log(JSON.stringify(outcomes));
process.exit(0);
