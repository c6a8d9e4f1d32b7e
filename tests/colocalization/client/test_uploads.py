"""What is sent of images."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colocalization.client.answers import ServedSet
from colocalization.client.uploads import open_set, upload_names
from colocalization.images import ImageSource, decode
from colocalization.results import ImageResult

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def test_names_differ_and_are_not_too_long() -> None:
    names = upload_names(["x/a.jpg", Path("y/a.jpg"), b"", "1/a.jpg", "z" * 300, "\udcff.jpg"])
    assert names == ("a.jpg", "1/a.jpg", "image-2", "3/a.jpg", "z" * 200, "?.jpg")


def test_every_kind_of_source_is_sent_as_an_encoded_image(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(PIXELS).save(path)
    content = path.read_bytes()
    sources: list[ImageSource] = [path, str(path), content, io.BytesIO(content), Image.fromarray(PIXELS), PIXELS]
    with open_set(sources, upload_names(sources)) as opened:
        sent = [file for _, (_, file, _) in opened.parts]
        assert [decode(file).rgb.tolist() for file in sent] == [PIXELS.tolist()] * 6
    assert sent[0].closed
    assert not sent[3].closed  # a stream is the caller's


def test_orientation_of_a_pil_image_goes_along() -> None:
    image = Image.fromarray(PIXELS)
    image.getexif()[0x0112] = 6
    with open_set([image], ["a"]) as opened:
        ((_, (_, file, _)),) = opened.parts
        assert decode(file).rgb.shape == decode(image).rgb.shape == (3, 2, 3)


def test_what_cannot_be_opened_keeps_its_place(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    sources: list[ImageSource] = [tmp_path / "missing.png", b"x", tmp_path / "empty.png", tmp_path, "nul\0.png"]
    with open_set(sources, list("abcde")) as opened:
        assert {index: error.code for index, error in opened.errors.items()} == {
            0: "not_found", 2: "empty_file", 3: "not_readable", 4: "not_readable",
        }  # fmt: skip
        assert opened.sent_names == ("b",)
        found = opened.answered(ServedSet("common", (ImageResult(9, 9, (), 0.5, True, None),)))
    assert [image.confidence for image in found] == [0.0, 0.5, 0.0, 0.0, 0.0]
    assert found.names == tuple("abcde")


@pytest.mark.parametrize("array", [np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4), np.uint8)])
def test_arrays_are_checked_as_by_the_localizer(array: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected an \(H, W, 3\) RGB"), open_set([array], ["a"]):
        pass


def test_what_is_no_image_at_all_is_a_mistake_of_the_program() -> None:
    with pytest.raises(TypeError, match=r"sources\[1\]"), open_set([b"x", 7], ["a", "b"]):  # type: ignore[list-item]
        pass
