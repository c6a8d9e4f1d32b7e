"""Images whose boxes can be worked out by hand over the dummy engine: a white square on black."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 64


def write_square(
    path: Path, x0: int, y0: int, side: int = 16, *, size: tuple[int, int] = (SIDE, SIDE), level: int = 255
) -> Path:
    """A black image with a white square; PNG unless the name ends otherwise."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[y0 : y0 + side, x0 : x0 + side] = level
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def write_squares(folder: Path, count: int) -> list[str]:
    """`count` images `p0.png` ... with the square at a place of its own; gives their names."""
    names = [f"p{number}.png" for number in range(count)]
    for number, name in enumerate(names):
        write_square(folder / name, number * 8 % 48, number * 16 % 48)
    return names


class Silent:
    """Shows no progress; remembers the phases and how often each advanced."""

    def __init__(self) -> None:
        self.phases: list[list[object]] = []

    def phase(self, description: str, total: int, done: int = 0) -> AbstractContextManager[Callable[[], None]]:
        record: list[object] = [description, total, done]
        self.phases.append(record)

        def advance() -> None:
            record[2] += 1  # type: ignore[operator]

        return nullcontext(advance)

    def count(self, description: str) -> AbstractContextManager[Callable[[], None]]:
        return self.phase(description, 0)
