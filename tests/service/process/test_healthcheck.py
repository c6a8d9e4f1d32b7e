"""The health check of the container."""

import subprocess
import sys

import pytest

from service.process.healthcheck import address, is_ready
from tests.service.processes import free_port, running

EVERYWHERE = "0.0.0.0"  # noqa: S104 -- not bound here


@pytest.mark.parametrize(
    ("arguments", "environment", "asked"),
    [
        ([], {}, ("127.0.0.1", 8000)),
        (["colocalize", "serve"], {"COLOCALIZE_HOST": EVERYWHERE, "COLOCALIZE_PORT": "9000"}, ("127.0.0.1", 9000)),
        (["colocalize", "serve", "--port", "9001", ""], {"COLOCALIZE_PORT": "9000"}, ("127.0.0.1", 9001)),
        (["docker-init", "--", "colocalize", "serve", "--port=9002"], {}, ("127.0.0.1", 9002)),
        (["colocalize", "serve", "--host", "::"], {}, ("::1", 8000)),
        (["colocalize", "serve"], {"colocalize_host": "10.0.0.7"}, ("10.0.0.7", 8000)),
    ],
)
def test_asks_where_the_service_listens(
    arguments: list[str], environment: dict[str, str], asked: tuple[str, int]
) -> None:
    assert address(arguments, environment) == asked


def test_is_ready_only_while_the_service_is() -> None:
    assert not is_ready("127.0.0.1", free_port())
    with running() as service:
        assert is_ready("127.0.0.1", service.port)


def test_runs_without_the_parts_that_take_long_to_import() -> None:
    heavy = ("numpy", "fastapi", "pydantic")
    code = f"import sys, service.process.healthcheck; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
