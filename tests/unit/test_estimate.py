import pytest

from service.clips.estimate import DEFAULT_TIME, PastClip, Price, UsualTime, price, share_done, usual_times
from service.runware.models import video_model
from tests.builders import FAST, LITE, VEO

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


def test_what_such_clips_have_cost_here_beats_the_table() -> None:
    clips = [
        past(60, model=FAST, resolution="1080p", audio=True, duration_s=4, cost_usd=0.8),
        past(60, model=FAST, resolution="1080p", audio=True, duration_s=8, cost_usd=1.6),
        past(60, model=FAST, resolution="1080p", audio=True, cost_usd=None),
        past(60, model=FAST, resolution="4K", audio=True, cost_usd=99.0),
        past(60, model=FAST, resolution="1080p", cost_usd=99.0),
        past(60, resolution="1080p", audio=True, cost_usd=99.0),
    ]
    assert price(video_model(FAST), ("1080p", True), clips) == Price(0.2, "past")


def test_without_a_past_the_table_tells_the_price() -> None:
    assert price(video_model(FAST), ("1080p", True), [past(60, cost_usd=9.0)]) == Price(0.15, "table")
    assert price(video_model(LITE), ("720p", False), []) == Price(0.03, "table")


def test_price_that_nobody_says_is_none() -> None:
    clips = [past(60, cost_usd=None), past(60, audio=True), past(60, resolution="1080p")]
    assert price(video_model(VEO), ("720p", False), clips) is None
