"""Every command and every Python example of the README and of the docs, run as it stands there, page by page."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import textwrap
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

import httpx
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]

NOT_RUN = {
    r"make (demo|test|docs)": "by .ci/run",
    r"python -m venv \.venv": "the same steps as `make demo`",
    r"\.venv/bin/pip install '.*'": "`make demo` and `make test` install; the extras are checked below",
    r"docker .*": "by `make test-container`, with buildah",
    r"(kubectl|helm|cd deploy/kubernetes/cpu && kustomize) .*": "needs a cluster; the files are tested",
    r"colocalize .*s3://.*": "needs a bucket; by tests/scoring/stores and tests/scoring/engines",
    r"colocalize .* --engine ray .*": "by tests/scoring/engines/test_ray_run.py",
    r"pip install .*": "the extras are checked below",
    r"colocalize .* --require-gpu": "needs a GPU; that it refuses to run without one is tested with the commands",
    r"(export (LABEL_STUDIO|ML)_.*|label-studio start|yolo .*)": "another project's program",
    r"python examples/train_detector\.py .*": "by tests/test_train_detector.py",
    r"COLOCALIZE_LABEL_STUDIO_URL=.*": "by make test-labelstudio",
    r"(COLOCALIZE_OBJECTS_DIR=/var/.*|curl .*(/objects|object=).*)": "by tests/service/http/test_objects.py",
    r"(python -m (tests\.load\.\w+|experiments|benchmarks)|locust)( .*)?": "measures for minutes; tested in parts",
}
"""Commands that these tests leave out, as patterns, and what runs them."""

LEFT_BEHIND = {
    "README.md": ["results/coco.json", "results/overlays/wren.jpg"],
    "docs/service.md": ["answer.json", "coco.json"],
    "docs/tutorial/folder.md": ["results/contact-sheet.jpg", "results/coco.json", "results/predictions.csv"],
    "docs/tutorial/training.md": ["runs/mine/best.pt", "mine.onnx", "results/predictions.jsonl"],
    "docs/how-to/label-studio.md": ["results/labelstudio.json"],
    "docs/how-to/yolo.md": ["results/yolo/images/wren.jpg", "results/yolo/labels/wren.txt", "results/yolo/data.yaml"],
}
"""Files that must be there once a page's commands have run."""


def examples(page: Path) -> Iterator[tuple[str, str]]:
    """Kind and text of the page's commands (one logical line each) and Python examples, in order."""
    for _, language, block in re.findall(r"^( *)```(bash|sh|python)\n(.*?)^\1```", page.read_text(), re.M | re.S):
        text = textwrap.dedent(block)
        if language == "python":
            yield "python", text
            continue
        for line in text.replace("\\\n", " ").splitlines():
            command, _, comment = line.partition("  #")
            expected = re.match(r" (\d{3}):", comment)  # an HTTP status that is meant
            if command.strip():
                yield f"status {expected[1]}" if expected else "shell", " ".join(command.split())


def is_run(command: str) -> bool:
    return not any(re.fullmatch(pattern, command) for pattern in NOT_RUN)


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


IN_THE_DOCS = {text for page in PAGES if page != README for _, text in examples(page)}
"""What the README repeats of them is not run twice."""

TO_RUN = {
    page: [
        (kind, text)
        for kind, text in examples(page)
        if is_run(text) and not (page == README and text.removeprefix(".venv/bin/") in IN_THE_DOCS)
    ]
    for page in PAGES
}


