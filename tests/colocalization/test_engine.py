"""Loading and running model files: numbers of a network known by heart, and every refusal."""

import hashlib
import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from colocalization import engine as engine_module
from colocalization.engine import OnnxEngine
from colocalization.errors import ModelError, ProviderError
from tests.colocalization.networks import TINY, write_network


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return write_network(tmp_path / "tiny.onnx")


def test_run(network: Path) -> None:
    engine = OnnxEngine(network, device="cpu", threads=1)
    images = np.arange(2 * 3 * 4 * 4, dtype=np.float32).reshape(2, 3, 4, 4)
    output = engine.run(images)
    # The mean of the channels v, v + 16 and v + 32.
    assert np.array_equal(output.attention, images[:, 0] + 16)
    assert np.array_equal(output.features, images)
    assert (output.attention.dtype, output.features.dtype) == (np.float32, np.float32)


def test_what_the_engine_says_of_itself(network: Path) -> None:
    engine = OnnxEngine(network, device="cpu")
    assert engine.metadata == TINY
    assert engine.sha256 == hashlib.sha256(network.read_bytes()).hexdigest()
    assert engine.path == network
    assert (engine.provider, engine.provider_warning) == ("CPUExecutionProvider", None)


class TestFiles:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"cannot read the model '.*none\.onnx': No such file"):
            OnnxEngine(tmp_path / "none.onnx")

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="Is a directory"):
            OnnxEngine(tmp_path)

    @pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x09" * 50])
    def test_not_onnx(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "a.onnx"
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"ONNX Runtime cannot load '.*a\.onnx'"):
            OnnxEngine(path, device="cpu")

    def test_truncated(self, network: Path) -> None:
        network.write_bytes(network.read_bytes()[:-40])
        with pytest.raises(ModelError):
            OnnxEngine(network, device="cpu")

    def test_without_metadata(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="has no 'colocalize' metadata"):
            OnnxEngine(write_network(tmp_path / "a.onnx", None), device="cpu")

    @pytest.mark.parametrize(
        "metadata", [replace(TINY, input_size=8), replace(TINY, map_size=2), replace(TINY, channels=4)]
    )
    def test_shapes_other_than_the_metadata_says(self, tmp_path: Path, metadata: object) -> None:
        path = write_network(tmp_path / "a.onnx", metadata)  # type: ignore[arg-type]
        with pytest.raises(ModelError, match=r"inputs and outputs are .*'image': \[3, 4, 4\].*, expected"):
            OnnxEngine(path, device="cpu")

    def test_other_names(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"'map': .* expected .*'attention'"):
            OnnxEngine(write_network(tmp_path / "a.onnx", output="map"), device="cpu")

    def test_fixed_batch(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"'image' is a tensor\(float\) of shape \[2, 3, 4, 4\]; expected .* free"):
            OnnxEngine(write_network(tmp_path / "a.onnx", batch=2), device="cpu")

    def test_other_type(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"'image' is a tensor\(double\)"):
            OnnxEngine(write_network(tmp_path / "a.onnx", kind=TensorProto.DOUBLE), device="cpu")


def test_unknown_device(network: Path) -> None:
    with pytest.raises(ValueError, match="device must be one of auto, cpu, cuda, got 'tpu'"):
        OnnxEngine(network, device="tpu")  # type: ignore[arg-type]


def test_negative_threads(network: Path) -> None:
    with pytest.raises(ValueError, match=r"threads must be 0 \(all cores\) or more, got -1"):
        OnnxEngine(network, threads=-1)


def runtime_that_offers(monkeypatch: pytest.MonkeyPatch, *providers: str, works: bool = False) -> None:
    """Put a runtime in place that offers providers; where they do not work it takes the CPU, as the real one does."""

    def session(content: bytes, options: object, providers: list[str]) -> Any:
        real = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        used = providers if works else ["CPUExecutionProvider"]
        return SimpleNamespace(
            get_providers=lambda: used,
            get_modelmeta=real.get_modelmeta,
            get_inputs=real.get_inputs,
            get_outputs=real.get_outputs,
        )

    runtime = SimpleNamespace(
        SessionOptions=onnxruntime.SessionOptions,
        InferenceSession=session,
        get_available_providers=lambda: list(providers),
    )
    monkeypatch.setattr(engine_module, "_import_runtime", lambda: runtime)


