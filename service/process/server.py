"""Starting and stopping the service."""

import logging
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from service.http.state import LoadLocalizer
from service.process.logs import configure_logging
from service.process.serving import leave_at_once, serve
from service.process.supervisor import Supervisor
from service.settings import Settings

__all__ = ["bind", "run"]

_BACKLOG = 2048

_logger = logging.getLogger(__name__)


def run(settings: Settings, load: LoadLocalizer | None = None) -> None:
    """Serve until a signal says to stop.

    SIGTERM or SIGINT: finish what was accepted, then leave; a second one, or one before anything can be accepted,
    leaves at once. SIGHUP, where `reload` is set: load the model again.

    Args:
        settings: The settings.
        load: Gives the localizer; from the settings if left out. With several workers it must be importable by name.

    Raises:
        ColocalizeError: The model or its execution provider cannot be used, or a worker cannot start.
        OSError: The address cannot be listened on, or the file of API keys cannot be read.
        ValueError: An API key is not well-formed.
    """
    configure_logging(settings.log_format, settings.log_level)
    for name in Settings.unknown_variables():
        _logger.warning("%s is no setting", name)
    with _early_signals(), bind(settings.host, settings.port) as listener:
        if settings.workers == 1:
            serve(settings, listener, load=load)
        else:
            Supervisor(settings, listener, load).run()


@contextmanager
def _early_signals() -> Iterator[None]:
    """Until the server or the supervisor takes the signals over: leave at SIGTERM and SIGINT, outlive SIGHUP.

    The first process of a container has no default action: without a handler, SIGTERM would do nothing.
    """
    handlers: dict[int, Callable[[int, FrameType | None], None] | signal.Handlers] = {
        signal.SIGTERM: leave_at_once,
        signal.SIGINT: leave_at_once,
    }
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = signal.SIG_IGN  # there is no model yet that would have to be loaded again
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Args:
        host: Address or name; never empty, which the system would take for all addresses.
        port: Port; 0 takes a free one.

    Raises:
        OSError: The address is in use, unknown, not this machine's, or not allowed.
        ValueError: `host` is empty.
    """
    if not host:
        raise ValueError("the address to listen on is empty; 0.0.0.0 or :: listens on all of the machine's")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener
