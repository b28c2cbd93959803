import pytest

from service.clips.models import Failure, FailureKind


@pytest.mark.parametrize(
    ("message", "detail", "sentence"),
    [
        ("Invalid content.", "", "Invalid content."),
        ("Invalid content.", "A face was seen.", "Invalid content. A face was seen."),
        ("Invalid content", "A face was seen.", "Invalid content. A face was seen."),
        ("Blocked: A face was seen.", "A face was seen.", "Blocked: A face was seen."),
    ],
)
def test_failure_is_told_with_the_providers_words_where_they_say_more(
    message: str, detail: str, sentence: str
) -> None:
    assert Failure(FailureKind.SAFETY, "invalidProviderContent", message, detail).sentence == sentence
