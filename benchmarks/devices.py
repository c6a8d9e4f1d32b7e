"""Where to measure: on the CPU, and on a GPU where there is one."""

import subprocess
from importlib.resources import as_file, files
from typing import Literal

import onnxruntime

from colocalization.engine import OnnxEngine
from colocalization.errors import ModelError, ProviderError
from colocalization.localizer import DEFAULT_MODEL

__all__ = ["MeasuredDevice", "choose_devices", "default_engine"]

MeasuredDevice = Literal["cpu", "cuda"]

_CUDA = "CUDAExecutionProvider"


def choose_devices(asked: MeasuredDevice | None) -> tuple[tuple[MeasuredDevice, ...], str]:
    """The devices to measure on.

    Args:
        asked: The one asked for; None: the CPU, and CUDA where ONNX Runtime offers it and it loads.

    Returns:
        The devices, and what a record says of CUDA: the GPU's name, or that it was left out and why.

    Raises:
        ProviderError: CUDA was asked for and cannot be used.
    """
    if asked == "cpu":
        return ("cpu",), "left out: the CPU alone was asked for"
    problem = _why_no_cuda()
    if problem is None:
        return ("cuda",) if asked == "cuda" else ("cpu", "cuda"), _gpu_name()
    if asked == "cuda":
        raise ProviderError(f"cannot measure on CUDA: {problem}; it needs a GPU and 'colocalize[gpu]'")
    return ("cpu",), f"left out: {problem}"


def default_engine(threads: int, device: MeasuredDevice = "cpu") -> OnnxEngine:
    """The model in the box on this device and no other.

    Raises:
        ProviderError: It is CUDA, which does not load.
    """
    with as_file(files("colocalization") / "models" / DEFAULT_MODEL) as path:
        return OnnxEngine(path, device=device, require_gpu=device == "cuda", threads=threads)


def _why_no_cuda() -> str | None:
    offered = onnxruntime.get_available_providers()
    if _CUDA not in offered:
        return f"ONNX Runtime offers {', '.join(offered)} here"
    try:
        default_engine(1, "cuda")  # what is offered may still fail to load, for want of a driver or a library
    except (ModelError, ProviderError) as error:
        return str(error)
    return None


def _gpu_name() -> str:
    try:
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return "a GPU that nvidia-smi does not name"
    return done.stdout.strip().splitlines()[0]