@dataclass
class Reader:
    """Someone who types what a page says, in a folder that looks like the checkout."""

    folder: Path
    port: int = 8000
    servers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)}

    def run(self, kind: str, text: str) -> str:
        text = text.removeprefix(".venv/bin/")
        if serve := re.match(r"((?:COLOCALIZE_\w+=\S+ )*)colocalize serve", text):
            self._serve(**dict(setting.split("=") for setting in serve[1].split()))
            return ""
        if text.startswith("curl") and not self.servers:
            self._serve()  # the README says to start it in its prose
        text = text.replace(":8000", f":{self.port}")
        if kind.startswith("status"):
            status = self._call(["bash", "-c", f"{text} --silent --output answer.json --write-out '%{{http_code}}'"])
            assert status == kind.removeprefix("status ")
            return (self.folder / "answer.json").read_text()
        if text.startswith("curl"):
            text += " --silent --show-error --fail-with-body"
        return self._call([sys.executable, "-c", text] if kind == "python" else ["bash", "-ec", text])

    def _call(self, command: list[str]) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, f"{command} exited {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _serve(self, **settings: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = ["colocalize", "serve", "--port", str(self.port)]
        environment = {**self.environment, **settings}
        self.servers.append(subprocess.Popen(command, cwd=self.folder, env=environment, stderr=subprocess.DEVNULL))
        until = time.monotonic() + 120
        while time.monotonic() < until:
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.2)
        pytest.fail("the service did not start")


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    images = sorted((ROOT / "examples" / "images").glob("*.jpg"))
    (tmp_path / "my-images").mkdir()
    for image in images[:6]:
        shutil.copy(image, tmp_path / "my-images")
    for image, plain in zip(images, ("a.jpg", "b.jpg", "c.jpg"), strict=False):
        shutil.copy(image, tmp_path / plain)
    reader = Reader(tmp_path)
    yield reader
    for server in reader.servers:
        server.terminate()
    for server in reader.servers:
        server.wait(timeout=30)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [page for page in PAGES if TO_RUN[page]], ids=name)
def test_a_page(page: Path, reader: Reader) -> None:
    for kind, text in TO_RUN[page]:
        output = reader.run(kind, text)
        if "colocalize evaluate" in text:
            assert "CorLoc" in output
        if text.startswith("curl") and kind == "shell" and output:
            answer = json.loads(output)
            for image in answer["images"]:
                said_absent = f'{{"image": "{image["name"]}"}}' in text  # a hint without corners
                assert (image["error"], bool(image["boxes"])) == (None, not said_absent)
    missing = [path for path in LEFT_BEHIND.get(name(page), []) if not (reader.folder / path).exists()]
    assert missing == []


def test_every_pattern_of_what_is_not_run_is_needed() -> None:
    every = {text for page in PAGES for _, text in examples(page)}
    assert [pattern for pattern in NOT_RUN if not any(re.fullmatch(pattern, text) for text in every)] == []


def test_what_the_commands_write_is_ignored_by_git() -> None:
    patterns = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    commands = "\n".join(text for page in PAGES for _, text in examples(page))
    for out in re.findall(r"--out (?!\w+://)(\S+)", commands):
        assert any(fnmatch(out.partition("/")[0], pattern) for pattern in patterns), out


def test_what_is_to_be_installed_comes_from_the_checkout_and_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for page in PAGES:
        for what in re.findall(r"pip install (?:-e )?'(.*?)'", page.read_text()):
            assert re.fullmatch(r"\.\[[a-z0-9,]+\]", what), f"{name(page)}: {what}"  # it is not on PyPI
            assert set(what[2:-1].split(",")) <= set(extras)


@pytest.mark.parametrize(
    ("page", "command", "extra"),
    [
        ("docs/how-to/detector.md", "python examples", "'.[cpu,export]'"),
        ("docs/how-to/client.md", "from colocalization.client", "'.[client]'"),
        ("README.md", "colocalize train", "'.[cpu,export]'"),
        ("README.md", "`colocalize serve`", "'.[cpu,serve]'"),
        ("docs/tutorial/service.md", "colocalize serve", "'.[cpu,serve]'"),
        ("docs/tutorial/training.md", "colocalize train", "'.[cpu,export]'"),
    ],
)
def test_what_a_command_needs_is_installed_above_it(page: str, command: str, extra: str) -> None:
    assert extra in (ROOT / page).read_text().partition(command)[0]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert "colocalize[train]" in extras["export"]


def test_the_readmes_python_example_survives_what_it_cannot_read_and_what_shows_nothing(reader: Reader) -> None:
    (reader.folder / "examples").unlink()
    images = reader.folder / "examples" / "images"
    shutil.copytree(ROOT / "examples" / "images", images)
    (images / "damaged.jpg").write_bytes(b"not an image")
    Image.new("RGB", (64, 64), "white").save(images / "white.jpg")
    (example,) = [text for kind, text in examples(README) if kind == "python"]
    lines = reader.run("python", example).splitlines()
    assert sum(line.endswith("True") for line in lines) >= 14
    assert len([line for line in lines if line.startswith("damaged.jpg")]) == 1
    assert not any(line.startswith("white.jpg") for line in lines)
