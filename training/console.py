"""Progress of a run on the terminal."""

import math
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

__all__ = ["ConsoleProgress", "duration"]

_QUIET_SECONDS = 10.0
"""How long decoding may take, where there is no terminal for a bar, before a line says how far it is."""


def duration(seconds: float) -> str:
    """A span of time for people.

    Example:
        >>> [duration(seconds) for seconds in (12, 200, 8100)]
        ['12 s', '4 min', '2 h 15 min']
    """
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class ConsoleProgress:
    """A bar with rate and time left; plain lines where standard error is no terminal."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._console = Console(stderr=True, highlight=False)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None
        self._decoding: TaskID | None = None
        self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def decoded(self, done: int, total: int) -> None:
        """So many images are decoded."""
        if self._decoding is None:
            self._decoding = self._bar.add_task("decoding", total=total, rate="", losses="")
        self._bar.update(self._decoding, completed=done)
        if not self._console.is_terminal and time.monotonic() - self._told > _QUIET_SECONDS:
            self._told = time.monotonic()
            self.note(f"decoded {done} of {total} images")
        if done == total:
            self._bar.remove_task(self._decoding)
            self._decoding = None

    def step(self, step: int, total: int, losses: dict[str, float]) -> None:
        """A step is done."""
        if self._task is None:
            self._task = self._bar.add_task("training", total=total, completed=step - 1, rate="", losses="")
        speed = next(task.speed for task in self._bar.tasks if task.id == self._task)
        rate = f"{speed * self._batch_size:.1f} images/s" if speed else ""
        self._bar.update(self._task, completed=step, rate=rate, losses=f"loss {losses['loss']:.3f}")

    def note(self, text: str) -> None:
        """Something worth a line happened."""
        self._console.print(text, markup=False, soft_wrap=True)
