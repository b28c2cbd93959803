import io

import pytest
from PIL import Image as Pillow

from service.clips.images import FrameLimits, Image, ImageType, read_image


def made(kind: str, width: int = 180, height: int = 320, **options: object) -> bytes:
    content = io.BytesIO()
    Pillow.new("RGB", (width, height), "teal").save(content, kind, **options)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (made("PNG"), ImageType.PNG),
        (made("JPEG"), ImageType.JPEG),
        (made("JPEG", progressive=True, comment=b"\xff\xc0 in a comment"), ImageType.JPEG),
        (made("WEBP"), ImageType.WEBP),
        (made("WEBP", lossless=True), ImageType.WEBP),
        (made("WEBP", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0"), ImageType.WEBP),
    ],
)
def test_kind_and_size_are_read_from_the_head(content: bytes, kind: ImageType) -> None:
    assert read_image(content) == Image(kind, 180, 320)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_head_that_is_cut_off_is_no_image_and_no_error(kind: str) -> None:
    content = made(kind)
    for length in range(16):
        assert read_image(content[:length]) is None
    for length in range(len(content)):
        assert read_image(content[:length]) in (None, Image(ImageType(f"image/{kind.lower()}"), 180, 320))


@pytest.mark.parametrize(
    "content",
    [b"", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"GIF89a" + bytes(40), b"%PDF-1.7", made("BMP")],
)
def test_anything_else_is_no_image(content: bytes) -> None:
    assert read_image(content) is None


@pytest.mark.parametrize(
    ("width", "height", "fits"), [(300, 300, True), (2048, 2048, True), (299, 999, False), (999, 2049, False)]
)
def test_sides_of_a_frame_have_limits(width: int, height: int, *, fits: bool) -> None:
    assert Image(ImageType.PNG, width, height).fits(FrameLimits()) is fits


def test_jpeg_is_read_across_markers_that_stand_alone() -> None:
    jpeg = made("JPEG")
    assert read_image(jpeg[:2] + b"\xff\x01" + jpeg[2:]) == Image(ImageType.JPEG, 180, 320)


@pytest.mark.parametrize(
    "inserted", [b"\x00", b"\xff\xfe\x00\x02" * 200], ids=["no segment", "too many segments"]
)
def test_jpeg_whose_segments_lead_nowhere_is_no_image(inserted: bytes) -> None:
    jpeg = made("JPEG")
    assert read_image(jpeg[:2] + inserted + jpeg[2:]) is None
