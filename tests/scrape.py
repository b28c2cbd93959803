"""Reads /metrics as Prometheus does."""

from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from tests.harness import World

Labels = frozenset[tuple[str, str]]


class Scrape:
    """The samples of a text, read by the library's own parser."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._samples = [
            (sample.name, frozenset(sample.labels.items()), sample.value)
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        ]
        series = Counter((name, labels) for name, labels, _ in self._samples)
        assert max(series.values()) == 1, series.most_common(3)

    def __call__(self, name: str, **labels: str) -> float:
        """Add up the series of a metric that have these labels. There must be one."""
        values = [
            value
            for sample, its_labels, value in self._samples
            if sample == f"clip_service_{name}" and labels.items() <= dict(its_labels).items()
        ]
        assert values, f"no {name} with {labels}"
        return sum(values)

    def has(self, name: str, **labels: str) -> bool:
        """Whether there is such a series."""
        return any(
            sample == f"clip_service_{name}" and labels.items() <= dict(its_labels).items()
            for sample, its_labels, _ in self._samples
        )


async def scrape(world: World) -> Scrape:
    """Scrape the service."""
    async with world.session.get(f"{world.url}/metrics") as response:
        assert response.status == 200
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        return Scrape(await response.text())
