"""In which order the clips of several projects are seen to."""

from collections.abc import Iterable, Sequence

from service.clips.models import Clip, ProjectId


def in_turn(clips: Iterable[Clip]) -> Sequence[Clip]:
    """Put every project's first clip before any one's second, and so on; a project's own keep their order."""
    seen: dict[ProjectId, int] = {}
    rounds: list[list[Clip]] = []
    for clip in clips:
        turn = seen[clip.project_id] = seen.get(clip.project_id, -1) + 1
        if turn == len(rounds):
            rounds.append([])
        rounds[turn].append(clip)
    return [clip for each in rounds for clip in each]
