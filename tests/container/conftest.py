"""The container tests: run only when asked for by their marker, since they build an image for minutes."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.container.buildah import Buildah, Container, Service, pip_secrets

ROOT = Path(__file__).resolve().parents[2]
BASE_IMAGE = "localhost/colocalize-test-base:latest"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the marked tests out, unless the command line's `-m` speaks of the marker."""
    if "container" in config.getoption("markexpr"):
        return
    marked = [item for item in items if item.get_closest_marker("container")]
    if marked:
        config.hook.pytest_deselected(items=marked)
        items[:] = [item for item in items if not item.get_closest_marker("container")]


@pytest.fixture(scope="session")
def buildah() -> Buildah:
    """A buildah with the base image in its storage; both stay for the next run."""
    if os.geteuid() != 0:
        pytest.skip("chroot isolation needs root")
    for name in ("buildah", "debootstrap", "unshare", "setpriv"):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
    tool = Buildah(Path(os.environ.get("CONTAINER_TEST_FOLDER", "/var/tmp/colocalize-container-test")))  # noqa: S108
    tool.prepare()
    if not tool.has(BASE_IMAGE):
        subprocess.run([Path(__file__).with_name("make_base.sh"), BASE_IMAGE], env=tool.environment, check=True)
    return tool


@pytest.fixture(scope="session")
def build(buildah: Buildah, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], str]]:
    """Builds a target of the Dockerfile and returns its tag; the images are removed at the end."""
    built: list[str] = []

    def build_target(target: str) -> str:
        tag = f"localhost/colocalize-test:{target}"
        # The docker format, because OCI's knows no HEALTHCHECK. Debian's base stands in for CUDA's.
        buildah(
            *("build", "--isolation", "chroot", "--format", "docker", "--target", target, "--tag", tag),
            *("--build-arg", f"PYTHON_IMAGE={BASE_IMAGE}", "--build-arg", f"CUDA_IMAGE={BASE_IMAGE}"),
            *("--build-arg", "VERSION=0.0.0+test", "--build-arg", "REVISION=none"),
            *pip_secrets(tmp_path_factory.mktemp("pip")),
            str(ROOT),
        )
        built.append(tag)
        return tag

    yield build_target
    for tag in built:
        buildah("rmi", tag)


@pytest.fixture(scope="session")
def image(build: Callable[[str], str]) -> str:
    """The CPU image."""
    return build("cpu")


@pytest.fixture(scope="module")
def container(buildah: Buildah, image: str) -> Iterator[Container]:
    """A container of the CPU image."""
    with buildah.container(image) as created:
        yield created


@pytest.fixture(params=[False, True], ids=["buildah-run", "read-only-no-capabilities"])
def service(request: pytest.FixtureRequest, container: Container) -> Iterator[Service]:
    """The service, started as the image says, in two ways."""
    started = container.start(free_port(), hardened=request.param)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.stop()


def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
