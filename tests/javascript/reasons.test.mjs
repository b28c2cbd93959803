import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalText } from "../../service/studio/page/reasons.js";
import { describe } from "../../service/studio/page/words.js";

const TASK = "0b0f1a1e-5a5e-4f59-8d3e-1c2d3e4f5a6b";
const REFUSED =
  "Runware refused it as it was asked for. Change the prompt or the frames, or choose another model.";

function stateOf(kind, message, { detail = "", code = "someCode" } = {}) {
  const error = { kind, code, message, detail, sentence: [message, detail].filter(Boolean).join(" ") };
  return describe({ stage: "failed", error }, Date.now()).text;
}

test("a failure is told in Runware's words, where a person can use them", () => {
  const refused = (detail) => stateOf("safety", "Invalid content detected.", { detail });
  assert.equal(
    refused("A face was filtered out."),
    "Failed: Invalid content detected. A face was filtered out.",
  );
  assert.equal(refused('{"code": 58061214}'), "Failed: Invalid content detected.");
});

test("words for programs alone are replaced by what the kind of failure means", () => {
  assert.equal(stateOf("rejected", `Invalid value for taskUUID ${TASK}.`), `Failed: ${REFUSED}`);
  assert.equal(stateOf("rejected", "Runware refused the request with HTTP 400."), `Failed: ${REFUSED}`);
  assert.equal(
    stateOf("provider", "<html>502</html>"),
    "Failed: The model could not make it. Try again later.",
  );
});

test("ids are left out of a failure", () => {
  assert.equal(stateOf("provider", `The job ${TASK} failed.`), "Failed: The job failed.");
});

test("a failure of the service's account is not told as one of the scene", () => {
  assert.equal(stateOf("account", "Invalid API key."), "Not made: the service could not order it.");
});

test("a video that the service may not take says whom to ask", () => {
  const told = stateOf("timeout", "Mend VIDEO_HOSTS.", { code: "videoHostRefused" });
  assert.match(told, /^Failed: There is a video, .* Ask whoever runs the service to allow that/);
});

const REFUSALS = [
  [
    "project_edited",
    `Project ${TASK} was edited while its clips were chosen. Nothing was bought. Call again.`,
    "The project was edited meanwhile, so nothing was bought. Try again.",
  ],
  [
    "provider_refused",
    "Runware refuses the service's key (invalidApiKey: Invalid API key).",
    "The service could not order it. Your scenes are kept.",
  ],
  [
    "clip_not_ready",
    `Scene 1 of project ${TASK} has no finished clip. GET /projects/${TASK} shows how it stands.`,
    "This scene has no finished clip.",
  ],
  ["provider_unavailable", `The earlier job ${TASK} may run.`, "The earlier job may run."],
  ["some_code", "GET /projects/x answered HTTP 502", "This did not work. Try again in a minute."],
  [
    "http_error",
    "The service answered with status 502.",
    "The service can't answer just now. Try again in a minute.",
  ],
  ["choice_refused", "Veo 3.1 Lite does not make 4K.", "Veo 3.1 Lite does not make 4K."],
];

for (const [code, message, told] of REFUSALS)
  test(`a call refused with ${code} is told in words for people`, () => {
    assert.equal(refusalText({ code, message }), told);
  });
