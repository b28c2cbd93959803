import io
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console, RenderableType

from service.terminal.answers import EarlierClip, Job, ProjectList, SceneAnswer
from service.terminal.reports import ExitCode, ListedProject, ProjectsReport, Report, expected_share
from service.terminal.views import age, changed_lines, clock, projects_table, scenes_table, summary
from tests.builders import NOON, PROJECT_ID, VIDEO_URL

PROJECT = UUID(PROJECT_ID)
LATER = NOON + timedelta(seconds=42)


def job(scene: str, status: str = "pending", **fields: Any) -> Job:
    ended = status in ("succeeded", "failed")
    start = {
        "scene": scene,
        "task_uuid": f"task-{scene}",
        "status": status,
        "video_url": VIDEO_URL if status == "succeeded" else None,
        "error": {"message": "The model failed."} if status == "failed" else None,
        "cost_usd": 0.8 if status == "succeeded" else None,
        "duration_s": 4,
        "attempt": 1,
        "submitted_at": NOON,
        "settled_at": LATER if ended else None,
        "settled_by": "webhook" if ended else None,
    }
    return Job.model_validate({**start, **fields})


def said(scene: str, error: str, task_uuid: str | None = None) -> SceneAnswer:
    return SceneAnswer.model_validate({"sceneKey": scene, "taskUUID": task_uuid, "error": error})


def report(*jobs: Job, problems: tuple[SceneAnswer, ...] = ()) -> Report:
    return Report.of(PROJECT, jobs, problems)


def drawn(renderable: RenderableType, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, record=True, color_system=None)
    console.print(renderable)
    return [line.rstrip() for line in console.export_text().splitlines()]


def table(shown: Report, width: int, now: datetime = LATER, rows: int | None = None) -> list[str]:
    return drawn(scenes_table(shown, now, width=width, rows=rows), width)


@pytest.mark.parametrize(("seconds", "shown"), [(0, "0:00"), (102.9, "1:42"), (3661, "1:01:01")])
def test_duration_is_shown_as_a_clock_does(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(-3, "0 s"), (59, "59 s"), (60, "1 min"), (7300, "2 h"), (200_000, "2 d")]
)
def test_age_is_shown_in_its_largest_whole_unit(seconds: float, shown: str) -> None:
    assert age(seconds) == shown


def test_bar_grows_and_is_never_full_by_itself() -> None:
    shares = [expected_share(seconds, 120) for seconds in (0, 30, 120, 240)]
    assert shares == sorted(set(shares))
    assert shares[0] == 0
    assert expected_share(1e9, 120) < 1


def test_usual_time_is_the_median_of_the_projects_own_successes() -> None:
    took = [job(str(n), "succeeded", settled_at=NOON + timedelta(seconds=n)) for n in (10, 20, 900)]
    assert report(*took, job("4")).usual_seconds == 20
    assert report(job("1"), job("2", "failed")).usual_seconds == 120


@pytest.mark.parametrize(
    ("jobs", "code"),
    [
        ([], ExitCode.NOT_ENDED),
        ([job("1", "succeeded")], ExitCode.ALL_DONE),
        ([job("1", "succeeded"), job("2", "failed")], ExitCode.SOME_FAILED),
        ([job("1", "failed"), job("2", "submitting")], ExitCode.NOT_ENDED),
    ],
)
def test_exit_code_says_how_the_project_stands(jobs: list[Job], code: ExitCode) -> None:
    assert report(*jobs).exit_code is code


def test_scene_without_a_clip_counts_as_failed_and_says_why() -> None:
    shown = report(job("1", "succeeded"), problems=(said("2", "last_frame missing"),))
    assert shown.exit_code is ExitCode.SOME_FAILED
    assert (shown.counts.total, shown.counts.failed) == (2, 1)
    assert list(changed_lines(None, shown, LATER))[1] == "Scene 2: no clip: last_frame missing"


def test_scene_that_got_its_clip_since_is_not_shown_without_one() -> None:
    shown = report(job("2"), problems=(said("2", "last_frame missing"),))
    assert [(scene.status, scene.error) for scene in shown.scenes] == [("pending", None)]


