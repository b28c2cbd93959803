"""Frames by where they lie: what Runware fetches, what goes along, what gets there neither way."""

import pytest

from service.clips.frames import FrameRules, FramesWay, frames_delivery

NAME = f"{'0123456789abcdef' * 4}.png"
RULES = FrameRules(upload_paths=("/uploads/", "/clips/uploads/"))
PUBLIC = ["https://frames.example/1.png", "http://8.8.8.8/1.png", "https://[2606:4700::1111]/1.png"]
PRIVATE = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "app.localhost",
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.20",
    "169.254.169.254",
    "100.64.0.1",
    "[::1]",
    "[fd00::7]",
    "[fe80::1]",
    "[::ffff:127.0.0.1]",
    "nas",
    "nas.local",
    "db.internal",
    "box.home.arpa",
]


@pytest.mark.parametrize("host", PRIVATE)
def test_frame_that_is_out_of_the_internets_reach_is_a_problem_that_names_its_host(host: str) -> None:
    problem = RULES.problem(f"http://{host}:9000/first.png")
    assert problem is not None
    assert problem.startswith(f"at {host.lower().strip('[]')}, which Runware can't reach: upload it")


@pytest.mark.parametrize("url", PUBLIC)
def test_frame_at_a_public_host_is_no_problem(url: str) -> None:
    assert RULES.problem(url) is None


@pytest.mark.parametrize("host", PRIVATE)
def test_private_frame_is_no_problem_for_a_provider_on_this_machine(host: str) -> None:
    assert FrameRules(private_is_reached=True).problem(f"http://{host}/first.png") is None


@pytest.mark.parametrize("host", PRIVATE)
@pytest.mark.parametrize("path", ["/uploads", "/clips/uploads"])
def test_own_upload_at_a_private_host_goes_along_and_is_no_problem(host: str, path: str) -> None:
    url = f"http://{host}:8000{path}/{NAME}"
    assert (RULES.upload_to_send(url), RULES.problem(url)) == (NAME, None)


@pytest.mark.parametrize(
    "url",
    [
        f"https://clips.example.com/uploads/{NAME}",
        f"http://localhost:8000/other/{NAME}",
        f"http://localhost:8000/{NAME}",
        f"http://localhost:8000/uploads/deeper/{NAME}",
        f"http://localhost:8000/uploads/{NAME}?size=1",
        f"http://localhost:8000/uploads/{NAME}#1",
        f"http://localhost:8000/uploads/{NAME}.png",
        f"http://localhost:8000/uploads/{NAME.upper()}",
        "http://localhost:8000/uploads/clips.db",
        "http://localhost:8000/uploads/../clips.db",
        "http://localhost:8000/uploads/..%2Fclips.db",
        "http://localhost:8000/uploads//etc/passwd",
        f"http://localhost:8000/uploads/../uploads/{NAME}",
        f"file:///uploads/{NAME}",
        f"/uploads/{NAME}",
        "http://[broken",
    ],
)
def test_nothing_else_is_read_from_the_disk(url: str) -> None:
    assert RULES.upload_to_send(url) is None


def test_with_supabase_no_upload_is_kept_here_and_none_is_offered_where_it_would_not_help() -> None:
    rules = FrameRules(upload_paths=(), uploads_are_reached=False)
    url = f"http://localhost:8000/uploads/{NAME}"
    assert rules.upload_to_send(url) is None
    assert rules.problem(url) == "at localhost, which Runware can't reach: use a public URL"


@pytest.mark.parametrize(
    ("public_url", "supabase_url", "way", "words"),
    [
        (None, None, FramesWay.SENT_ALONG, "PUBLIC_URL is not set"),
        ("http://localhost:8000", None, FramesWay.SENT_ALONG, "can't reach PUBLIC_URL at localhost"),
        ("http://192.168.0.4:8000/clips", None, FramesWay.SENT_ALONG, "at 192.168.0.4"),
        ("https://clips.example.com", None, FramesWay.FETCHED, "from https://clips.example.com."),
        (None, "https://abc.supabase.co", FramesWay.FETCHED, "from https://abc.supabase.co."),
        (
            "https://clips.example.com",
            "http://127.0.0.1:54321",
            FramesWay.OUT_OF_REACH,
            "in Supabase at 127.0.0.1",
        ),
    ],
)
def test_way_of_uploaded_frames_is_told_in_a_sentence_with_a_remedy_where_there_is_none(
    public_url: str | None, supabase_url: str | None, way: FramesWay, words: str
) -> None:
    delivery = frames_delivery(public_url, supabase_url)
    assert (delivery.way, words in delivery.sentence) == (way, True)
    assert bool(delivery.remedy) is (way is FramesWay.OUT_OF_REACH)
