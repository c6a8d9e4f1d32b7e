"""The files of `deploy/ray/` agree with each other and with the command."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from scoring.command import app

yaml = pytest.importorskip("yaml", reason="pyyaml is not installed")


FOLDER = Path(__file__).resolve().parents[3] / "deploy/ray"
JOB: dict[str, Any] = yaml.safe_load((FOLDER / "rayjob.yaml").read_text())
CLUSTER: dict[str, Any] = yaml.safe_load((FOLDER / "cluster.yaml").read_text())


def pods() -> list[dict[str, Any]]:
    spec = JOB["spec"]["rayClusterSpec"]
    return [one["template"]["spec"] for one in (spec["headGroupSpec"], *spec["workerGroupSpecs"])]


def test_one_version_of_ray_everywhere() -> None:
    base = re.search(r"^FROM rayproject/ray:([0-9.]+)-py311-cpu$", (FOLDER / "Dockerfile").read_text(), re.M)
    assert base is not None
    assert JOB["spec"]["rayClusterSpec"]["rayVersion"] == base[1]


def test_one_image_everywhere() -> None:
    images = {container["image"] for pod in pods() for container in pod["containers"]}
    assert images == {CLUSTER["docker"]["image"]} == {"colocalize-ray"}


def test_pods_get_what_they_ask_for() -> None:
    for pod in pods():
        for container in pod["containers"]:
            assert container["resources"]["requests"] == container["resources"]["limits"]


@pytest.mark.parametrize("name", ["rayjob.yaml", "cluster.yaml"])
def test_the_command_takes_the_options_that_are_given(name: str) -> None:
    command = re.search(r"colocalize score (.*?)'?$", (FOLDER / name).read_text(), re.M)
    assert command is not None
    given = shlex.split(command[1])
    context = typer.main.get_command(app).make_context("score", given)
    assert context.params["engine"] == "ray"
    assert context.params["inputs"] == ["s3://bucket/birds"]
    assert context.params["out"] == "s3://bucket/result"


def test_workers_are_no_more_than_cores() -> None:
    workers = JOB["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]
    cores = int(workers["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"])
    assert f"--ray-workers {workers['maxReplicas'] * cores}" in JOB["spec"]["entrypoint"]
    assert CLUSTER["max_workers"] == CLUSTER["available_node_types"]["cores"]["max_workers"]
