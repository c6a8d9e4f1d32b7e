"""Progress of a run on the terminal."""

import math
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

__all__ = ["ConsoleProgress", "SilentProgress", "duration"]


def duration(seconds: float) -> str:
    """A span of time for people.

    Example:
        >>> [duration(one) for one in (12, 200, 8100)]
        ['12 s', '4 min', '2 h 15 min']
    """
    if seconds < 60:
        return f"{math.ceil(seconds)} s"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


class SilentProgress:
    """Says nothing; for processes other than the main one, and for tests."""

    def step(self, step: int, total: int, losses: dict[str, float]) -> None:
        """A step is done."""

    def note(self, text: str) -> None:
        """Something worth a line happened."""


class ConsoleProgress:
    """A bar with rate and time left; plain lines where standard error is no terminal."""

    def __init__(self, batch_size: int) -> None:
        self._batch_size = batch_size
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def step(self, step: int, total: int, losses: dict[str, float]) -> None:
        """A step is done."""
        if self._task is None:
            self._task = self._bar.add_task("training", total=total, completed=step - 1, rate="", losses="")
        speed = self._bar.tasks[self._task].speed
        rate = f"{speed * self._batch_size:.1f} images/s" if speed else ""
        self._bar.update(self._task, completed=step, rate=rate, losses=f"loss {losses['loss']:.3f}")

    def note(self, text: str) -> None:
        """Something worth a line happened."""
        self._console.print(text, markup=False, soft_wrap=True)
