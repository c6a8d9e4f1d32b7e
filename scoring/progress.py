"""How far a run has come: a bar on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichBar
from rich.text import Text

__all__ = ["PlainProgress", "ProgressDisplay", "TerminalProgress", "progress_on"]

_SECONDS_BETWEEN_LINES = 5.0


class ProgressDisplay(Protocol):
    """Something that shows how far a run has come."""

    def phase(self, description: str, total: int, done: int = 0) -> AbstractContextManager[Callable[[], None]]:
        """Begin a part of the run.

        Args:
            description: What is being done.
            total: Number of images.
            done: How many of them were finished before.

        Returns:
            A context manager that gives the function to call once for every further image that is finished.
        """

    def count(self, description: str) -> AbstractContextManager[Callable[[], None]]:
        """Begin a part of the run of which nobody knows yet how many images it is about; see `phase`."""


class TerminalProgress:
    """A bar with the rate and the time left."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def phase(self, description: str, total: int, done: int = 0) -> Iterator[Callable[[], None]]:
        """See `ProgressDisplay.phase`."""
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("left"),
        )
        with RichBar(*columns, console=self._console) as bar:
            task = bar.add_task(description, total=total, completed=done)
            yield lambda: bar.advance(task)

    @contextmanager
    def count(self, description: str) -> Iterator[Callable[[], None]]:
        """See `ProgressDisplay.count`."""
        columns = SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed} images")
        with RichBar(*columns, console=self._console, transient=True) as bar:
            task = bar.add_task(description, total=None)
            yield lambda: bar.advance(task)


class PlainProgress:
    """A line every few seconds and one at the end, for logs."""

    def __init__(self, write: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Say where lines go.

        Args:
            write: Called with each line, without its end.
            clock: Gives the time, in seconds.
        """
        self._write = write
        self._clock = clock

    @contextmanager
    def phase(self, description: str, total: int, done: int = 0) -> Iterator[Callable[[], None]]:
        """See `ProgressDisplay.phase`."""
        before, now_done = done, done
        began = said = self._clock()

        def advance() -> None:
            nonlocal now_done, said
            now_done += 1
            now = self._clock()
            if now_done == total or now - said >= _SECONDS_BETWEEN_LINES:
                said = now
                self._write(_line(description, now_done, total, (now_done - before) / max(now - began, 1e-9)))

        yield advance

    @contextmanager
    def count(self, description: str) -> Iterator[Callable[[], None]]:
        """See `ProgressDisplay.count`; nothing is said of what takes less than a few seconds."""
        counted, said = 0, self._clock()

        def advance() -> None:
            nonlocal counted, said
            counted += 1
            if (now := self._clock()) - said >= _SECONDS_BETWEEN_LINES:
                said = now
                self._write(f"{description}: {counted} images")

        yield advance


def progress_on(console: Console) -> ProgressDisplay:
    """The kind of progress that suits a console."""
    if console.is_terminal:
        return TerminalProgress(console)
    return PlainProgress(lambda line: console.print(Text(line), soft_wrap=True))


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="progress.data.speed")


def _line(description: str, done: int, total: int, rate: float) -> str:
    line = f"{description}: {done}/{total} images, {rate:.1f}/s"
    return line if done == total else f"{line}, {_duration((total - done) / rate)} left"


def _duration(seconds: float) -> str:
    """A time to go, to the second.

    Example:
        >>> _duration(7384.2)
        '2:03:04'
    """
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
