import pytest

from service.terminal.answers import Quote
from service.terminal.spending import Spending

QUOTES = {
    "1": Quote(usd=1.2, paid=False),
    "2": Quote(usd=0.8, paid=True),
    "3": Quote(usd=0.8, paid=False),
}


def test_what_is_paid_is_neither_counted_nor_added() -> None:
    assert Spending.of(QUOTES).sentence == "2 clips, $2.00."


def test_only_the_scenes_of_the_call_are_added() -> None:
    assert Spending.of(QUOTES, {"1", "2", "9"}).sentence == "1 clip, $1.20."


def test_one_unknown_price_makes_the_sum_unknown() -> None:
    unknown = Spending.of({**QUOTES, "4": Quote(usd=None, paid=False)})
    assert (unknown.sentence, unknown.is_above(1000)) == ("3 clips, price not known.", True)


def test_nothing_to_buy_needs_no_word_and_no_question() -> None:
    nothing = Spending.of({"1": Quote(usd=None, paid=True)})
    assert (nothing.sentence, nothing.is_above(0)) == ("", False)


def test_service_that_is_too_old_to_tell_is_asked_about_as_an_unknown_price() -> None:
    old = Spending.of(None, {"1"})
    assert (old.sentence, old.is_above(1000)) == (
        "This service is too old to tell a price beforehand.",
        True,
    )


@pytest.mark.parametrize(("limit", "above"), [(1.99, True), (2, False), (5, False), (0, True)])
def test_sum_of_the_limit_itself_is_not_above_it(limit: float, *, above: bool) -> None:
    assert Spending.of(QUOTES).is_above(limit) is above
