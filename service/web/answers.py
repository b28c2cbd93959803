"""What a function answers: how the scenes stand, or that none of them has its clip or may still get it.

The web application says that all clips have been made as soon as a check succeeds in which none is pending.
So an answer is a success only where that is true of the clips that it counts.
"""

from service.clips.cancelling import why_nothing_cancelled
from service.clips.models import ProjectId
from service.clips.progress import NOT_ASKED_FOR, Progress, why_nothing_made
from service.web.errors import NothingAsked, NothingCancelled, NothingMade
from service.web.schemas import (
    CancelAnswer,
    CancelFailure,
    GenerateAnswer,
    GenerateFailure,
    StatusAnswer,
    StatusFailure,
)
from service.workflow.cancelling import Cancelled
from service.workflow.generate import Generated


def generate_answer(project_id: ProjectId, generated: Generated) -> GenerateAnswer:
    """Tell what came of the scenes that a call was about. Raises NothingMade and NothingAsked."""
    if not generated.progress.scenes:
        raise NothingAsked(NOT_ASKED_FOR)
    if (why := why_nothing_made(generated.scenes, generated.problems)) is not None:
        raise NothingMade(GenerateFailure.of(project_id, generated, error=why, code=NothingMade.code))
    return GenerateAnswer.of(project_id, generated)


def status_answer(project_id: ProjectId, progress: Progress) -> StatusAnswer:
    """Tell how a project stands. Raises NothingMade and NothingAsked."""
    if not progress.total:
        raise NothingAsked(NOT_ASKED_FOR)
    if (why := why_nothing_made(progress.scenes, earlier=progress.earlier)) is not None:
        raise NothingMade(StatusFailure.of(project_id, progress, error=why, code=NothingMade.code))
    return StatusAnswer.of(project_id, progress)


def cancel_answer(project_id: ProjectId, cancelled: Cancelled) -> CancelAnswer:
    """Tell what came of the scenes whose clips were to be cancelled. Raises NothingCancelled."""
    if (why := why_nothing_cancelled(cancelled.scenes)) is not None:
        failure = CancelFailure.of(project_id, cancelled, error=why, code=NothingCancelled.code)
        raise NothingCancelled(failure)
    return CancelAnswer.of(project_id, cancelled)
