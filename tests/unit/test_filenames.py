import pytest

from service.clips.filenames import ascii_filename, clip_filename
from service.web.downloads import content_disposition
from tests.builders import PROJECT_ID


@pytest.mark.parametrize(
    ("title", "scene", "name"),
    [
        ("Harbour at dawn", "1", "Harbour-at-dawn-scene-1.mp4"),
        ("  Mara's  return: part 2/3 ", "10", "Maras-return-part-2-3-scene-10.mp4"),
        ("../../etc/passwd", "..", "etc-passwd-scene.mp4"),
        ("-rf *", "1", "rf-scene-1.mp4"),
        ('"; rm\r\nX: y', "a\x00b", "rm-X-y-scene-a-b.mp4"),
        ("", "1", "project-0b0e7a52-scene-1.mp4"),
        ("!!!", "1", "project-0b0e7a52-scene-1.mp4"),
        ("e\N{COMBINING ACUTE ACCENT}te\N{COMBINING ACUTE ACCENT}", "1", "été-scene-1.mp4"),
        ("हिन्दी", "१", "हिन्दी-scene-१.mp4"),
        ("nul\N{RIGHT-TO-LEFT OVERRIDE}4pm.exe", "1", "nul-4pm-exe-scene-1.mp4"),
    ],
)
def test_name_has_letters_digits_and_hyphens_only(title: str, scene: str, name: str) -> None:
    assert clip_filename(title, PROJECT_ID, scene) == name


def test_name_fits_a_file_system_and_no_letter_is_cut_in_two() -> None:
    name = clip_filename("日" * 200, PROJECT_ID, "本" * 200)
    assert len(name.encode()) <= 255
    assert name.startswith("日" * 50 + "-scene-本")
    assert name.endswith("本.mp4")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Łódź-été-scene-1.mp4", "odz-ete-scene-1.mp4"),
        ("日本-scene-1.mp4", "scene-1.mp4"),
        ("½⒈⑴-scene-1.mp4", "1211-scene-1.mp4"),
    ],
)
def test_name_in_ascii_has_what_ascii_has(name: str, plain: str) -> None:
    assert ascii_filename(name) == plain


def test_header_has_the_whole_name_beside_that_in_ascii() -> None:
    assert content_disposition("été-scene-1.mp4") == (
        "attachment; filename=\"ete-scene-1.mp4\"; filename*=UTF-8''%C3%A9t%C3%A9-scene-1.mp4"
    )
    assert content_disposition("a-scene-1.mp4") == 'attachment; filename="a-scene-1.mp4"'
