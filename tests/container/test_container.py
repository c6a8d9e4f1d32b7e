"""The image: what is in it, who it runs as, and whether real images that are posted to it come back with boxes."""

import csv
import re
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from colocalization.client import Client
from colocalization.corloc import CorLoc
from tests.container.buildah import Buildah, Container, Service
from tests.container.conftest import ROOT, free_port

pytestmark = [pytest.mark.container, pytest.mark.timeout(1800)]

EXAMPLES = ROOT / "examples"

# Names that must not resolve inside: compilers and make, and the installer.
BUILD_TOOLS = ("cc", "gcc", "g++", "clang", "ld", "make", "pip", "pip3")
BUILD_MODULES = ("torch", "torchvision", "timm", "onnx", "hatchling", "pytest")


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Prints a measurement past pytest's capture."""

    def print_line(text: str) -> None:
        with capsys.disabled():
            print(f"\n    {text}", end="")  # noqa: T201

    return print_line


def test_user_is_a_number_and_not_root(container: Container) -> None:
    # A number, so that Kubernetes' runAsNonRoot can be sure without reading the image's /etc/passwd.
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", container.config["User"])
    assert container.run("id", "--user").stdout.strip() == container.config["User"].partition(":")[0]


def test_nothing_of_the_build_is_left(container: Container) -> None:
    names = " ".join(BUILD_TOOLS)
    found = container.run("sh", "-c", f'for name in {names}; do command -v "$name"; done; true').stdout.split()
    assert found == []
    code = f"from importlib.util import find_spec; print([m for m in {BUILD_MODULES} if find_spec(m)])"
    assert container.run("/opt/colocalize/bin/python", "-c", code).stdout.strip() == "[]"
    for left in ("src", "wheel", "opt/build", "root/.cache", "run/secrets", "etc/pip.conf"):
        path = container.root / left
        assert not path.exists() or not any(path.iterdir()), f"/{left} is in the image"


def test_user_owns_nothing_that_is_run(container: Container) -> None:
    writable = container.run("find", "/opt", "/usr", "/etc", "-writable", "-not", "-type", "l").stdout.split()
    assert writable == []


def test_command_line_scores_a_folder(container: Container) -> None:
    source = (EXAMPLES / "without").glob("*.jpg")
    folder = container.root / "tmp" / "images"
    folder.mkdir(exist_ok=True)
    for path in source:
        (folder / path.name).write_bytes(path.read_bytes())
    done = container.run("colocalize", "score", "/tmp/images", "--out", "/tmp/scored")  # noqa: S108
    assert done.returncode == 0, done.stderr
    assert len((container.root / "tmp/scored/predictions.jsonl").read_text().splitlines()) == 3


def test_sizes(buildah: Buildah, image: str, container: Container, say: Callable[[str], None]) -> None:
    environment = sum(path.lstat().st_size for path in (container.root / "opt/colocalize").rglob("*"))
    # 450 to 550 MB are onnxruntime, opencv, scipy and numpy; more would mean that something came in that should not.
    assert environment < 600e6
    size = buildah("images", "--format", "{{.Size}}", image)
    say(f"image {size}, of it {environment / 1e6:.0f} MB the environment, the rest Debian's base")


def test_real_images_come_back_with_boxes(service: Service, container: Container, say: Callable[[str], None]) -> None:
    ready = service.wait_until_ready()
    idle, _ = service.resident_bytes()
    assert _healthcheck(container, service.port).returncode == 0

    truth = _read_boxes(EXAMPLES / "boxes.csv")
    began = time.monotonic()
    with Client(service.url, transport=httpx.HTTPTransport()) as client:  # no proxy of this machine's on the way
        found = client.localize([EXAMPLES / "images" / name for name in truth])
    first_answer = time.monotonic() - began
    corloc = CorLoc()
    for name, image in zip(found.names, found, strict=True):
        assert image.error is None
        assert len(image) >= 1, name
        corloc.add(image.boxes_array, truth[name])
    scores = corloc.compute()
    # Far below what the model reaches: this asks whether the network runs at all, not how good it is.
    assert scores.at[0.5] >= 50, str(scores)

    _, peak = service.resident_bytes()
    status = service.stop()
    assert status == 0, service.log.read_text()
    assert _healthcheck(container, service.port).returncode != 0
    say(
        f"ready after {ready:.1f} s; {len(truth)} images in {first_answer:.2f} s, {scores}; "
        f"resident {idle / 1e6:.0f} MB idle, {peak / 1e6:.0f} MB at most"
    )


def test_gpu_target_refuses_to_start_without_a_gpu(
    buildah: Buildah, build: Callable[[str], str], say: Callable[[str], None]
) -> None:
    tag = build("gpu")
    with buildah.container(tag) as created:
        code = "import onnxruntime; print(onnxruntime.get_available_providers())"
        assert "CUDAExecutionProvider" in created.run("/opt/colocalize/bin/python", "-c", code).stdout
        started = created.start(free_port(), hardened=False)
        try:
            assert started.process.wait(timeout=60) != 0
        finally:
            if started.process.poll() is None:
                started.stop()
        lines = [line for line in started.log.read_text().splitlines() if "CUDA" in line]
    assert lines, started.log.read_text()
    say(f"gpu target without a GPU: {lines[-1]}")


def _healthcheck(container: Container, port: int) -> subprocess.CompletedProcess[str]:
    kind, *command = container.config["Healthcheck"]["Test"]
    assert kind == "CMD"  # the exec form: needs no shell in the image
    return container.run("env", "COLOCALIZE_HOST=127.0.0.1", f"COLOCALIZE_PORT={port}", *command)


def _read_boxes(path: Path) -> dict[str, list[list[float]]]:
    boxes = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            boxes[row["file"]].append([float(row[side]) for side in ("x0", "y0", "x1", "y1")])
    return dict(boxes)