def test_reason_why_a_failed_clip_was_not_retried_is_shown_until_there_is_a_new_attempt() -> None:
    doubt = said("1", "Runware can't be asked now.", "task-1")
    assert report(job("1", "failed"), problems=(doubt,)).scenes[0].error == "Runware can't be asked now."
    again = job("1", "failed", task_uuid="task-1b", attempt=2)
    assert report(again, problems=(doubt,)).scenes[0].error == "The model failed."


def test_scenes_are_in_order_of_their_numbers() -> None:
    shown = report(job("2"), job("10"), problems=(said("9", "frame missing"), said("last", "frame missing")))
    assert [scene.scene for scene in shown.scenes] == ["2", "9", "10", "last"]


def test_eighty_columns_hold_state_bar_time_and_reason() -> None:
    shown = report(job("1", "succeeded"), job("2"), job("3", "failed"), problems=(said("4", "no frames"),))
    lines = table(shown, 80)
    assert lines[:2] == [f"Project {PROJECT_ID}", "1 of 4 clips, 1 pending, 2 failed, $0.80"]
    assert lines[2].split() == ["Scene", "State", "Progress", "Time"]
    assert lines[3].split() == ["1", "done", "━" * 20, "0:42", "$0.80,", "by", "webhook"]
    assert lines[4].split()[:2] == ["2", "generating"]
    assert 0 < lines[4].count("━") < 20
    assert lines[4].endswith("0:42  usually 0:42")
    assert lines[5].split() == ["3", "failed", "0:42", "The", "model", "failed."]
    assert lines[6].split() == ["4", "no", "clip", "no", "frames"]


def test_narrow_terminal_gets_words_instead_of_bars() -> None:
    lines = table(report(job("1", "failed")), 40)
    assert "Progress" not in "".join(lines)
    assert any("failed" in line and "0:42" in line for line in lines)
    assert max(map(len, lines)) <= 40


def test_late_clip_is_said_to_be_late() -> None:
    assert table(report(job("1")), 80, NOON + timedelta(seconds=121))[3].endswith("later than the usual 2:00")


def test_low_terminal_shows_what_is_under_way_and_counts_the_rest() -> None:
    shown = report(*(job(str(n), "succeeded") for n in range(1, 50)), job("50"))
    lines = table(shown, 80, rows=3)
    assert lines[3].split()[:2] == ["50", "generating"]
    assert lines[-1] == "and 47 more"
    assert len(lines) == 7


def test_only_changes_become_lines() -> None:
    before, after = report(job("1"), job("2")), report(job("1"), job("2", "succeeded"))
    assert list(changed_lines(before, after, LATER)) == [f"Scene 2: done in 0:42, $0.80: {VIDEO_URL}"]
    assert list(changed_lines(after, after, LATER + timedelta(seconds=9))) == []


def test_project_for_which_nothing_was_asked_says_what_to_do() -> None:
    assert summary(report()).endswith(f"clips generate {PROJECT_ID}")


def earlier(*statuses: str) -> list[EarlierClip]:
    return [
        EarlierClip.model_validate(
            {
                "jobId": f"task-{number}",
                "status": status,
                "videoUrl": VIDEO_URL if status == "completed" else None,
            }
        )
        for number, status in enumerate(statuses, 1)
    ]


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        (("completed", "completed"), ExitCode.ALL_DONE),
        (("completed", "failed"), ExitCode.SOME_FAILED),
        (("failed", "pending"), ExitCode.NOT_ENDED),
    ],
)
def test_earlier_clips_decide_the_exit_code_while_there_are_no_others(
    statuses: tuple[str, ...], code: ExitCode
) -> None:
    assert Report.of(PROJECT, [], earlier=earlier(*statuses)).exit_code is code


