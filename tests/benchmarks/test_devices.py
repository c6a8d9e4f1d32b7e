"""CUDA is measured where it can be used; where it cannot, it is left out with a reason, or refused if asked for."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import colocalization
from benchmarks import cli, devices, pooling
from benchmarks.devices import choose_devices, default_engine
from colocalization.errors import ProviderError
from colocalization.localizer import DEFAULT_MODEL

MODEL = Path(colocalization.__file__).parent / "models" / DEFAULT_MODEL
WITH, WITHOUT = ["CUDAExecutionProvider", "CPUExecutionProvider"], ["AzureExecutionProvider", "CPUExecutionProvider"]


def offer(monkeypatch: pytest.MonkeyPatch, providers: list[str], problem: str | None = None) -> None:
    """Make ONNX Runtime offer these providers, of which CUDA loads unless there is a problem."""

    def load(_threads: int, device: str) -> None:
        assert device == "cuda"
        if problem is not None:
            raise ProviderError(problem)

    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: providers)
    monkeypatch.setattr(devices, "default_engine", load)
    monkeypatch.setattr(devices, "_gpu_name", lambda: "a GPU")


def test_both_where_cuda_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, WITH)
    assert choose_devices(None) == (("cpu", "cuda"), "a GPU")
    assert choose_devices("cuda") == (("cuda",), "a GPU")
    assert choose_devices("cpu") == (("cpu",), "left out: the CPU alone was asked for")


@pytest.mark.parametrize(
    ("providers", "problem", "why"),
    [
        (WITHOUT, None, "ONNX Runtime offers AzureExecutionProvider, CPUExecutionProvider here"),
        (WITH, "failed to load", "failed to load"),
    ],
)
def test_left_out_with_the_reason_or_refused(
    monkeypatch: pytest.MonkeyPatch, providers: list[str], problem: str | None, why: str
) -> None:
    offer(monkeypatch, providers, problem)
    assert choose_devices(None) == (("cpu",), f"left out: {why}")
    with pytest.raises(ProviderError, match=f"cannot measure on CUDA: {why}"):
        choose_devices("cuda")


def test_nothing_is_measured_on_the_cpu_under_the_name_of_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: WITHOUT)
    with pytest.raises(ProviderError, match="a GPU is required"):
        default_engine(1, "cuda")
    with pytest.raises(ProviderError, match="a GPU is required"):
        pooling._call(MODEL, np.zeros((1, 3, 448, 448), np.float32), 1, 1, "cuda")


@pytest.mark.parametrize("command", ["pooling", "precision"])
def test_the_command_refuses_cuda_before_it_measures(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    offer(monkeypatch, WITHOUT)
    monkeypatch.setattr(cli, "RECORDS", tmp_path)
    result = CliRunner().invoke(cli.app, [command, "--device", "cuda"], env={"COLUMNS": "300", "TERM": "dumb"})
    assert result.exit_code == 2
    assert "cannot measure on CUDA: ONNX Runtime offers" in result.output
    assert list(tmp_path.iterdir()) == []
