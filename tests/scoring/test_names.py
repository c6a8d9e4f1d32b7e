import os

import pytest

from scoring.names import MOST_BYTES, fitting


@pytest.mark.parametrize("name", ["a.jpg", "a/b/c.jpg", "x" * 247 + ".jpg", "no_ending"])
def test_what_fits_is_not_changed(name: str) -> None:
    assert fitting(name, ".png") == f"{name}.png"


@pytest.mark.parametrize("letter", ["x", "ü", "写", "🐦", "\udcff"])
@pytest.mark.parametrize("length", [249, 250, 251, 255])
def test_what_is_too_long_is_shortened_to_what_file_systems_take(letter: str, length: int) -> None:
    stem = letter * ((length - 4) // len(os.fsencode(letter)))
    name = f"folder/{stem}.jpg"
    short = fitting(name, ".heatmap.png")
    assert short.startswith(f"folder/{letter * 5}")
    assert short.endswith(".heatmap.png")
    assert len(os.fsencode(short.removeprefix("folder/"))) <= MOST_BYTES
    os.fsencode(short).decode("utf-8", "strict" if letter != "\udcff" else "replace")


def test_two_names_stay_two() -> None:
    names = ["x" * 249 + f"{number}.jpg" for number in range(100)]
    assert len({fitting(name, ".png") for name in names}) == 100
