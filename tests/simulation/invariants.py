"""What must hold, checked by code that shares nothing with the service: it knows tables and Runware's ledger.

Each violation begins with the name of its invariant.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tests.simulation.runware import ARCHIVE_LAG_S, GOOD_HOST, Job

Row = Mapping[str, Any]

_UNCHANGING = ("project_id", "attempt", "submitted_at")
_STATE = (
    *("status", "sends", "throttled", "last_sent_at", "send_after", "reopened_at", "unknown_since"),
    *("unknown_answers", "video_url", "failure_kind", "failure_code", "failure_message", "failure_detail"),
    *("cost_usd", "settled_at", "settled_by"),
)
_PRESUMED = ("timeout", "lost")
_OPEN = ("submitting", "pending")
_MOST_SENDS = 3
LAST_LOOK_GRACE = timedelta(minutes=2)
GRACE = timedelta(seconds=60)
_LAST_LOOK_S = 90.0
# What is heard may wait for the answers of a second look, and for those of other batches.
_STORED_WITHIN_S = 90.0
_VAIN_S = 60.0
# A look a second, and the store's answers; longer than any of it takes where nothing is slow.
SHOWN_WITHIN_S = 4.0
_TEXTS = ("failure_code", "failure_message", "failure_detail", "video_url")

INVARIANTS = {
    "bought twice": "No task is taken while Runware may still bill an earlier one for the same, unless it "
    "said that this failed or is not there, or a person goes on after the doubt's time",
    "ledger first": "No task reaches Runware without a committed row that counts the send",
    "sent in vain": "No send is counted for what has its video already",
    "first end wins": "An end is never undone, but for a presumed one, by Runware's word or a person's",
    "one attempt": "A new attempt is recorded only where every earlier one for the same has failed, "
    "under a number of its own",
    "rows stay": "No row disappears, and what was asked for in it never changes, but for the scene's key",
    "version": "Each change of a row takes the next version",
    "sends": "A task is sent three times at most, refusals for the moment not counted",
    "projection": "projects.clips shows each scene's current clip, and nothing else",
    "acknowledged": "A webhook that was answered with success has had its effect",
    "own videos": "Every video is the one that Runware made for this task, at an allowed host",
    "costs": "A clip's cost is what Runware billed for its task, and the project's is their sum",
    "told free is free": "What is told as never taken was never taken",
    "lost is lost": "No clip is given up as not accepted that Runware has",
    "in time": "No clip is given up before its time, or sent again within the grace after an unclear send",
    "money is there": "No clip is told that the account is empty while it has money",
    "heard is kept": "What a copy that could store it has heard of a clip's end is the clip's end",
    "last look": "No clip is given up without an answer of Runware's until two minutes after its time",
    "waits in vain": "Nothing waits to be sent for which the video is there",
    "secrets": "No secret is stored",
    "last word": "Who asked last, and was answered, has what the project asks for as its current clips",
    "turned away": "No call is refused for edits or another call that were not there",
    "one asker": "No clip is leased by two copies' pollers within the same interval",
    "every clip comes": "When all is quiet, pressing gives every scene its video",
    "deleted": "Nothing is made for a project after its deletion was acknowledged, until it is restored",
    "copies are free": "What comes along with a duplicate is a video of the original's, and costs nothing",
    "shown": "What is watched never goes back, is told as it is stored, and within seconds where all works",
    "crash": "Nothing fails but by the service's own errors",
}


@dataclass(slots=True)
class Ledger:
    """The database as it stands, read after each piece of work, and compared with how it stood before.

    `jobs` are Runware's, `heard` is what living copies were told of tasks, at the loop's `seconds`. A run is
    `steady` if nothing keeps a copy from storing what it has heard: no kill, and `store_works` without fault.
    """

    path: Path
    violate: Callable[[str], None]
    jobs: Mapping[str, Sequence[Job]]
    heard: Mapping[str, Sequence[tuple[float, str]]]
    seconds: Callable[[], float]
    only_throttled: Callable[[], Collection[str]]
    steady: bool
    store_works: bool
    secrets: Sequence[str]
    now: Callable[[], datetime]
    clip_timeout: timedelta
    clocks_off: timedelta
    rows: dict[str, Row] = field(default_factory=dict)
    promised: set[str] = field(default_factory=set)
    """The texts of scenes of which clips were promised, as long as they stand in the project."""
    deleted: bool = False
    """Whether the original is deleted for sure: nobody may be restoring it."""
    _db: sqlite3.Connection | None = None
    _version: int = 0
    _original: str = ""
    _changed_at: float = 0.0

    def open(self) -> None:
        self._db = sqlite3.connect(self.path, isolation_level=None)
        self._db.row_factory = sqlite3.Row

    def close(self) -> None:
        if self._db is not None:
            self._db.close()

    def look(self) -> None:
        """Compare the database with how it stood at the last look, and check all that must hold."""
        assert self._db is not None
        (version,) = self._db.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return
        self._version = version
        self._changed_at = self.seconds()
        before = self.rows
        self.rows = {row["task_uuid"]: dict(row) for row in self._db.execute("SELECT * FROM clips")}
        self._check_rows(before)
        self._check_heard()
        self._check_vain()
        for project in self._db.execute("SELECT * FROM projects"):
            self._check_projection(project)
        self.check_last_word()

    def has_project(self) -> bool:
        assert self._db is not None
        found = self._db.execute("SELECT id FROM projects ORDER BY rowid LIMIT 1").fetchone()
        self._original = found["id"] if found else ""
        return found is not None

    def project(self) -> Row:
        """Give the project that people write in; the others are its duplicates."""
        assert self._db is not None
        found = self._db.execute("SELECT * FROM projects WHERE id = ?", [self._original]).fetchone()
        row: Row = dict(found)
        return row

    def projects(self) -> Sequence[str]:
        """Give the ids of all projects: the original, then its duplicates."""
        assert self._db is not None
        found = [row["id"] for row in self._db.execute("SELECT id FROM projects ORDER BY rowid")]
        return sorted(found, key=lambda project: project != self._original)

    def scenes(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(self.project()["scenes"])
        return found

    def all_ended(self) -> bool:
        return all(row["status"] not in _OPEN for row in self.rows.values())

    def all_made(self) -> bool:
        """Whether nothing is open, and every current clip has its video."""
        current = [row for project in self.projects() for row in self.current(project).values()]
        return self.all_ended() and all(row["status"] == "succeeded" for row in current)

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the project's scenes past the service, as the web application does."""
        assert self._db is not None
        scenes = json.loads(self.project()["scenes"])
        change(scenes)
        self._db.execute("UPDATE projects SET scenes = ? WHERE id = ?", [json.dumps(scenes), self._original])
        self._changed_at = self.seconds()
        self._keep_promises(scenes)

    # Changes.

    def _check_rows(self, before: Mapping[str, Row]) -> None:
        for task in before.keys() - self.rows.keys():
            self.violate(f"rows stay: {task} is gone")
        for task, row in self.rows.items():
            if task not in before:
                self._check_new(row, before)
            elif row != before[task]:
                self._check_changed(before[task], row, before)

    def _check_new(self, row: Row, before: Mapping[str, Row]) -> None:
        if row["copied_from"] is not None:
            self._check_copied(row, before)
            return
        if self.deleted and row["project_id"] == self._original:
            self.violate(f"deleted: {_named(row)} is recorded for a project that was")
        for other in _same_purchase(row, before.values()):
            if other["status"] != "failed" or other["attempt"] == row["attempt"]:
                self.violate(f"one attempt: {_named(row)} is recorded beside {_named(other)}")
        self._check_content(row)

    def _check_copied(self, row: Row, before: Mapping[str, Row]) -> None:
        original = before.get(row["copied_from"])
        same = original is not None and all(row[name] == original[name] for name in ("status", "video_url"))
        if not same or original is None or _content(row) != _content(original):
            self.violate(f"copies are free: {_named(row)} is no copy of {original and _named(original)}")
        if row["status"] != "succeeded" or row["sends"] or row["cost_usd"]:
            self.violate(f"copies are free: {_named(row)} was sent, or costs {row['cost_usd']}")

    def _check_changed(self, old: Row, new: Row, before: Mapping[str, Row]) -> None:
        for column in _UNCHANGING:
            if old[column] != new[column]:
                self.violate(f"rows stay: {column} of {_named(new)} was {old[column]}")
        if _content(old) != _content(new):
            self.violate(f"rows stay: {_named(new)} asks for something else than it did")
        if old["scene"] != new["scene"] and new["version"] != old["version"] + 1:
            self.violate(f"version: {_named(new)} moved from {old['version']} to {new['version']}")
        changed = [column for column in _STATE if old[column] != new[column]]
        if changed and new["version"] != old["version"] + 1:
            self.violate(
                f"version: {changed} of {_named(new)} changed from {old['version']} to {new['version']}"
            )
        if not changed:
            return
        self._check_end(old, new, changed)
        if new["sends"] > old["sends"]:
            self._check_grace(old)
            for other in _same_purchase(new, before.values()):
                if other["status"] == "succeeded":
                    self.violate(f"sent in vain: {_named(new)} is sent, {_named(other)} has the video")
        self._check_content(new)

    def _check_end(self, old: Row, new: Row, changed: Sequence[str]) -> None:
        if old["status"] in _OPEN:
            return
        presumed = old["failure_kind"] in _PRESUMED
        allowed = presumed and (
            new["status"] in ("succeeded", "pending") or new["failure_kind"] not in _PRESUMED
        )
        if not allowed:
            self.violate(
                f"first end wins: {_named(old)} had ended ({old['failure_kind']}), and {changed} changed"
            )

    # States.

    def _check_content(self, row: Row) -> None:
        jobs = self.jobs.get(row["task_uuid"], ())
        if row["sends"] - row["throttled"] > _MOST_SENDS:
            self.violate(f"sends: {_named(row)} was sent {row['sends']} times")
        if any(secret in (row[column] or "") for secret in self.secrets for column in _TEXTS):
            self.violate(f"secrets: {_named(row)} tells one")
        if row["status"] == "succeeded" and row["copied_from"] is None:
            self._check_success(row, jobs)
        if row["status"] == "failed":
            self._check_failure(row, jobs)

    def _check_success(self, row: Row, jobs: Sequence[Job]) -> None:
        made = {job.url: job.cost for job in jobs if job.end == "video"}
        if row["video_url"] not in made or GOOD_HOST not in row["video_url"]:
            self.violate(f"own videos: {_named(row)} has {row['video_url']}")
        elif row["cost_usd"] != made[row["video_url"]]:
            self.violate(f"costs: {_named(row)} says {row['cost_usd']}, billed was {made[row['video_url']]}")

    def _check_failure(self, row: Row, jobs: Sequence[Job]) -> None:
        kind, code = row["failure_kind"], row["failure_code"]
        there = [job for job in jobs if job.end != "lost"]
        if kind == "withdrawn" and row["sends"] != row["throttled"]:
            self.violate(f"told free is free: {_named(row)} was taken back ({code}), and had been sent")
        if there and (kind in ("withdrawn", "rejected", "account") or code == "throttled"):
            self.violate(f"told free is free: {_named(row)} is told as {kind} ({code}), and was taken")
        if kind == "account":
            self.violate(f"money is there: {_named(row)} is told as {code}, and the account has money")
        if code == "notAccepted" and self.steady and row["task_uuid"] in self.only_throttled():
            self.violate(f"lost is lost: {_named(row)} was given up, and Runware had had no room for it")
        if code in ("notAccepted", "taskNotFound") and any(map(self._has_shown, there)):
            self.violate(f"lost is lost: {_named(row)} was given up ({code}), and was taken")
        if kind == "timeout":
            self._check_time_out(row)
        if code == "notAccepted":
            self._check_grace(row)

    def _has_shown(self, job: Job) -> bool:
        """Whether Runware's archive has had the job for longer than clocks differ that end the grace."""
        return self.seconds() - job.taken_at > self.clocks_off.total_seconds() - (
            GRACE.total_seconds() - ARCHIVE_LAG_S
        )

    def _check_grace(self, row: Row) -> None:
        """Check that a task, sent with an unclear end, has had its time to show; `row` is as it was then."""
        if row["sends"] == row["throttled"] or row["send_after"] is not None:
            return
        ago = self.now() - datetime.fromisoformat(row["last_sent_at"])
        if ago < GRACE - self.clocks_off:
            self.violate(f"in time: {_named(row)} was sent {ago} ago only")

    def _check_time_out(self, row: Row) -> None:
        since = datetime.fromisoformat(row["reopened_at"] or row["submitted_at"])
        waited = self.now() - since
        if waited < self.clip_timeout - self.clocks_off:
            self.violate(f"in time: {_named(row)} was given up after {waited}")
        heard = any(at > self.seconds() - _LAST_LOOK_S for at, _ in self.heard.get(row["task_uuid"], ()))
        asked = heard or row["sends"] == row["throttled"]
        if not asked and waited < self.clip_timeout + LAST_LOOK_GRACE - self.clocks_off:
            self.violate(
                f"last look: {_named(row)} was given up after {waited}, and Runware had given no answer"
            )

    def _check_heard(self) -> None:
        if not self.steady:
            return
        for task, row in self.rows.items():
            if row["status"] == "succeeded" or row["failure_kind"] not in (*_PRESUMED, None):
                continue
            for at, said in self.heard.get(task, ()):
                if said in ("video", "failed") and self.seconds() - at > _STORED_WITHIN_S:
                    self.violate(f"heard is kept: {_named(row)} has not the end that a copy heard of")

    def _check_vain(self) -> None:
        if not self.store_works:
            return
        for row in self.rows.values():
            if row["status"] != "submitting" or row["sends"] > row["throttled"]:
                continue
            for other in _same_purchase(row, self.rows.values()):
                if other["status"] != "succeeded":
                    continue
                done_for = self.now() - datetime.fromisoformat(other["settled_at"])
                if done_for > timedelta(seconds=_VAIN_S) + self.clocks_off:
                    self.violate(
                        f"waits in vain: {_named(row)} waits to be sent, {_named(other)} has the video"
                    )

    def _check_projection(self, project: Row) -> None:
        shown: dict[str, str] = {}
        for clip in self.current(project["id"]).values():
            shown[clip["task_uuid"]] = clip["video_url"] or (
                "failed" if clip["status"] == "failed" else "pending"
            )
        if json.loads(project["clips"]) != shown:
            self.violate(f"projection: {project['clips']} is shown, {shown} is so")

    def current(self, project: str) -> Mapping[str, Row]:
        """Give a project's scenes' current clips, by the rule that the README states."""
        by_scene: dict[str, list[Row]] = {}
        for row in self.rows.values():
            if row["project_id"] == project and not row["superseded"]:
                by_scene.setdefault(row["scene"], []).append(row)
        found: dict[str, Row] = {}
        for scene, rows in by_scene.items():
            if len({row["fingerprint"] for row in rows}) > 1:
                self.violate(f"projection: scene {scene} is current for two requests")
            done = [row for row in rows if row["status"] == "succeeded"]
            may = [row for row in rows if row["status"] in _OPEN]
            first_done = sorted(done, key=lambda row: (row["settled_at"], row["attempt"]))[:1]
            newest = sorted(may or rows, key=lambda row: -row["attempt"])[:1]
            (found[scene],) = first_done or newest
        return found

    def check_last_word(self) -> None:
        if not self.promised:
            return
        texts = self._keep_promises(self.scenes())
        current = self.current(self._original)
        for scene, text in texts.items():
            if text not in self.promised:
                continue
            prompt = json.loads(current[scene]["request"])["prompt"] if scene in current else None
            if prompt is None or text not in prompt:
                self.violate(f"last word: scene {scene} was asked for as {text!r}, its clip is of {prompt!r}")

    def _keep_promises(self, scenes: Mapping[str, Any]) -> Mapping[str, str]:
        """Forget what no scene asks for any more, and what two do: that one came by an edit, unpromised."""
        texts = {scene: told["description"] for scene, told in scenes.items()}
        self.promised &= {text for text, times in Counter(texts.values()).items() if times == 1}
        return texts

    # What is shown.

    def check_told(self, task: str, version: int, told: tuple[str, str | None]) -> None:
        """Check a clip's status and video that somebody who watches was told of, at this version."""
        row = self.rows.get(task)
        if row is None or version > row["version"]:
            self.violate(f"shown: {task} at version {version}, its row is {row and _named(row)}")
        elif version == row["version"] and told != (row["status"], row["video_url"]):
            self.violate(f"shown: {_named(row)} as {told}")

    def check_shown(
        self, project: str, shown: Mapping[str, str], texts: Mapping[str, str], since: float
    ) -> None:
        """Check the tasks and texts that are shown of scenes to someone who has watched one copy since."""
        settled_at = max(since, self._changed_at) + SHOWN_WITHIN_S
        if not (self.store_works and self.seconds() > settled_at):
            return
        stored = {scene: row["task_uuid"] for scene, row in self.current(project).items()}
        if shown != stored:
            self.violate(f"shown: {shown}, and stored is {stored}")
        written = {scene: told["description"] for scene, told in self.scenes().items()}
        if texts != written:
            self.violate(f"shown: {texts}, and written is {written}")

    # When all is quiet.

    def check_end(self, project: str, cost_usd: float) -> None:
        """Check what must hold once nobody presses anything and nothing fails any more."""
        total = sum(row["cost_usd"] or 0.0 for row in self.rows.values() if row["project_id"] == project)
        if abs(total - cost_usd) > 1e-6:
            self.violate(f"costs: {project} says {cost_usd}, its clips cost {total}")


def _same_purchase(row: Row, others: Iterable[Row]) -> list[Row]:
    content = _content(row)
    return [
        other
        for other in others
        if other["project_id"] == row["project_id"]
        and other["task_uuid"] != row["task_uuid"]
        and _content(other) == content
    ]


def _content(row: Row) -> str:
    """Give what was asked for, without the scene: that one may move."""
    return _without_scene(row["request"])


@cache
def _without_scene(request: str) -> str:
    return json.dumps({**json.loads(request), "scene": None}, sort_keys=True)


def _named(row: Row) -> str:
    return f"{row['task_uuid'][:8]} (scene {row['scene']}, attempt {row['attempt']}, {row['status']})"
