"""Whether the service of this container is ready, for its health check: `python -m service.process.healthcheck`.

Asks where the service listens: by the options that the container's first process was given, or its environment. Imports
next to nothing, since it runs every few seconds.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path

__all__ = ["address", "is_ready"]

_FIRST_PROCESS = Path("/proc/1/cmdline")
_TIMEOUT = 4.0
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 -- what listens on all addresses listens on this one
_DEFAULTS = {"host": "127.0.0.1", "port": "8000"}


def address(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[str, int]:
    """Where to ask.

    Args:
        arguments: The command line of the service.
        environment: Its environment.

    Raises:
        ValueError: The port is no number.

    Example:
        >>> address(["colocalize", "serve", "--port=9000"], {"COLOCALIZE_PORT": "8001", "COLOCALIZE_HOST": "::"})
        ('::1', 9000)
    """
    variables = {name.upper(): value for name, value in environment.items()}
    values = {name: variables.get(f"COLOCALIZE_{name.upper()}", default) for name, default in _DEFAULTS.items()}
    for index, argument in enumerate(arguments):
        option, separator, value = argument.partition("=")
        name = option.removeprefix("--")
        if option.startswith("--") and name in values:
            values[name] = value if separator else "".join(arguments[index + 1 : index + 2])
    return _LOOPBACK.get(values["host"], values["host"]), int(values["port"])


def is_ready(host: str, port: int) -> bool:
    """Whether `/readyz` says so. No proxy is asked, whatever the environment names."""
    connection = HTTPConnection(host, port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _main() -> int:
    try:
        arguments = _FIRST_PROCESS.read_bytes().decode(errors="replace").split("\0")
    except OSError:
        arguments = []
    return 0 if is_ready(*address(arguments, os.environ)) else 1


if __name__ == "__main__":
    sys.exit(_main())