def test_earlier_clips_are_told_a_line_each_and_again_only_when_they_change() -> None:
    before, after = (
        Report.of(PROJECT, [], earlier=earlier(*s)) for s in (["pending"] * 2, ["completed", "pending"])
    )
    assert list(changed_lines(None, before, LATER)) == ["Earlier clip 1: pending", "Earlier clip 2: pending"]
    assert list(changed_lines(before, after, LATER)) == [f"Earlier clip 1: done: {VIDEO_URL}"]
    assert summary(after) == (
        f"Project {PROJECT_ID}: 1 of 2 clips, 1 pending, made before the service kept a ledger. "
        f"If they fit the scenes, keep them for nothing: clips generate {PROJECT_ID} --adopt"
    )


def test_table_of_earlier_clips_fits_a_low_terminal() -> None:
    lines = table(Report.of(PROJECT, [], earlier=earlier(*["pending"] * 9)), 200, rows=2)
    assert lines[:3] == ["Earlier clip 1: pending", "Earlier clip 2: pending", "and 7 more"]


def test_adopted_clip_is_told_without_a_time_that_nobody_knows() -> None:
    shown = report(job("1", "succeeded", adopted=True, settled_at=NOON + timedelta(days=90)), job("2"))
    assert next(changed_lines(None, shown, LATER)) == (
        f"Scene 1: done, made before the service kept a ledger: {VIDEO_URL}"
    )
    assert table(shown, 120)[3].endswith("made before the service kept a ledger")
    assert shown.usual_seconds == 120


def test_nothing_from_an_answer_commands_the_terminal() -> None:
    evil = job("1", "failed", error={"message": "\x1b[2J[red]gone\x07"})
    (line,) = changed_lines(None, report(evil), LATER)
    assert line == "Scene 1: failed:  [2J[red]gone "
    assert "[red]gone" in table(report(evil), 80)[3]


def listed(*fields: dict[str, Any], width: int) -> list[str]:
    summary = {"id": PROJECT_ID, "created_at": NOON, "clips": {}}
    answer = ProjectList.model_validate({"projects": [{**summary, **more} for more in fields]})
    shown = ProjectsReport(projects=[ListedProject.of(project) for project in answer.projects])
    return drawn(projects_table(shown, LATER, width=width), width)


def counted(title: str) -> dict[str, Any]:
    counts = {"total": 5, "completed": 2, "pending": 1, "failed": 1}
    return {"title": title, "counts": counts, "cost_usd": 1.6, "clips": {"a": "pending"}}


def test_projects_are_listed_with_age_counts_cost_and_title() -> None:
    head, one, other = listed(counted("Harbour at dawn"), counted("Boat " * 40), width=120)
    assert head.split() == ["Project", "Age", "Clips", "Pending", "Failed", "Cost", "Title"]
    numbers = ["42", "s", "2", "of", "5", "1", "1", "$1.60"]
    assert one.split() == [PROJECT_ID, *numbers, "Harbour", "at", "dawn"]
    assert other.split()[:-1] == [PROJECT_ID, *numbers, *["Boat"] * len(other.split()[10:])]
    assert other.endswith("…")


def test_title_stands_below_its_project_where_the_terminal_is_narrow() -> None:
    head, one, title, untitled = listed(counted("Harbour at dawn"), counted(""), width=80)
    assert (head.split()[-1], title) == ("Cost", "Harbour at dawn")
    assert one.split() == untitled.split() == [PROJECT_ID, "42", "s", "2", "of", "5", "1", "1", "$1.60"]


def test_title_commands_no_terminal() -> None:
    _, line = listed(counted("\x1b[2J[red]Boat"), width=120)
    assert line.endswith("$1.60   [2J[red]Boat")


def test_clips_of_a_service_that_counts_none_are_counted_here() -> None:
    clips = {"a": VIDEO_URL, "b": "pending", "c": "failed"}
    _, one, other = listed({"clips": clips}, {}, width=120)
    assert one.split() == [PROJECT_ID, "42", "s", "1", "of", "3", "1", "1"]
    assert other.split() == [PROJECT_ID, "42", "s", "0", "of", "0", "0", "0"]


def test_no_project_is_said_in_words() -> None:
    assert listed(width=80) == ["There is no project yet."]
