"""How the command line ends: one line on standard error, and an exit code that tells."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

import typer

from colocalization.errors import ColocalizeError, ModelError, ProviderError

__all__ = [
    "EXIT_CANNOT_RUN",
    "EXIT_INTERRUPTED",
    "EXIT_SOME_FAILED",
    "EXIT_TERMINATED",
    "EXIT_USAGE",
    "errors_reported",
    "fail",
    "warn",
]

EXIT_SOME_FAILED = 1
"""Done, but some images or folders could not be read."""
EXIT_USAGE = 2
"""What was given cannot be worked on: options, missing or colliding inputs, nothing found, a damaged file."""
EXIT_CANNOT_RUN = 3
"""The model or GPU cannot be used, a package is missing, or a result cannot be written."""
EXIT_INTERRUPTED = 128 + 2
"""Stopped by Ctrl-C; what was finished is kept."""
EXIT_TERMINATED = 128 + 15
"""Stopped by SIGTERM; what was finished is kept."""


class _Terminated(KeyboardInterrupt):
    """SIGTERM came; it stops the work the way Ctrl-C does."""


def warn(message: str) -> None:
    """One line on standard error."""
    typer.echo(f"warning: {message}", err=True)


def fail(message: str, code: int = EXIT_USAGE) -> NoReturn:
    """One line on standard error, and the end of the command."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


@contextmanager
def errors_reported(interrupted: str = "interrupted") -> Iterator[None]:
    """Turn the errors that users can meet into one line and an exit code; others are bugs and keep their traceback.

    Args:
        interrupted: What to say when Ctrl-C or SIGTERM stops the work.
    """
    try:
        yield
    except (ModelError, ProviderError) as error:
        fail(error.message, EXIT_CANNOT_RUN)
    except ColocalizeError as error:
        fail(error.message, EXIT_USAGE)
    except BrokenPipeError:
        raise  # whoever reads the output has left (`| head`); Typer ends the command without a word
    except OSError as error:
        name = "" if error.filename is None else f" {str(error.filename)!r}"
        fail(f"{error.strerror or error}{name}", EXIT_CANNOT_RUN)
    except MemoryError:
        fail("not enough memory", EXIT_CANNOT_RUN)
    except RuntimeError as error:
        if "can't start new thread" not in str(error):
            raise
        fail("the machine gives no further thread; fewer are needed with --workers 1 --threads 1", EXIT_CANNOT_RUN)
    except KeyboardInterrupt as error:
        fail(interrupted, EXIT_TERMINATED if isinstance(error, _Terminated) else EXIT_INTERRUPTED)


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM stop the work the way Ctrl-C does, so that it ends cleanly."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return

    def interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
