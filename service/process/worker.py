"""One worker of several, from the first line of its process on.

The supervisor sets `PROMETHEUS_MULTIPROC_DIR` before it starts a worker: prometheus_client looks at it once, when it is
imported, and the start of this module in the new process is what imports it.
"""

import multiprocessing
import os
import signal
import socket
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from colocalization.errors import ColocalizeError
from service.http.state import LoadLocalizer
from service.process.logs import configure_logging
from service.process.serving import serve
from service.settings import Settings

__all__ = ["work"]

_CANNOT_START = 3


def work(
    index: int,
    settings: Settings,
    listener: socket.socket,
    load: LoadLocalizer | None,
    metrics_folder: Path,
    reports: Connection,
) -> None:
    """Run one worker; the first function of its process.

    Args:
        index: Its number, from 0; of several GPUs it takes the one at this number modulo theirs.
        settings: The settings.
        listener: The listening socket that all workers share.
        load: Gives a localizer; from the settings if left out.
        metrics_folder: Where all workers keep their metrics.
        reports: Takes the reason where the worker cannot start.
    """
    # Ctrl-C goes to all processes of the terminal; the supervisor tells the workers what it means.
    os.setpgid(0, 0)
    configure_logging(settings.log_format, settings.log_level)
    threading.Thread(target=_leave_with_parent, name="parent-watch", daemon=True).start()
    if settings.gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(settings.gpus[index % len(settings.gpus)])
    try:
        serve(settings, listener, load=load, shared_metrics=metrics_folder)
    except (ColocalizeError, ValueError, OSError) as error:
        reports.send(str(error))
        raise SystemExit(_CANNOT_START) from None


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
