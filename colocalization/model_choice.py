"""Which model file is run: the one that was named, or one of the two in the box.

Both in the box are the same network, in 32-bit floats and in 8-bit integers. Their features differ a little, so that a
common object is of one of them alone.
"""

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from colocalization.engine import Device, OnnxEngine, can_use_cuda
from colocalization.errors import ModelError
from colocalization.processor import dot_products

__all__ = ["DEFAULT_MODEL", "IN_THE_BOX", "PrecisionChoice", "box_model", "load_engine", "precision_of"]

PrecisionChoice = Literal["auto", "fp32", "int8"]
"""`auto` takes int8 on a CPU that has 8-bit dot products, and fp32 elsewhere."""

DEFAULT_MODEL = "efficientnet_lite0_ptap.onnx"
"""The model in the box, in 32-bit floats."""

IN_THE_BOX: Mapping[Literal["fp32", "int8"], str] = MappingProxyType(
    {"fp32": DEFAULT_MODEL, "int8": "efficientnet_lite0_ptap_int8.onnx"}
)
"""Files of the model in the box, by their precision."""

_WORTH_IT = 1.5
"""Speed over fp32 from which on int8 is taken where the system does not say what the processor can do. With
dot products it is 2.3."""

_RUNS = 3

_logger = logging.getLogger(__name__)


@contextmanager
def box_model(precision: Literal["fp32", "int8"] = "fp32") -> Iterator[Path]:
    """The file of the model in the box, for as long as the block lasts."""
    with as_file(files("colocalization") / "models" / IN_THE_BOX[precision]) as path:
        yield path


@cache
def precision_of(sha256: str) -> Literal["fp32", "int8"] | None:
    """The precision of the model in the box whose file has this SHA-256, in hexadecimal; None of another file."""
    for precision in IN_THE_BOX:
        with box_model(precision) as path:
            if hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
                return precision
    return None


def load_engine(
    model: Path | None,
    precision: PrecisionChoice = "auto",
    *,
    fitted_with: str | None = None,
    device: Device = "auto",
    require_gpu: bool = False,
    threads: int = 0,
) -> OnnxEngine:
    """Load a model.

    Args:
        model: The file; None takes the model in the box.
        precision: Of the model in the box, which of its two files; of another one, what it has to be.
        fitted_with: SHA-256 of the model that a common object is of. With `auto`, the file in the box that has it is
            taken.
        device: See `OnnxEngine`.
        require_gpu: See `OnnxEngine`.
        threads: See `OnnxEngine`.

    Raises:
        ModelError: The file cannot be used, or is of another precision than was asked for.
        ProviderError: See `OnnxEngine`.
        ValueError: The precision is none of the words allowed.
    """
    if precision not in get_args(PrecisionChoice):
        raise ValueError(f"precision must be one of {', '.join(get_args(PrecisionChoice))}, got {precision!r}")
    if model is not None:
        engine = OnnxEngine(model, device=device, require_gpu=require_gpu, threads=threads)
        if precision not in ("auto", engine.metadata.precision):
            raise ModelError(
                f"the model {str(model)!r} is of precision {engine.metadata.precision}, and {precision} was asked for; "
                "leave out the precision, or the model to take the one in the box"
            )
        return engine
    if precision == "auto":
        of_object = None if fitted_with is None else precision_of(fitted_with)
        precision = of_object or _for_device(device)
    with box_model(precision) as path:
        return OnnxEngine(path, device=device, require_gpu=require_gpu, threads=threads)


def _for_device(device: Device) -> Literal["fp32", "int8"]:
    if device != "cpu" and can_use_cuda():
        return "fp32"  # CUDA has no kernels for most of what is quantised
    known = dot_products()
    return "int8" if (_measured() if known is None else known) else "fp32"


@cache
def _measured() -> bool:
    """Whether int8 is much faster here, by a few runs of both."""
    engines = []
    for precision in IN_THE_BOX:
        with box_model(precision) as path:
            engines.append(OnnxEngine(path, device="cpu", threads=1))
    image = np.zeros((1, 3, *[engines[0].metadata.input_size] * 2), dtype=np.float32)
    for engine in engines:
        engine.run(image)  # the first run is slower
    ratios = []
    for _ in range(_RUNS):
        times = []
        for engine in engines:
            began = time.perf_counter()
            engine.run(image)
            times.append(time.perf_counter() - began)
        ratios.append(times[0] / times[1])
    ratio = float(np.median(ratios))
    _logger.info("int8 has %.2f times the speed of fp32 here; int8 is taken from %.1f on", ratio, _WORTH_IT)
    return ratio >= _WORTH_IT
