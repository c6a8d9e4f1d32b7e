"""Every command of the README, run as it stands there."""

import os
import re
import socket
import subprocess
import sys
import time
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(bash|python)\n(.*?)```", README, flags=re.DOTALL)

RUN_ELSEWHERE = {
    "make demo": "by .ci/run, in an environment of its own",
    "make test": "it is what runs this",
    "python -m venv .venv": "the same steps as `make demo`",
    ".venv/bin/pip install '.[cpu]'": "the same steps as `make demo`",
}
"""Commands that this test cannot run, and what runs them."""


def commands() -> list[str]:
    found = []
    for language, block in BLOCKS:
        if language == "bash":
            joined = block.replace("\\\n", " ")
            found += [" ".join(line.split("    #")[0].split()) for line in joined.splitlines() if line.strip()]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder that looks like the checkout, with a few images of the reader's own."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / "examples").symlink_to(ROOT / "examples")
    images = folder / "my-images"
    images.mkdir()
    for image in sorted((ROOT / "examples" / "images").glob("*.jpg"))[:6]:
        (images / image.name).write_bytes(image.read_bytes())
    return folder


def environment() -> dict[str, str]:
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, f"{command} exited {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def starting_with(*starts: str) -> list[str]:
    return [one for one in commands() if one.startswith(starts)]


def test_no_command_is_left_out() -> None:
    covered = starting_with("colocalize", ".venv/bin/colocalize", "curl")
    assert sorted({*covered, *RUN_ELSEWHERE}) == sorted(set(commands()))


def test_what_the_commands_write_is_ignored_by_git() -> None:
    patterns = [line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines()]
    for out in re.findall(r"--out (\S+)", "\n".join(commands())):
        assert any(fnmatch(out.partition("/")[0], pattern) for pattern in patterns), out


def test_what_is_to_be_installed_comes_from_the_checkout_and_has_what_the_commands_need() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for what in re.findall(r"pip install (?:-e )?'(.*?)'", page.read_text()):
            assert re.fullmatch(r"\.\[[a-z,]+\]", what), f"{page.name}: {what}"  # it is not on PyPI
            assert set(what[2:-1].split(",")) <= set(extras)
    above_training = README.partition("colocalize train")[0].rpartition("**With a network")[2]
    assert "'.[cpu,export]'" in above_training
    assert "colocalize[train]" in extras["export"]


@pytest.mark.slow
def test_scoring_and_evaluating(folder: Path) -> None:
    for command in starting_with(".venv/bin/colocalize", "colocalize score examples", "colocalize evaluate"):
        output = run(command.removeprefix(".venv/bin/").split(), folder)
    assert "CorLoc" in output
    assert (folder / "results" / "coco.json").is_file()
    assert len(list((folder / "results" / "overlays").iterdir())) == 15
    assert (folder / "results" / "contact-sheet.jpg").is_file()


@pytest.mark.slow
def test_training_exporting_and_scoring_with_the_result(folder: Path) -> None:
    for command in starting_with("colocalize train", "colocalize export", "colocalize score my-images"):
        run(command.split(), folder)
    assert len((folder / "results" / "predictions.jsonl").read_text().splitlines()) == 6


def test_the_python_example(folder: Path) -> None:
    (example,) = [block for language, block in BLOCKS if language == "python"]
    lines = run([sys.executable, "-c", example], folder).splitlines()
    assert len(lines) == 15
    assert sum(line.endswith("True") for line in lines) >= 14


def test_the_http_example(folder: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (command,) = starting_with("curl")
    command = command.replace(":8000", f":{port}")
    server = subprocess.Popen(
        ["colocalize", "serve", "--port", str(port)], cwd=folder, env=environment(), stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.2)
        output = run(["bash", "-c", f"{command} --silent --show-error --fail-with-body"], folder)
    finally:
        server.terminate()
        server.wait(timeout=30)
    assert output.count('"contains_common_object":true') == 3