class TestProviders:
    CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"

    @pytest.mark.parametrize("device", ["auto", "cpu"])
    def test_cpu_is_silent_where_there_is_no_cuda(
        self,
        network: Path,
        device: Any,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        runtime_that_offers(monkeypatch, self.CPU)
        engine = OnnxEngine(network, device=device)
        assert (engine.provider, engine.provider_warning) == (self.CPU, None)
        assert not caplog.records

    @pytest.mark.parametrize("device", ["auto", "cuda"])
    @pytest.mark.parametrize("require_gpu", [True, False])
    def test_cuda_that_works(
        self, network: Path, device: Any, require_gpu: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime_that_offers(monkeypatch, self.CUDA, self.CPU, works=True)
        engine = OnnxEngine(network, device=device, require_gpu=require_gpu)
        assert (engine.provider, engine.provider_warning) == (self.CUDA, None)

    def test_cpu_where_cuda_is_offered_but_not_wanted(self, network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        runtime_that_offers(monkeypatch, self.CUDA, self.CPU, works=True)
        engine = OnnxEngine(network, device="cpu")
        assert (engine.provider, engine.provider_warning) == (self.CPU, None)

    @pytest.mark.parametrize("device", ["auto", "cuda"])
    def test_cuda_that_does_not_load_is_said_loudly(
        self,
        network: Path,
        device: Any,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        runtime_that_offers(monkeypatch, self.CUDA, self.CPU)
        with caplog.at_level(logging.WARNING):
            engine = OnnxEngine(network, device=device)
        expected = "CUDAExecutionProvider failed to load; running on CPUExecutionProvider"
        assert engine.provider_warning == expected
        assert caplog.messages == [expected]

    def test_cuda_asked_for_and_not_in_the_build(self, network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        runtime_that_offers(monkeypatch, "AzureExecutionProvider", self.CPU)
        warning = OnnxEngine(network, device="cuda").provider_warning
        assert warning is not None
        assert "offers AzureExecutionProvider, CPUExecutionProvider; install 'colocalize[gpu]'" in warning
        assert warning.endswith("; running on CPUExecutionProvider")

    @pytest.mark.parametrize(
        ("offered", "device", "reason"),
        [
            (("CPUExecutionProvider",), "auto", "not in this build"),
            (("CPUExecutionProvider",), "cuda", "not in this build"),
            (("CUDAExecutionProvider", "CPUExecutionProvider"), "auto", "failed to load"),
            (("CUDAExecutionProvider", "CPUExecutionProvider"), "cuda", "failed to load"),
            (("CUDAExecutionProvider", "CPUExecutionProvider"), "cpu", "the device asked for is cpu"),
        ],
    )
    def test_a_required_gpu_is_refused_and_nothing_is_said_to_run(
        self,
        network: Path,
        offered: tuple[str, ...],
        device: Any,
        reason: str,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        runtime_that_offers(monkeypatch, *offered)
        with pytest.raises(ProviderError, match=f"a GPU is required, but .*{reason}") as caught:
            OnnxEngine(network, device=device, require_gpu=True)
        assert "running on" not in str(caught.value)
        assert not caplog.records

    def test_the_runtime_installed_here_refuses_a_required_gpu(self, network: Path) -> None:
        if self.CUDA in onnxruntime.get_available_providers():
            pytest.skip("this build of ONNX Runtime offers CUDA")
        with pytest.raises(ProviderError, match="a GPU is required"):
            OnnxEngine(network, require_gpu=True)

    def test_missing_runtime_names_the_extras(self, network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
        with pytest.raises(ProviderError, match=r"install 'colocalize\[cpu\]' or 'colocalize\[gpu\]'"):
            OnnxEngine(network)


def test_outputs_are_memory_of_their_own(network: Path) -> None:
    # Views of ONNX Runtime's arena would keep it as large as all features that were ever held.
    engine = OnnxEngine(network, device="cpu")
    side = engine.metadata.input_size
    random = np.random.default_rng(0)
    first, second = (random.standard_normal((2, 3, side, side), dtype=np.float32) for _ in range(2))
    before = engine.run(first)
    kept = before.features.copy(), before.attention.copy()
    after = engine.run(second)
    assert before.features.flags.owndata
    assert before.attention.flags.owndata
    assert np.array_equal(before.features, kept[0])
    assert np.array_equal(before.attention, kept[1])
    assert not np.array_equal(after.features, kept[0])


def test_an_input_may_be_a_view(network: Path) -> None:
    engine = OnnxEngine(network, device="cpu")
    side = engine.metadata.input_size
    images = np.random.default_rng(0).standard_normal((2, 3, side, side), dtype=np.float32)
    mirrored = images[..., ::-1]
    assert np.array_equal(engine.run(mirrored).features, engine.run(mirrored.copy()).features)
