import pytest

from service.addresses import is_private


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("im.runware.ai", False),
        ("frames.example.r2", False),
        ("8.8.8.8", False),
        ("10.0.0.1", True),
        ("::ffff:10.0.0.1", True),
        ("localhost", True),
        ("printer.local.", True),
    ],
)
def test_host_that_only_some_can_reach_is_private(host: str, *, private: bool) -> None:
    assert is_private(host) is private
