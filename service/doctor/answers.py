"""Reads what Runware's answers to questions show where its documents are silent or disagree. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from service.clips.models import Clip, ClipStatus, TaskUUID
from service.doctor.account import dollars, error_said
from service.doctor.findings import Finding, Verdict, form_of_reply
from service.runware.account import Account
from service.runware.answers import Reply
from service.runware.codes import CodeGroup, code_group
from service.runware.results import is_envelope
from service.runware.verdicts import is_success

# Of what a clip costs: a smaller change of the balance is something else.
_SHARE_OF_PRICE = 0.5


def balance_finding(account: Account | str, after: Account | str, clip: Clip) -> Finding:
    """Tell in which form the balance comes, and what the clip has changed of it."""
    before_usd, after_usd = usd_of(account), usd_of(after)
    form = account.form if isinstance(account, Account) else "none"
    if before_usd is None or after_usd is None:
        found = "The account tells no balance that can be read, so that what is charged can't be seen."
        return Finding("Balance", Verdict.UNTOLD, found, value=form)
    described = {"object": "An object", "number": "A number"}[form]
    found = f"{described}: {dollars(before_usd)} before the clip, {dollars(after_usd)} after it."
    fell = before_usd - after_usd
    if clip.status is ClipStatus.FAILED and _is_charge(fell, clip.cost_usd or 0.0):
        return Finding(
            "Balance",
            Verdict.WARNING,
            f"{found} The clip failed, and {dollars(fell)} are gone, unless something else spent them.",
            "Compare Runware's dashboard.",
            value=form,
        )
    if clip.status is ClipStatus.SUCCEEDED and not _is_charge(fell, clip.cost_usd or 0.0):
        found = f"{found} What the clip costs does not show in it yet."
    return Finding("Balance", Verdict.OK, found, value=form)


def unknown_job_finding(reply: Reply | str) -> Finding:
    """Tell how getResponse answers for a job that there is not."""
    part, form = "Unknown job", form_of_reply(reply)
    if isinstance(reply, str):
        return Finding(part, Verdict.UNTOLD, f"getResponse was not answered: {reply}.")
    error = error_said(reply)
    where = f"getResponse answers for a job that there is not with HTTP {reply.status}"
    if error is not None and code_group(error.code) is CodeGroup.GONE:
        return Finding(part, Verdict.OK, f"{where} and {error.code}.", value="not-found", form=form)
    if error is None and is_success(reply.status) and is_envelope(reply.body):
        found = f"{where} and nothing, as it may for one that runs: the service asks on."
        return Finding(part, Verdict.OK, found, value="empty", form=form)
    return _strange(part, where, error.code if error else "", form)


def no_record_finding(reply: Reply | str) -> Finding:
    """Tell how getTaskDetails answers for a task that was never sent."""
    part, form = "No record", form_of_reply(reply)
    if isinstance(reply, str):
        return Finding(part, Verdict.UNTOLD, f"getTaskDetails was not answered: {reply}.")
    error = error_said(reply)
    where = f"getTaskDetails answers for a task that was never sent with HTTP {reply.status}"
    if error is not None and code_group(error.code) is CodeGroup.GONE:
        return Finding(part, Verdict.OK, f"{where} and {error.code}.", value="not-found", form=form)
    if error is not None:
        return Finding(
            part,
            Verdict.WARNING,
            f"getTaskDetails is refused ({error.code}: {error.message}).",
            "See in Runware's dashboard what the key may do. Without it a submission whose answer is lost "
            "can't be told from one that was never taken, and waits until CLIP_TIMEOUT_SECONDS.",
            value="refused",
            form=form,
        )
    if is_success(reply.status) and is_envelope(reply.body):
        value = "blank" if list(elements(reply.body)) else "empty"
        said = "an element without a request" if value == "blank" else "nothing"
        return Finding(part, Verdict.OK, f"{where} and {said}.", value=value, form=form)
    return _strange(part, where, "", form)


def record_finding(before: Reply | str, after: Reply | str) -> Finding:
    """Tell what getTaskDetails shows of the clip before and after its end."""
    kept = [_has_request(reply) for reply in (before, after)]
    form = {"before": form_of_reply(before), "after": form_of_reply(after)}
    found = (
        f"getTaskDetails shows the clip's task before its end: {_yes(kept[0])}; after it: {_yes(kept[1])}."
    )
    if kept[0]:
        return Finding("Record", Verdict.OK, found, value="at once", form=form)
    return Finding(
        "Record",
        Verdict.WARNING,
        found,
        "A task that was taken may have no record yet: set SUBMISSION_GRACE_SECONDS to more than a clip "
        "takes, so that none is sent again while it runs.",
        value="later" if kept[1] else "none",
        form=form,
    )


def resend_finding(
    reply: Reply | str, task_uuid: TaskUUID, second_bill_usd: float | None, price_usd: float
) -> Finding:
    """Tell what became of the finished task's id that was sent again.

    `second_bill_usd` is what the balance has lost beyond the first bill, None where no balance is told.
    """
    part, form = "Resend", form_of_reply(reply)
    if isinstance(reply, str):
        return Finding(part, Verdict.UNTOLD, f"The second send was not answered: {reply}.", form=form)
    error = error_said(reply)
    taken = error is None and any(element.get("taskUUID") == task_uuid for element in elements(reply.body))
    what = "Runware took the finished id again" if taken else f"Runware refused it ({error_words(reply)})"
    if second_bill_usd is not None and _is_charge(second_bill_usd, price_usd):
        return Finding(
            part,
            Verdict.WARNING,
            f"{what}, and billed it: {dollars(second_bill_usd)} are gone.",
            "Set SUBMISSION_GRACE_SECONDS to more than a clip takes: a task that seems lost is then sent "
            "again only when its video would have been found.",
            value="billed",
            form=form,
        )
    unseen = "no bill shows" if second_bill_usd is not None else "no balance shows whether it was billed"
    if error is not None and code_group(error.code) is CodeGroup.CONFLICT:
        return Finding(part, Verdict.OK, f"{what}; {unseen}.", value="conflict", form=form)
    if taken:
        remedy = "Compare Runware's dashboard, and take a late second send for one that may be billed."
        return Finding(part, Verdict.WARNING, f"{what}; {unseen}.", remedy, value="taken", form=form)
    return Finding(part, Verdict.UNTOLD, f"{what}; {unseen}.", value="refused", form=form)


def error_words(reply: Reply) -> str:
    """Say why an answer is a refusal."""
    error = error_said(reply)
    return f"HTTP {reply.status}" if error is None else f"HTTP {reply.status}, {error.code}"


def usd_of(account: Account | str) -> float | None:
    """Give the balance, where it is told."""
    return account.balance if isinstance(account, Account) else None


def _strange(part: str, where: str, code: str, form: object) -> Finding:
    found = f"{where}{f' and {code}' if code else ''}, in a form that is not known."
    return Finding(part, Verdict.WARNING, found, "Please report what the report file has of it.", form=form)


def _is_charge(fell_usd: float, price_usd: float) -> bool:
    return fell_usd > 0 and fell_usd >= price_usd * _SHARE_OF_PRICE


def _has_request(reply: Reply | str) -> bool:
    return not isinstance(reply, str) and any(element.get("request") for element in elements(reply.body))


def elements(body: object) -> Iterator[Mapping[str, object]]:
    """Give the objects in the `data` of an answer."""
    for element in listed(body, "data"):
        if isinstance(element, Mapping):
            yield element


def listed(body: object, key: str) -> Sequence[object]:
    """Give the list under a key of an answer, empty where there is none."""
    listed = body.get(key) if isinstance(body, Mapping) else None
    return listed if isinstance(listed, list) else ()


def _yes(there: bool) -> str:
    return "yes" if there else "no"
