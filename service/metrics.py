"""What is counted, in Prometheus' text format. Every label's values are few and known: nothing here grows."""

from collections.abc import Iterator
from datetime import datetime
from http import HTTPMethod

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, generate_latest

from service.clips.models import Clip, ClipStatus, FailureKind, SettledBy
from service.errors import ServiceError

_NAMESPACE = "clip_service"
_MINUTE = 60
# Veo takes from one to a few minutes; a clip's time is over after half an hour.
_CLIP_BUCKETS_S = (30, 45, *(minutes * _MINUTE for minutes in (1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30)))
_STORE_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_RESULT_BUCKETS = (1, 3, 10, 30, 100, 300, 1000)
# `generate-clips` waits for Runware's answers to its submissions.
_REQUEST_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_NO_FAILURE = "none"
_OTHER = "other"


class Metrics:
    """Counts for one service, in a registry of its own; fulfils the meters that its parts declare."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._clips_settled = self._counter(
            "clips_settled", "Clips that ended", "status", "failure", "settled_by"
        )
        self._clip_seconds = self._histogram(
            "clip_seconds", "Seconds from submission to the stored success", _CLIP_BUCKETS_S
        )
        self._cost_usd = self._counter("cost_usd", "US dollars that Runware billed for ended clips", "status")
        self._webhooks = self._counter("webhooks", "Webhooks, by what became of them", "outcome")
        self._ticks = self._counter("poll_ticks", "Ticks of the poller", "outcome")
        self._last_tick = Gauge(
            "poll_last_tick_timestamp_seconds",
            "When the poller last completed a tick",
            namespace=_NAMESPACE,
            registry=self._registry,
        )
        self._clips_asked = self._counter(
            "poll_clips_asked", "Clips that the poller asked Runware for", "answered"
        )
        self._clips_sent_again = self._counter(
            "poll_clips_sent_again", "Clips whose tasks were lost on their way to Runware"
        )
        self._settlement_seconds = self._histogram(
            "settlement_seconds", "Seconds that the store took for a batch of results", _STORE_BUCKETS_S
        )
        self._settlement_results = self._histogram(
            "settlement_results", "Results in a batch that the store took in", _RESULT_BUCKETS
        )
        self._store_failures = self._counter(
            "store_failures", "Batches that the store did not take, and results that it refused", "kind"
        )
        self._request_seconds = self._histogram(
            "http_request_seconds",
            "Seconds from a request to its answer",
            _REQUEST_BUCKETS_S,
            "route",
            "method",
            "status",
        )
        self._preflights_refused = self._counter(
            "preflights_refused", "Questions of browsers that were answered with no", "reason"
        )
        self._info = Gauge(
            "info",
            "How this process was set up; always 1",
            ("release", "store", "webhooks", "uploaded_frames"),
            namespace=_NAMESPACE,
            registry=self._registry,
        )
        self._show_zeros()

    def set_up(self, *, release: str, store: str, webhooks: bool, uploaded_frames: str) -> None:
        """Show how the process was set up: whether webhooks are asked for, how uploaded frames get out."""
        self._info.labels(release, store, "asked_for" if webhooks else "none", uploaded_frames).set(1)

    def clip_settled(self, clip: Clip) -> None:
        """Count a clip's end, how long it took and what it cost."""
        failure = _NO_FAILURE if clip.failure is None else clip.failure.kind
        self._clips_settled.labels(clip.status, failure, clip.settled_by).inc()
        self._cost_usd.labels(clip.status).inc(clip.cost_usd or 0)
        if clip.status is ClipStatus.SUCCEEDED and clip.settled_at is not None:
            self._clip_seconds.observe((clip.settled_at - clip.submitted_at).total_seconds())

    def results_stored(self, results: int, seconds: float) -> None:
        """Count a batch of results that the store took in, whatever it changed."""
        self._settlement_results.observe(results)
        self._settlement_seconds.observe(seconds)

    def result_refused(self) -> None:
        """Count a result that the store will not take."""
        self._store_failures.labels("refused").inc()

    def store_unavailable(self) -> None:
        """Count a batch of results that the store did not take."""
        self._store_failures.labels("unavailable").inc()

    def tick_completed(self, at: datetime) -> None:
        """Count a tick that went through."""
        self._ticks.labels("completed").inc()
        self._last_tick.set(at.timestamp())

    def tick_skipped(self) -> None:
        """Count a tick that the store, being unavailable, did not let through."""
        self._ticks.labels("skipped").inc()

    def clips_asked(self, answered: int, unanswered: int) -> None:
        """Count the clips that Runware was asked for, by whether it gave an answer."""
        self._clips_asked.labels("yes").inc(answered)
        self._clips_asked.labels("no").inc(unanswered)

    def clips_sent_again(self, clips: int) -> None:
        """Count the clips whose tasks were lost on their way."""
        self._clips_sent_again.inc(clips)

    def webhook_taken(self, *, changed: bool) -> None:
        """Count a webhook whose result is stored, by whether it was news."""
        self._webhooks.labels("changed" if changed else "duplicate").inc()

    def webhook_refused(self, error: ServiceError) -> None:
        """Count a webhook that was answered with an error, by the code of its class."""
        self._webhooks.labels(error.code).inc()

    def request_answered(self, route: str | None, method: str, status: int, seconds: float) -> None:
        """Count a request. A route that is not there, or a method that HTTP does not know, is `other`."""
        known_method = method if method in HTTPMethod.__members__ else _OTHER
        self._request_seconds.labels(route or _OTHER, known_method, f"{status // 100}xx").observe(seconds)

    def preflight_refused(self, *, origin_allowed: bool) -> None:
        """Count a browser's question whether a page may call that was answered with no."""
        self._preflights_refused.labels(_OTHER if origin_allowed else "origin").inc()

    def text(self) -> str:
        """Give all that was counted, in version 0.0.4 of the text format."""
        return generate_latest(_WithoutBeginnings(self._registry)).decode()

    def _show_zeros(self) -> None:
        """Have the series there before their first event: `increase()` does not see the step to a new one."""
        for settled_by in SettledBy:
            self._clips_settled.labels(ClipStatus.SUCCEEDED, _NO_FAILURE, settled_by)
            for kind in FailureKind:
                self._clips_settled.labels(ClipStatus.FAILED, kind, settled_by)
        for metric, values in (
            (self._cost_usd, (ClipStatus.SUCCEEDED, ClipStatus.FAILED)),
            (self._webhooks, ("changed", "duplicate")),
            (self._ticks, ("completed", "skipped")),
            (self._clips_asked, ("yes", "no")),
            (self._store_failures, ("unavailable", "refused")),
            (self._preflights_refused, ("origin", _OTHER)),
        ):
            for value in values:
                metric.labels(value)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, namespace=_NAMESPACE, registry=self._registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(
            name, meaning, labels, namespace=_NAMESPACE, registry=self._registry, buckets=buckets
        )


class _WithoutBeginnings:
    """Leaves out when each series began: in this format those would be as many series again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        """Give the metrics."""
        for metric in self._registry.collect():
            metric.samples = [s for s in metric.samples if not s.name.endswith("_created")]
            yield metric
