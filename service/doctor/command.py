"""The conversation of `clips doctor`: what is printed, asked and written, and the exit code."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import typer

from service.app import utc_now
from service.doctor.account import CREDIT, dollars
from service.doctor.examination import examine
from service.doctor.findings import Finding, Verdict, redacted, report_json
from service.doctor.probe import offer_within, probe
from service.doctor.purchase import PURCHASE, Offer, covers_second_bill
from service.doctor.remote import examine_service
from service.errors import StoreUnavailable
from service.logs import Redactor, configure_logs
from service.serving import run_until_signal
from service.settings import Settings, SettingsRefused, load_settings, misspelt_environment


@dataclass(slots=True)
class _Told:
    """All that was found so far; each finding is printed the moment it is told."""

    redact: Callable[[str], str] = str
    findings: list[Finding] = field(default_factory=list)

    def tell(self, finding: Finding) -> None:
        finding = redacted(finding, self.redact)
        self.findings.append(finding)
        typer.echo(f"{finding.verdict:<8} {finding.part:<11} {finding.found}")
        if finding.remedy:
            typer.echo(f"{'':<20} {finding.remedy}")

    async def tell_all(self, findings: AsyncIterator[Finding]) -> bool:
        """Tell findings as they come; gives True once that is all."""
        async for finding in findings:
            self.tell(finding)
        return True

    def failed(self, *, apart_from: str = "") -> bool:
        return any(f.verdict is Verdict.FAILED and f.part != apart_from for f in self.findings)


def run_doctor(spend: float | None, report: Path, *, ask_first: bool, resend: bool) -> int:
    """Examine the installation, and, with a sum to spend, Runware; gives the exit code, 0 if all is well."""
    told = _Told()
    settings = _told_settings(told)
    if settings is None:
        return 1
    asyncio.run(told.tell_all(examine(settings, public_url=spend is None)))
    if spend is not None:
        _spend(settings, spend, report, told, ask_first=ask_first, resend=resend)
    return 1 if told.failed() else 0


def run_doctor_before_start() -> bool:
    """Examine all that can be examined while the service does not run; gives whether nothing failed."""
    told = _Told()
    settings = _told_settings(told)
    if settings is not None:
        asyncio.run(told.tell_all(examine(settings, public_url=False)))
    return not told.failed()


def run_doctor_on_service(url: str, token: str | None) -> int:
    """Examine the service that runs at an address; gives the exit code, 0 if all is well."""
    told = _Told(Redactor([token] if token else []).text)
    asyncio.run(told.tell_all(examine_service(url, token)))
    return 1 if told.failed() else 0


def _told_settings(told: _Told) -> Settings | None:
    """Read the settings, and tell whether they can be used; None if not."""
    try:
        settings = load_settings({})
    except SettingsRefused as refused:
        for sentence in str(refused).splitlines():
            told.tell(Finding("Settings", Verdict.FAILED, sentence))
        return None
    told.redact = Redactor(settings.secrets).text
    told.tell(Finding("Settings", Verdict.OK, "They fit together."))
    for name, close in misspelt_environment(os.environ).items():
        found = f"{name} is no setting. Did you mean {close}?"
        told.tell(Finding("Settings", Verdict.WARNING, found, "Leave it, if it is another program's."))
    configure_logs(settings.log_format, settings.secrets)
    # Else the lines of the service that may run in this process stand between those of the report.
    logging.getLogger().setLevel(logging.WARNING)
    return settings


def _spend(
    settings: Settings, spend: float, report: Path, told: _Told, *, ask_first: bool, resend: bool
) -> None:
    # The credit may be enough for the cheapest clip, if not for one of the default model.
    if told.failed(apart_from=CREDIT):
        told.tell(Finding(PURCHASE, Verdict.FAILED, "No clip was bought: mend first what failed."))
        return
    offer = asyncio.run(offer_within(settings, spend))
    if isinstance(offer, Finding):
        told.tell(offer)
        return
    if ask_first and not typer.confirm(_question(offer, spend, resend=resend)):
        told.tell(Finding(PURCHASE, Verdict.FAILED, "No clip was bought: you said no."))
        return
    try:
        report.touch()
    except OSError as error:
        found = f"It can't be written to {report} ({error.strerror}). Nothing was spent."
        told.tell(Finding("Report", Verdict.FAILED, found, "Name another file with --report."))
        return
    try:
        if not run_until_signal(told.tell_all(probe(settings, offer, spend, resend=resend))):
            told.tell(_stopped())
    except StoreUnavailable as unavailable:
        told.tell(Finding("Database", Verdict.FAILED, str(unavailable), "A clip that was bought is in it."))
    finally:
        report.write_text(report_json(told.findings, _facts(settings, offer, spend), utc_now()), "utf-8")
        typer.echo(f"The report is in {report}.")


def _question(offer: Offer, spend: float, *, resend: bool) -> str:
    again = ""
    if resend and covers_second_bill(offer, spend):
        again = f" Its finished id is then sent again, which may cost another {dollars(offer.usd)}."
    elif resend:
        again = f" Its id is not sent again: {dollars(spend)} does not cover a second bill."
    return f"This makes one real clip of {offer.words}.{again} Go on?"


def _stopped() -> Finding:
    return Finding(
        "Clip",
        Verdict.FAILED,
        "Stopped. If the clip was bought, it is in the ledger, and the service's poller goes on with it.",
        "Keep the service running, and look at the project later.",
        value="stopped",
    )


def _facts(settings: Settings, offer: Offer, spend: float) -> dict[str, object]:
    return {
        "version": version("clip-service"),
        "runware_api_url": settings.runware_api_url,
        "public_url": settings.public_url,
        "at_most_usd": spend,
        "model": offer.model.air,
        "resolution": offer.settings.resolution,
        "duration_s": offer.duration_s,
        "expected_usd": offer.usd,
    }
