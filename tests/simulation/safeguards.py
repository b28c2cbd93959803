"""The table of safeguards, each with the change of the code that removes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulation.mutants import Change

_SQLITE = "service.stores.sqlite"
_LIFECYCLE = "service.clips.lifecycle"
_GENERATE = "service.workflow.generate:Generator"
_SETTLER = "service.workflow.settlement:Settler"


@dataclass(frozen=True, slots=True)
class Safeguard:
    """`removed` are the changes without it; `aims` are what runs must have to need it.

    `near` is a seed at or shortly before one that catches the removal. Where none does, `idle` says what the
    safeguard is for, or what stands behind it.
    """

    name: str
    removed: Sequence[Change]
    aims: Sequence[str] = ()
    near: int = 0
    idle: str = ""


def _change(where: str, old: str, new: str) -> Sequence[Change]:
    return (Change(where, old, new),)


SAFEGUARDS: Sequence[Safeguard] = (
    # The ledger
    Safeguard(
        "ledger first: a send is stored before the request",
        _change(
            "service.workflow.submission:Submitter._marked_as_sent",
            "won = await self.store.save([sent(clip, now) for clip in clips], now)\n",
            "won = {clip.task_uuid for clip in clips}\n",
        ),
    ),
    Safeguard(
        "the conditional write decides who sends",
        _change(
            "service.workflow.submission:Submitter._marked_as_sent",
            "batch = [clip for clip in clips if clip.task_uuid in won]",
            "batch = list(clips)",
        ),
        aims=("cancels",),
        near=88,
    ),
    Safeguard(
        "version: a save of an outdated clip changes nothing",
        _change(f"{_SQLITE}:_UPDATE_CLIP", "AND version = :version", ""),
        near=18,
    ),
    Safeguard(
        "who lost against another writer looks again",
        _change(f"{_SETTLER}._store_once", "changed.keys() - saved - refused.keys()", "()"),
        aims=("moves", "store slow", "webhooks"),
        near=167,
    ),
    Safeguard(
        "an answer comes after the commit",
        _change(f"{_SETTLER}.settle", "return await bundle.effects", "return [Effect.CHANGED] * len(events)"),
    ),
    Safeguard(
        "fingerprint: nothing less than what is asked for",
        _change("service.clips.fingerprint:fingerprint", "asdict(request)", "request.scene"),
    ),
    Safeguard(
        "fingerprint: nothing more, such as the time",
        _change(
            "service.clips.fingerprint:fingerprint",
            "[project_id, asdict(request)]",
            "[project_id, asdict(request), __import__('time').monotonic()]",
        ),
    ),
    Safeguard(
        "a new attempt only where nothing stands",
        _change(
            f"{_SQLITE}:_INSERT_CLIP",
            "WHERE NOT EXISTS (SELECT 1 FROM clips WHERE fingerprint = :fingerprint AND status <> 'failed')",
            "WHERE true",
        ),
        aims=("deadline", "store slow"),
        near=416,
    ),
    Safeguard(
        "what is paid for is taken as it stands",
        _change(
            "service.clips.planning:choose",
            "standing.get(key)\n        or Clip(",
            "None\n        or Clip(",
        ),
        idle=(
            "The store's rule stands behind it: what is chosen anew is not stored beside what stands. It "
            "spares the second task UUID and the write."
        ),
    ),
    Safeguard(
        "fingerprint and attempt are unique",
        (Change("tests.simulation.world:TABLE_RULES", "UNIQUE (fingerprint, attempt),", ""),),
        aims=("edits", "refused"),
        near=217,
    ),
    Safeguard(
        "what was last asked for is current",
        _change(f"{_SQLITE}:_MAKE_CURRENT", "superseded <> (", "false AND superseded <> ("),
    ),
    Safeguard(
        "projects.clips is written with the rows",
        _change(f"{_SQLITE}:_write_projections", "for project_id in project_ids:", "for project_id in ():"),
    ),
    # Sending
    Safeguard(
        "nothing is sent for which a video is there",
        _change(f"{_SQLITE}:_UPDATE_CLIP", "sends = :sends OR NOT EXISTS", "true OR NOT EXISTS"),
        aims=("deadline", "throttled", "store slow"),
        near=2014,
    ),
    Safeguard(
        "withdrawal before the late video is stored",
        _change(
            f"{_SETTLER}._store_once",
            "await self._withdraw_unsent(late, now)\n    saved, refused",
            "saved, refused",
        ),
        aims=("deadline", "throttled", "killed"),
        near=156,
        idle=(
            "It is for a copy that is killed between the commit of the success and the withdrawal after "
            "it, within a few milliseconds: no 200 seeds in a row are sure to meet that. The contract suite "
            "plays it (test_attempt_is_withdrawn_even_if_nothing_comes_after_the_commit_of_the_late_video)."
        ),
    ),
    Safeguard(
        "withdrawal after it",
        _change(
            f"{_SETTLER}._store_once",
            "[*late, *filter(_waits_behind_others, changed.values())]",
            "filter(_waits_behind_others, changed.values())",
        ),
        aims=("deadline", "throttled"),
        idle=(
            "It is for an attempt that another copy records between the first withdrawal and the "
            "commit, within a few milliseconds. The store refuses to send it then, so that it costs "
            "nothing; it would wait until its time is over."
        ),
    ),
    Safeguard(
        "what finds no room is withdrawn where the video has come meanwhile",
        _change(
            f"{_SETTLER}._store_once",
            "[*late, *filter(_waits_behind_others, changed.values())]",
            "late",
        ),
        aims=("deadline", "throttled", "network slow"),
        near=1835,
    ),
    Safeguard(
        "both withdrawals",
        (
            Change(
                f"{_SETTLER}._store_once",
                "late = [after for task, after in changed.items() if _came_late(stored[task], after)]",
                "late = []",
            ),
        ),
        aims=("deadline", "throttled"),
        near=196,
    ),
    Safeguard(
        "what may have been taken is not withdrawn",
        _change("service.clips.cancelling:can_be_cancelled", "and not clip.maybe_taken", ""),
        aims=("cancels",),
    ),
    Safeguard(
        "grace: nothing is sent again before its time",
        _change(
            f"{_LIFECYCLE}:grace_is_over",
            "return now - (clip.last_sent_at or clip.submitted_at) >= policy.submission_grace",
            "return True",
        ),
        aims=("sending", "unlisted"),
    ),
    Safeguard(
        "three sends at most",
        _change(f"{_LIFECYCLE}:may_send_again", "and clip.sends - clip.throttled < policy.max_sends", ""),
        aims=("sending",),
        near=18,
    ),
    Safeguard(
        "the archive is asked before anything is sent again",
        _change(
            "service.workflow.inquiry:Inquiry._ask",
            "await self.provider.trace(missing, within, whose) if missing else {}",
            "dict.fromkeys(missing, __import__('tests.doubles').doubles.NO_TRACE)",
        ),
        aims=("sending", "deadline"),
    ),
    Safeguard(
        "a conflict means that it was taken",
        _change(
            "service.runware.verdicts:judge",
            "group = _group(said.error, asked, status)",
            "group = _group(said.error, asked, status)\n"
            "    group = CodeGroup.OTHER if group is CodeGroup.CONFLICT else group",
        ),
        aims=("sending", "unlisted"),
        near=27,
    ),
    Safeguard(
        "a refusal after an unclear send is presumed only",
        _change(f"{_LIFECYCLE}:after_unclear_send", "if not isinstance(outcome, Failed):", "if True:"),
        aims=("busy after", "unlisted", "archive lags", "refused"),
    ),
    Safeguard(
        "a 5xx may have come after the task was taken",
        _change(
            "service.runware.client:RunwareClient._submit_batch",
            "doubtful |= reply.busy and",
            "doubtful |= False and",
        ),
        aims=("sending",),
    ),
    Safeguard(
        "a submission ends within the grace",
        _change(
            "service.runware.client:RunwareClient.submit",
            "asyncio.timeout(self._submit_within.total_seconds())",
            "asyncio.timeout(None)",
        ),
        aims=("busy before", "network slow", "ended is billed", "request lost"),
        idle=(
            "The conflict stands behind it: while the first task runs, Runware takes no second one. "
            "Both are needed for what service/PROMISES.md names first among what can still cost a "
            "second bill."
        ),
    ),
    Safeguard(
        "402 is asked about",
        _change(
            "service.runware.account:after_balance",
            "if balance is None or balance >= _LEAST_USD:",
            "if balance is None:",
        ),
        aims=("no credit",),
    ),
    Safeguard(
        "what is throttled counts as not sent",
        _change(f"{_LIFECYCLE}:_throttled", "throttled=clip.throttled + 1, ", ""),
        aims=("throttled",),
    ),
    # Ends
    Safeguard(
        "first end wins",
        _change(
            f"{_LIFECYCLE}:transition",
            "if clip.status.settled and not (clip.presumed_failed and _outweighs_presumption(outcome)):",
            "if clip.status.settled and not _outweighs_presumption(outcome):",
        ),
    ),
    Safeguard(
        "Runware's word replaces a presumption",
        _change(
            f"{_LIFECYCLE}:_outweighs_presumption",
            "return isinstance(outcome, Succeeded | Reopened)",
            "return isinstance(outcome, Reopened)",
        ),
        aims=("deadline",),
    ),
    Safeguard(
        "a last look before the time-out",
        _change(f"{_LIFECYCLE}:at_deadline", "or isinstance(outcome, Succeeded | Failed)", ""),
        aims=("slow job",),
    ),
    Safeguard(
        "the last look is tried again for two minutes",
        _change(f"{_LIFECYCLE}:at_deadline", "overtime < policy.last_look_grace", "False"),
        aims=("outage", "slow job"),
    ),
    Safeguard(
        "an expiry counts against the clip as it is stored",
        _change(f"{_LIFECYCLE}:_ended", "is_over(clip, now, policy) and", ""),
        aims=("deadline", "network slow"),
        idle=(
            "No seed of 1,800 met the moment: one copy's last look is under way while another ends "
            "the clip and a person has it waited for again. The contract suite plays it "
            "(test_clip_that_a_person_reopened_has_its_whole_time_whatever_the_poller_had_seen)."
        ),
    ),
    Safeguard(
        "an expiry counts for what had been sent at the last look",
        _change(f"{_LIFECYCLE}:_ended", " and clip.sends == sends", ""),
        near=204552,
    ),
    Safeguard(
        "unknown three times over two minutes, before it is lost",
        _change(
            f"{_LIFECYCLE}:_unknown", "long_enough and marked.unknown_answers >= policy.lost_answers", "True"
        ),
        aims=("forgotten once",),
    ),
    Safeguard(
        "a missing task that was never acknowledged is not unknown",
        _change(
            f"{_LIFECYCLE}:weighed",
            "if clip.status is ClipStatus.SUBMITTING and isinstance(answered, Unknown):",
            "if False:",
        ),
        idle=(
            "It covers the moment at which the grace ends between the question and the conclusion; then "
            "the archive was not asked. Outside of that moment the archive has been asked. Its unit test "
            "is test_lifecycle's."
        ),
    ),
    # Buying again
    Safeguard(
        "a presumed failure is asked about before it is bought again",
        _change(f"{_GENERATE}._make_once", "if not _in_doubt(attempts):", "if True:"),
        aims=("deadline",),
    ),
    Safeguard(
        "second look, apart from the first",
        _change("service.workflow.inquiry:Inquiry.look_twice", "if not missing:", "if True:"),
        aims=("deadline", "blank"),
    ),
    Safeguard(
        "no answer: nothing is bought while in doubt",
        _change(
            "service.clips.doubts:decide",
            "return BuyAgain(_NOT_TOLD.format(job=clip.task_uuid)) if late else wait",
            "return BuyAgain()",
        ),
        aims=("deadline", "outage"),
        near=168,
    ),
    Safeguard(
        "still running: waited for, not bought",
        _change(
            "service.clips.doubts:decide",
            "return BuyAgain(_STILL_RUNNING.format(job=clip.task_uuid)) if late else Reopened()",
            "return BuyAgain()",
        ),
        aims=("deadline",),
    ),
    Safeguard(
        "nobody asked about it: it is in doubt",
        _change(f"{_GENERATE}._resolve_doubts", "waits[clip.fingerprint] = _NOT_ASKED_ABOUT", "pass"),
        aims=("deadline", "lost job"),
        near=206,
    ),
    Safeguard(
        "lease of projects",
        _change(
            f"{_SQLITE}:_LEASE_PROJECT",
            "WHERE owner = :owner OR leased_until <= :now OR leased_until > :unbelievable",
            "",
        ),
        aims=("deadline", "blank"),
        idle=(
            "Without it two calls ask at a time. It matters only where Runware contradicts itself for "
            "longer than two looks are apart: what both conclude from the same answers the store "
            "records once."
        ),
    ),
    Safeguard(
        "who has lost the lease records nothing",
        _change(f"{_SQLITE}:SQLiteStore.record", "if owner is not None and", "if False and"),
        aims=("deadline", "blank"),
        idle=("As the lease itself: what two calls conclude from the same answers the store records once."),
    ),
    Safeguard(
        "lease of projects, and its check",
        (
            Change(
                f"{_SQLITE}:_LEASE_PROJECT",
                "WHERE owner = :owner OR leased_until <= :now OR leased_until > :unbelievable",
                "",
            ),
            Change(f"{_SQLITE}:SQLiteStore.record", "if owner is not None and", "if False and"),
        ),
        aims=("deadline", "blank"),
        idle=("As the lease itself: what two calls conclude from the same answers the store records once."),
    ),
    Safeguard(
        "the plan is made inside the lease",
        _change(
            f"{_GENERATE}._make_once",
            "        order = await self._order(project_id, caller, scenes)\n        doubts",
            "        doubts",
        ),
        aims=("edits",),
        idle=(
            "The number of the edit stands behind it: an outdated plan is refused when it is "
            "recorded, and made anew. It spares the questions about what nobody asks for any more."
        ),
    ),
    Safeguard(
        "a plan is good for one edit",
        _change(f"{_SQLITE}:SQLiteStore.record", "if edited is not None and", "if False and"),
        aims=("edits",),
    ),
    Safeguard(
        "a plan that an edit outdated is made anew",
        _change(
            f"{_GENERATE}._make",
            "return await _UNTIL_UP_TO_DATE.copy()(self._make_once, project_id, caller, scenes)",
            "return await self._make_once(project_id, caller, scenes)",
        ),
        aims=("edits",),
    ),
    Safeguard(
        "a lease is given back",
        _change(f"{_GENERATE}._leased", "await self.store.release_project(project_id, owner)", "pass"),
        aims=("deadline",),
        near=19,
    ),
    # Edits
    Safeguard(
        "the fingerprint moves with the scene",
        _change("service.clips.edits:_at", "if own else clip.fingerprint", "if False else clip.fingerprint"),
        aims=("edits",),
    ),
    Safeguard(
        "all clips of a scene move with it",
        _change(
            "service.workflow.editing:Editor._edit_once",
            "await self.store.all_clips(project_id)",
            "await self.store.current_clips(project_id)",
        ),
        aims=("edits",),
    ),
    Safeguard(
        "an edit is refused where clips would be left behind",
        _change("service.stores.sqlite_edits:refuse_outdated", "or left_behind is not None", ""),
        aims=("edits", "store slow"),
        near=58,
    ),
    # Whole projects
    Safeguard(
        "a deleted project gets no clips",
        _change(
            "service.workflow.projects:existing_project", "if project.deleted_at is not None:", "if False:"
        ),
        aims=("visits",),
    ),
    Safeguard(
        "a deletion outdates the plans that were made before",
        _change(
            "service.stores.sqlite:SQLiteStore.delete_project",
            "db.execute(_MARK_EDITED, [project_id])",
            "pass",
        ),
        aims=("visits", "store slow"),
    ),
    Safeguard(
        "what comes along with a duplicate costs nothing",
        _change("service.clips.duplicates:_duplicated", "cost_usd=0", "cost_usd=clip.cost_usd"),
        aims=("visits",),
    ),
    # What is shown
    Safeguard(
        "a change is told to whoever watches",
        _change("service.workflow.watch:Watcher._take", "watched.tell(after)", "pass"),
        aims=("visits",),
    ),
    Safeguard(
        "an edit is read anew for whoever watches",
        _change("service.workflow.watch:Watcher._after", "if changes.edited > state.edited:", "if False:"),
        aims=("visits", "moves"),
    ),
    Safeguard(
        "a reader is told what they have missed",
        _change("service.workflow.watch:Watcher._updates", "seen = since if", "seen = state.sequence if"),
        aims=("visits", "killed"),
    ),
    # Leases of clips
    Safeguard(
        "lease of clips",
        _change(
            f"{_SQLITE}:_CLAIM",
            "AND (leased_until IS NULL OR leased_until <= :now OR leased_until > :unbelievable)",
            "",
        ),
    ),
    Safeguard(
        "a lease that no clock can have given is none",
        _change(f"{_SQLITE}:_CLAIM", "OR leased_until > :unbelievable", ""),
        idle=(
            "It matters after a clock was hours ahead: until then nobody would ask. The simulation's "
            "clocks are two minutes off at most; the contract suite has the case "
            "(test_clock_that_is_set_back_does_not_hold_up_the_claims)."
        ),
    ),
    # The outside
    Safeguard(
        "token of the callback URL",
        _change("service.runware.callbacks:CallbackURLs.verify", "return any(matches)", "return True"),
        aims=("forged", "webhooks"),
    ),
    Safeguard(
        "allowed hosts of videos",
        _change("service.runware.results:_own_statement", "refused = check(url)", "refused = None"),
        aims=("strange host",),
    ),
    Safeguard(
        "redaction",
        _change(
            f"{_SETTLER}._redacted", "if not isinstance(outcome, Failed | Unknown | Expired):", "if True:"
        ),
        aims=("leaky words", "broken"),
    ),
)
