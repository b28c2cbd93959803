from datetime import datetime


class ServiceError(Exception):
    """Root of all errors that this service raises on purpose.

    `code` is stable and machine-readable; the message says what happened, to what, and what to do.
    Neither ever holds a key, a token or a signed URL: both are shown to callers.
    """

    code = "internal_error"


class ProjectNotFound(ServiceError):
    """There is no project with this id."""

    code = "project_not_found"

    def __init__(self, project_id: str) -> None:
        super().__init__(f"There is no project {project_id}. Check the id, or store the project first.")


class ProjectDeleted(ServiceError):
    """The project was deleted, and nothing can be done with it until it is restored."""

    code = "project_deleted"

    def __init__(self, project_id: str, deleted_at: datetime) -> None:
        super().__init__(
            f"Project {project_id} was deleted on {deleted_at.day} {deleted_at:%b %Y}; its clips "
            f"are kept. Restore it by POST /projects/{project_id}/restore, or clips restore {project_id}."
        )


class ProjectUnreadable(ServiceError):
    """What is stored of the project can't be read, and nothing can be done with it until that is mended."""

    code = "project_unreadable"

    def __init__(self, project_id: str, problem: str) -> None:
        super().__init__(
            f"Project {project_id} can't be read: {problem}. Mend its row in the table projects, where it "
            f"was written past this service, or delete it: DELETE /projects/{project_id}, or clips delete."
        )


class Unauthorized(ServiceError):
    """The caller has not shown that they may do this."""

    code = "unauthorized"


class KeysUnavailable(ServiceError):
    """Supabase's signing keys can't be fetched, so that no user's token can be told from a forged one."""

    code = "keys_unavailable"


class SceneNotFound(ServiceError):
    """The caller named scenes that the project does not have."""

    code = "scene_not_found"


class FramesNotReady(ServiceError):
    """No scene of the project has both of its frames."""

    code = "frames_not_ready"


class ChoiceRefused(ServiceError):
    """The model, resolution or sound that was chosen is not to be had here. Nothing was bought."""

    code = "choice_refused"


class AdoptionRefused(ServiceError):
    """The clips of before the ledger can't be matched with the project's scenes. Nothing was bought."""

    code = "adoption_refused"


class ClipNotFound(ServiceError):
    """There is no clip with this task UUID."""

    code = "clip_not_found"


class MalformedResult(ServiceError):
    """A webhook's body can't be read as a result of the job it came for."""

    code = "malformed_result"


class VideoURLRefused(ServiceError):
    """A result's video URL is not one this service may hand on."""

    code = "video_url_refused"


class ClipNotReady(ServiceError):
    """The scene has no finished clip, so that there is no video to give."""

    code = "clip_not_ready"

    def __init__(self, project_id: str, scene: str) -> None:
        super().__init__(
            f"Scene {scene} of project {project_id} has no finished clip. The project's page, or "
            f"GET /projects/{project_id}, shows how it stands."
        )


class VideoGone(ServiceError):
    """A clip succeeded, and its video is no longer at its link."""

    code = "video_gone"


class VideoUnreachable(ServiceError):
    """The host of a clip's video can't give it now; it may be able to in a moment."""

    code = "video_unreachable"


class VideoEmpty(VideoUnreachable):
    """The host of a clip's video serves 0 bytes, as it may for a moment after success, or when it is gone."""


class VideoRangeRefused(ServiceError):
    """The video has none of the bytes that were asked for."""

    code = "range_not_satisfiable"


class VideoUnusable(ServiceError):
    """A clip's link leads to what this service does not pass on: another host, or no video."""

    code = "video_unusable"


class ProviderRefused(ServiceError):
    """Runware refused the account, so that no clip of the call could be submitted."""

    code = "provider_refused"


class ProviderUnavailable(ServiceError):
    """Runware can't be asked now, and without its answer money might be spent twice. Nothing was bought."""

    code = "provider_unavailable"


class ProjectBusy(ServiceError):
    """Another call is finding out what became of the project's earlier jobs. Nothing was bought."""

    code = "project_busy"

    def __init__(self, project_id: str) -> None:
        super().__init__(
            f"Another call is asking Runware about the earlier jobs of project {project_id}. "
            "Nothing was bought. Call again in a minute."
        )


class ProjectEdited(ServiceError):
    """The project was edited since its clips were chosen: what was chosen is outdated. Nothing was bought."""

    code = "project_edited"

    def __init__(self, project_id: str) -> None:
        super().__init__(
            f"Project {project_id} was edited while its clips were chosen. Nothing was bought. Call again."
        )


class ProjectChanged(ServiceError):
    """The project was edited since the caller read it. Nothing of the caller's edit was stored."""

    code = "project_changed"

    def __init__(self, project_id: str) -> None:
        super().__init__(
            f"Project {project_id} was edited since you read it, by somebody else or in another window. "
            "Nothing of this edit was stored. Read the project again, look at what changed, and edit that."
        )


class EditRefused(ServiceError):
    """What an edit would make of a project can't be stored. Nothing of it was."""

    code = "edit_refused"


class StoreUnavailable(ServiceError):
    """The database can't be reached, or refused the work. The step that met it has stored nothing."""

    code = "store_unavailable"


class StoreFull(StoreUnavailable):
    """The database has no room left to write. It can still be read."""


class StoreRefused(StoreUnavailable):
    """The database was reached and refuses the data: a part of it can't be stored, now or later."""
