"""A strict model of Runware: what it takes, what it bills, what it says, and what of that was really heard.

Written from what is documented of Runware, not from the sandbox or the service: it shares no code with them.
A broken promise about money is told at the moment when the second task is taken.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.chances import Chances

GOOD_HOST, STRANGE_HOST = "vm.runware.ai", "videos.example"
# No clip is made in less.
QUICKEST_S = 30.0
# The archive lags by less than the grace time, and both places are blank for less than two looks are apart.
ARCHIVE_LAG_S, BLANK_S, BLANK_EVERY_S = 40.0, 8.0, 90.0
# The results of a job that has ended are listed for so long; the archive keeps them.
LISTED_S = 600.0

Task = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Word:
    """Something an answer says about a task: `failed`, `video`, or `no trace` of it in the archive.

    `asked` stands for the answer to a question about it, whatever that says.
    """

    task: str
    said: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, and what it says. An answer counts as heard once a living copy has it."""

    status: int
    body: object
    words: Sequence[Word] = ()


@dataclass(slots=True)
class Job:
    """A task that was taken. `end` is `video`, `moderated`, `broken` or `lost`: then nothing ever comes."""

    task: str
    purchase: str
    taken_at: float
    ends_at: float
    end: str
    url: str
    cost: float
    webhook: str | None

    @property
    def billed(self) -> bool:
        return self.end == "video"


