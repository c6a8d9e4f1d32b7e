"""Running the exported network: ONNX Runtime sessions, execution providers and the check of a model file."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from colocalization.errors import ModelError, ProviderError
from colocalization.metadata import ModelMetadata

__all__ = ["Device", "Engine", "NetworkOutput", "OnnxEngine", "can_use_cuda", "open_session"]

Device = Literal["auto", "cpu", "cuda"]
"""`auto` takes CUDA where ONNX Runtime offers it and says loudly when it then does not load."""

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NetworkOutput:
    """What the network gives for N images.

    Attributes:
        attention: (N, h, w) float32, the attention map (PTAP), not normalised.
        features: (N, C, h, w) float32, the feature map that was pooled.
        foreground: (N, h, w) float32 [0, 1], the foreground by the model's prior, cut at 0.5; None where it has none.
    """

    attention: NDArray[np.float32]
    features: NDArray[np.float32]
    foreground: NDArray[np.float32] | None = None


class Engine(Protocol):
    """Anything that runs the network; tests put a dummy in its place."""

    @property
    def metadata(self) -> ModelMetadata:
        """What the model says about itself."""

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the model file."""

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider in use."""

    @property
    def provider_warning(self) -> str | None:
        """Why the provider is not the one hoped for, or None."""

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """Run the network.

        Args:
            images: (N, 3, S, S) float32, normalised by the model's transform.
        """


class OnnxEngine:
    """An ONNX Runtime session over a model written by `colocalize export`."""

    def __init__(self, path: Path, *, device: Device = "auto", require_gpu: bool = False, threads: int = 0) -> None:
        """Load and check a model file.

        Args:
            path: The ONNX file.
            device: Where to run.
            require_gpu: Refuse to fall back to the CPU.
            threads: Threads of one operator; 0 lets ONNX Runtime take one for each core.

        Raises:
            ModelError: The file is missing, damaged, or not one that Colocalize exported.
            ProviderError: CUDA was required and cannot be used, or ONNX Runtime is not installed.
        """
        if device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device must be one of auto, cpu, cuda, got {device!r}")
        if threads < 0:
            raise ValueError(f"threads must be 0 (all cores) or more, got {threads}")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read the model {str(path)!r}: {error.strerror}") from error
        self.path = path
        self._sha256 = hashlib.sha256(content).hexdigest()
        self._session, self._warning = open_session(
            content, str(path), device=device, require_gpu=require_gpu, threads=threads
        )
        self._metadata = ModelMetadata.from_properties(self._session.get_modelmeta().custom_metadata_map)
        _check_signature(self._session, self._metadata)

    @property
    def metadata(self) -> ModelMetadata:
        """What the model says about itself."""
        return self._metadata

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the model file."""
        return self._sha256

    @property
    def provider(self) -> str:
        """ONNX Runtime's name of the execution provider in use."""
        return str(self._session.get_providers()[0])

    @property
    def provider_warning(self) -> str | None:
        """Why the provider is not the one hoped for, or None."""
        return self._warning

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """Run the network.

        Args:
            images: (N, 3, S, S) float32, normalised by the model's transform.

        Returns:
            What it gives for the N images.
        """
        channels, cells = self._metadata.channels, self._metadata.map_size
        attention = np.empty((len(images), cells, cells), dtype=np.float32)
        features = np.empty((len(images), channels, cells, cells), dtype=np.float32)
        # Into memory of our own: what ONNX Runtime allocates itself lies in its arena, which never shrinks, and would
        # grow with all the features that are ever held at one time.
        binding = self._session.io_binding()
        binding.bind_cpu_input("image", np.ascontiguousarray(images))
        foreground = np.empty_like(attention) if self._metadata.foreground else None
        outputs = {"attention": attention, "features": features, "foreground": foreground}
        for name, values in outputs.items():
            if values is None:
                continue
            binding.bind_output(name, "cpu", 0, np.float32, values.shape, values.ctypes.data)
        self._session.run_with_iobinding(binding)
        binding.synchronize_outputs()
        return NetworkOutput(attention, features, foreground)


def can_use_cuda() -> bool:
    """Whether ONNX Runtime is installed and offers CUDA; it may still fail to load.

    Raises:
        ProviderError: ONNX Runtime is not installed.
    """
    return _CUDA in _import_runtime().get_available_providers()


def open_session(
    content: bytes, name: str, *, device: Device = "auto", require_gpu: bool = False, threads: int = 0
) -> tuple[Any, str | None]:
    """Open an ONNX Runtime session.

    Args:
        content: Content of the ONNX file.
        name: What it is called, for messages.
        device: Where to run.
        require_gpu: Refuse to fall back to the CPU.
        threads: Threads of one operator; 0 lets ONNX Runtime take one for each core.

    Returns:
        The session, and why its provider is not the one hoped for, or None.

    Raises:
        ModelError: The content cannot be loaded.
        ProviderError: CUDA was required and cannot be used, or ONNX Runtime is not installed.
    """
    runtime = _import_runtime()
    providers, problem = _choose_providers(runtime, device, require_gpu)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    # Idle operator threads must sleep, not spin: decoding and other sessions share the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = runtime.InferenceSession(content, options, providers=providers)
    except Exception as error:  # ONNX Runtime raises its own, undocumented classes
        raise ModelError(f"ONNX Runtime cannot load {name!r}: {error}") from error
    used = str(session.get_providers()[0])
    if used != providers[0]:  # ONNX Runtime itself only logs it and takes the next one
        problem = f"{providers[0]} failed to load"
        if require_gpu:
            raise ProviderError(f"a GPU is required, but {problem}")
    warning = None if problem is None else f"{problem}; running on {used}"
    if warning is not None:
        _logger.warning("%s", warning)
    return session, warning


def _choose_providers(runtime: Any, device: Device, require_gpu: bool) -> tuple[Sequence[str], str | None]:
    """The providers to try in order, and why the one asked for is not among them."""
    if device == "cpu":
        if require_gpu:
            raise ProviderError("a GPU is required, but the device asked for is cpu")
        return [_CPU], None
    available = runtime.get_available_providers()
    if _CUDA in available:
        return [_CUDA, _CPU], None
    problem = (
        f"{_CUDA} is not in this build of ONNX Runtime, which offers {', '.join(available)}; "
        "install 'colocalize[gpu]' in place of 'colocalize[cpu]'"
    )
    if require_gpu:
        raise ProviderError(f"a GPU is required, but {problem}")
    return [_CPU], problem if device == "cuda" else None


def _import_runtime() -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise ProviderError("ONNX Runtime is not installed; install 'colocalize[cpu]' or 'colocalize[gpu]'") from error
    return onnxruntime


def _check_signature(session: Any, metadata: ModelMetadata) -> None:
    side, cells, channels = metadata.input_size, metadata.map_size, metadata.channels
    expected = {
        "image": [3, side, side],
        "attention": [cells, cells],
        "features": [channels, cells, cells],
    }
    if metadata.foreground:
        expected["foreground"] = [cells, cells]
    nodes = (*session.get_inputs(), *session.get_outputs())
    found = {node.name: list(node.shape[1:]) for node in nodes}
    if found != expected:
        raise ModelError(f"the model's inputs and outputs are {found}, expected {expected} after the batch dimension")
    for node in nodes:
        if node.type != "tensor(float)" or isinstance(node.shape[0], int):
            raise ModelError(
                f"the model's {node.name!r} is a {node.type} of shape {node.shape}; "
                "expected a tensor(float) with a free batch dimension"
            )
