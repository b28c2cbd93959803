import pytest

from service.clips.estimate import DEFAULT_TIME, PastClip, UsualTime, price, share_done, usual_times
from service.clips.models import GenerationSettings
from tests.builders import SETTINGS

USUAL = UsualTime(median_s=60, p90_s=100, samples=20)


def past(seconds: float, *, duration_s: int = 4, cost_usd: float | None = 0.8, **fields: object) -> PastClip:
    model, resolution = str(fields.get("model", "google:3@2")), str(fields.get("resolution", "720p"))
    return PastClip(model, resolution, bool(fields.get("audio")), duration_s, seconds, cost_usd)


def test_usual_time_is_median_and_90th_percentile_by_model_and_duration() -> None:
    times = usual_times([past(n) for n in range(1, 12)] + [past(500, duration_s=8) for _ in range(3)])
    assert times["google:3@2", 4] == UsualTime(median_s=6, p90_s=10, samples=11)
    assert times["google:3@2", 8].median_s == 500


def test_fewer_than_three_clips_are_no_history() -> None:
    assert usual_times([past(60), past(61)]) == {}


def test_only_the_newest_200_count() -> None:
    times = usual_times([past(10)] * 200 + [past(1000)] * 500)
    assert times["google:3@2", 4] == UsualTime(median_s=10, p90_s=10, samples=200)


@pytest.mark.parametrize(
    ("waited_s", "share"), [(-5, 0), (0, 0), (30, 0.4), (60, 0.8), (80, 0.875), (100, 0.95), (1e9, 0.99)]
)
def test_share_is_80_percent_at_the_median_and_95_at_the_90th_percentile(
    waited_s: float, share: float
) -> None:
    assert share_done(waited_s, USUAL) == pytest.approx(share)


@pytest.mark.parametrize("usual", [USUAL, DEFAULT_TIME, UsualTime(0, 0, 3), UsualTime(5, 5, 3)])
def test_share_never_falls_and_never_reaches_the_end(usual: UsualTime) -> None:
    shares = [share_done(waited_s, usual) for waited_s in range(100_000)]
    assert shares == sorted(shares)
    assert shares[-1] <= 0.99


def test_published_price_beats_what_was_paid() -> None:
    fast = GenerationSettings(model="google:3@3", resolution="1080p", generate_audio=True)
    found = price(fast, [past(60, model="google:3@3", resolution="1080p", audio=True, cost_usd=9.0)])
    assert found is not None
    assert (found.usd_per_second, found.published) == (0.15, True)


def test_unpublished_price_is_what_such_clips_have_cost_a_second() -> None:
    clips = [
        past(60, duration_s=4, cost_usd=0.8),
        past(60, duration_s=8, cost_usd=1.6),
        past(60, cost_usd=None),
    ]
    found = price(SETTINGS, [*clips, past(60, resolution="4K", cost_usd=99.0)])
    assert found is not None
    assert (found.usd_per_second, found.published) == (0.2, False)


def test_price_that_nobody_says_is_none() -> None:
    assert (
        price(SETTINGS, [past(60, cost_usd=None), past(60, audio=True), past(60, resolution="1080p")]) is None
    )