@dataclass(slots=True)
class Runware:
    """`bought_for` gives the project of a task: two projects may want the same, and each pays for its own.

    `may_buy_again` says of a task that was taken whether a person may have it bought again by now.
    """

    chances: Chances
    now: Callable[[], float]
    on_taken: Callable[[Task], None]
    on_end: Callable[[Job], None]
    bought_for: Callable[[str], str]
    may_buy_again: Callable[[str], bool]
    note: Callable[[str], None]
    violate: Callable[[str], None]
    room: int
    usual_s: float
    clip_timeout_s: float
    secret: str
    jobs: dict[str, list[Job]] = field(default_factory=dict)
    heard: dict[str, list[tuple[float, str]]] = field(default_factory=dict)
    outages: list[tuple[float, float]] = field(default_factory=list)
    throttled: set[str] = field(default_factory=set)

    @property
    def idle(self) -> bool:
        """Whether no job is under way."""
        return all(self._ended(job) for jobs in self.jobs.values() for job in jobs)

    def mend(self) -> None:
        """Have all videos at the allowed host from now on, as after VIDEO_HOSTS was mended."""
        for job in [job for jobs in self.jobs.values() for job in jobs]:
            job.url = job.url.replace(STRANGE_HOST, GOOD_HOST)
        self.outages.clear()

    # What comes in.

    def answer(self, tasks: Sequence[Task], *, doubled: bool = False) -> Answer:
        """Answer a request; `doubled` is one that has come before, by no fault of who sent it."""
        kind = tasks[0]["taskType"]
        if any(begin <= self.now() < end for begin, end in self.outages):
            return Answer(503, None)
        if kind == "accountManagement":
            return Answer(200, {"data": [{"taskType": kind, "balance": {"amount": 12.5, "currency": "USD"}}]})
        if kind == "getResponse":
            return self._results(tasks)
        if kind == "getTaskDetails":
            return self._archive(tasks)
        assert kind == "videoInference", kind
        return self._submission(tasks, doubled=doubled)

    def hear(self, answer: Answer) -> None:
        """Keep what a living copy was told."""
        for word in answer.words:
            self.heard.setdefault(word.task, []).append((self.now(), word.said))

    def hear_webhook(self, words: Sequence[Word]) -> None:
        """Keep that a living copy was told of a job's end, in these words."""
        for word in words:
            self.heard.setdefault(word.task, []).append((self.now(), word.said))

    # Submissions.

    def _submission(self, tasks: Sequence[Task], *, doubled: bool) -> Answer:
        if doubled:
            return self._taking(tasks, doubled=True)
        if self.chances.strikes("busy before"):
            return Answer(self.chances.choice("busy before", [503, 500, 429, 504]), None)
        if self.chances.strikes("no credit"):
            return Answer(402, _errors({"code": "insufficientCredits", "message": "Insufficient credits."}))
        running = sum(not self._ended(job) for jobs in self.jobs.values() for job in jobs)
        if self.chances.has("throttled") and running + len(tasks) > self.room:
            self.throttled.update(task["taskUUID"] for task in tasks)
            return Answer(429, _errors({"code": "rateLimitExceeded", "message": "Queue capacity exceeded."}))
        return self._taking(tasks, doubled=False)

    def _taking(self, tasks: Sequence[Task], *, doubled: bool) -> Answer:
        data: list[object] = []
        errors: list[object] = []
        for task in tasks:
            self.on_taken(task)
            if self.chances.strikes("refused") and not doubled:
                # For a moment it does not get at the frames; it looks at them first of all.
                errors.append(_error(task["taskUUID"], "invalidFrameImages", "The frames can't be fetched."))
            elif self._is_conflict(task["taskUUID"]) or (doubled and task["taskUUID"] in self.jobs):
                errors.append(_error(task["taskUUID"], "conflictTaskUUID", "Task UUID is already in use."))
            else:
                self._take(task)
                data.append({"taskType": "videoInference", "taskUUID": task["taskUUID"]})
        if self.chances.strikes("busy after"):
            return Answer(self.chances.choice("busy after", [503, 500, 504]), None)
        return Answer(400 if errors else 200, {"data": data, "errors": errors})

    def _is_conflict(self, task: str) -> bool:
        jobs = self.jobs.get(task)
        if not jobs or jobs[-1].end == "lost":
            return False
        return not self._ended(jobs[-1]) or not self.chances.has("ended is billed")

    def _take(self, task: Task) -> None:
        name = task["taskUUID"]
        wanted = {key: task[key] for key in sorted(task) if key not in ("taskUUID", "webhookURL", "ttl")}
        purchase = json.dumps([self.bought_for(name), wanted])
        for earlier in [job for jobs in self.jobs.values() for job in jobs if job.purchase == purchase]:
            if not self._is_excused(earlier, name):
                self.violate(
                    f"bought twice: {name} is taken, and {earlier.task} for the same was taken before"
                )
        job = self._job(name, purchase, task.get("webhookURL"))
        self.jobs.setdefault(name, []).append(job)
        self.note(f"Runware takes {name[:8]}: {job.end} after {job.ends_at - self.now():.0f} s")
        self.on_end(job)

    def _is_excused(self, earlier: Job, name: str) -> bool:
        """Whether Runware has said that it failed or is not there, or a person may go on without its word.

        Under a new task UUID it must have said twice that there is no trace; under the same one once.
        """
        heard = self.heard.get(earlier.task, [])
        if any(said == "failed" for _, said in heard):
            return True
        traces = [at for at, said in heard if said == "no trace"]
        enough = bool(traces) and (earlier.task == name or max(traces) - min(traces) >= BLANK_S)
        return (enough and earlier.end == "lost") or self.may_buy_again(earlier.task)

    def _job(self, name: str, purchase: str, webhook: str | None) -> Job:
        takes_s = self.chances.between("job", QUICKEST_S, self.usual_s)
        end = "video"
        if self.chances.strikes("slow job"):
            least, most = self.chances.choice("slow job", [(0.98, 1.05), (1.98, 2.1), (0.8, 3.0)])
            takes_s = self.chances.between("slow job", least, most) * self.clip_timeout_s
        if self.chances.strikes("moderated"):
            end = "moderated"
        elif self.chances.strikes("broken"):
            end = "broken"
        elif self.chances.strikes("lost job"):
            end = "lost"
        host = STRANGE_HOST if self.chances.strikes("strange host") else GOOD_HOST
        number = sum(len(jobs) for jobs in self.jobs.values()) + 1
        return Job(
            task=name,
            purchase=purchase,
            taken_at=self.now(),
            ends_at=self.now() + takes_s,
            end=end,
            url=f"https://{host}/video/{number}.mp4",
            cost=round(0.5 + number / 100, 2),
            webhook=webhook,
        )

    def _ended(self, job: Job) -> bool:
        return self.now() >= job.ends_at

    # Questions.

    def _results(self, tasks: Sequence[Task]) -> Answer:
        if self.chances.strikes("busy before"):
            return Answer(self.chances.choice("busy before", [503, 500, 429]), None)
        data: list[object] = []
        errors: list[object] = []
        words: list[Word] = []
        for task in tasks:
            name = task["taskUUID"]
            job = self._known(name)
            words.append(Word(name, "asked"))
            if job is None:
                if self.chances.strikes("unknown") and not self.is_blank(name):
                    errors.append(_error(name, "taskNotFound", "There is no such task.", about="getResponse"))
            elif not self._ended(job):
                if self._is_forgotten_once(job):
                    errors.append(_error(name, "taskNotFound", "There is no such task.", about="getResponse"))
                elif not self.chances.strikes("unlisted"):
                    data.append({"taskType": "videoInference", "taskUUID": name, "status": "processing"})
            elif self.now() < job.ends_at + LISTED_S:
                end = self._end(job)
                (data if job.end == "video" else errors).append(end)
                words += _words(job)
        return Answer(400 if errors else 200, {"data": data, **({"errors": errors} if errors else {})}, words)

    def _archive(self, tasks: Sequence[Task]) -> Answer:
        data: list[object] = []
        words: list[Word] = []
        for task in tasks:
            name = task["taskUUID"]
            job = self._known(name)
            lag = ARCHIVE_LAG_S if self.chances.has("archive lags") else 0.0
            if job is None or self.now() < job.taken_at + lag:
                words.append(Word(name, "no trace"))
                continue
            response: object = {"data": [{"taskType": "videoInference", "taskUUID": name}]}
            if self._ended(job):
                end = self._end(job)
                response = {"data": [end]} if job.end == "video" else {"errors": [end]}
                words += _words(job)
            data.append(
                {
                    "taskType": "getTaskDetails",
                    "taskUUID": name,
                    "request": [{"taskType": "videoInference", "taskUUID": name}],
                    "response": response,
                }
            )
        return Answer(200, {"data": data}, words)

    def _known(self, name: str) -> Job | None:
        jobs = self.jobs.get(name)
        if not jobs or jobs[-1].end == "lost" or self.is_blank(name):
            return None
        return jobs[-1]

    def is_blank(self, name: str) -> bool:
        """Whether Runware answers at this moment as if it had never heard of a task.

        Where it bills an ended task that is sent again, this would be the second bill that can't be excluded.
        """
        if not self.chances.has("blank") or self.chances.has("ended is billed"):
            return False
        return (self.now() + int(name[:4], 16) % BLANK_EVERY_S) % BLANK_EVERY_S < BLANK_S

    def _is_forgotten_once(self, job: Job) -> bool:
        """Whether Runware says of a job that it runs that there is none, for a few seconds in its life."""
        begin = job.taken_at + int(job.task[:4], 16) % BLANK_EVERY_S
        return self.chances.has("forgotten once") and begin <= self.now() < begin + BLANK_S

    def _end(self, job: Job) -> Mapping[str, object]:
        if job.end == "video":
            return {
                "taskType": "videoInference",
                "taskUUID": job.task,
                "status": "success",
                "videoURL": job.url,
                "cost": job.cost,
            }
        words = f" (key {self.secret}, {job.webhook})" if self.chances.has("leaky words") else ""
        code, message = (
            ("invalidProviderContent", "Invalid content detected. You will not be charged.")
            if job.end == "moderated"
            else ("inferenceError", "The model failed.")
        )
        return _error(job.task, code, message + words, status="error")

    # Webhooks.

    def webhook(self, job: Job) -> tuple[object, Sequence[Word]]:
        """Give a webhook's body, and what it says: as it is written now, whatever is mended later."""
        return self._webhook_body(job), _words(job)

    def _webhook_body(self, job: Job) -> object:
        end = self._end(job)
        form = self.chances.choice("webhooks", ["flat", "data", "list"])
        if form == "list":
            return [end]
        if form == "flat":
            return end
        return {"data": [end]} if job.end == "video" else {"errors": [end]}


def _words(job: Job) -> list[Word]:
    """Give what an answer says that tells a job's end; a video at a strange host can not be taken."""
    if job.end != "video":
        return [Word(job.task, "failed")]
    return [Word(job.task, "video")] if GOOD_HOST in job.url else []


def _error(
    name: str, code: str, message: str, about: str = "videoInference", **more: str
) -> Mapping[str, object]:
    return {"code": code, "message": message, "taskUUID": name, "taskType": about, **more}


def _errors(*errors: object) -> Mapping[str, object]:
    return {"errors": list(errors)}
