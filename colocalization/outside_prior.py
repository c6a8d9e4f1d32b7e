"""A prior from outside: a saliency network's ONNX file, which sees what stands out in one image.

Networks of rembg's kind: one image in, one map out. They are trained with masks, so that what they help to find is not
found without labels; nothing of theirs is shipped.
"""

import hashlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from colocalization.engine import Device, open_session
from colocalization.errors import ModelError
from colocalization.maps import min_max

__all__ = ["OutsidePrior", "PriorKind"]

PriorKind = Literal["u2net", "isnet", "birefnet"]
"""How a network's input is made and its output read. `u2net`: U2-Net (Qin et al. 2020) and its smaller kin; `isnet`:
IS-Net (Qin et al. 2022); `birefnet`: BiRefNet (Zheng et al. 2024)."""

_MOST_SIDE = 320
"""Side of the maps that are kept: of a set 64 are held at once."""

_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How an input is made and an output read.

    Attributes:
        side: Side of the input in pixels, where the file leaves it free.
        mean: Mean of R, G, B, in units of [0, 1].
        std: Standard deviation of R, G, B.
        by_maximum: Whether pixels are divided by their maximum, or else by 255.
        logits: Whether the output is logits.
    """

    side: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    by_maximum: bool
    logits: bool


_RECIPES: dict[PriorKind, _Recipe] = {
    "u2net": _Recipe(320, *_IMAGENET, by_maximum=True, logits=False),
    "isnet": _Recipe(1024, (0.5, 0.5, 0.5), (1.0, 1.0, 1.0), by_maximum=True, logits=False),
    "birefnet": _Recipe(1024, *_IMAGENET, by_maximum=True, logits=True),
}

_KNOWN: dict[str, PriorKind] = {
    "u2net": "u2net", "silueta": "u2net", "isnet": "isnet", "birefnet": "birefnet"
}  # fmt: skip
"""How the names of files begin, as rembg calls them, in lower case."""


class OutsidePrior:
    """A saliency network.

    Attributes:
        name: Name of the file, without its ending.
        kind: How its input is made and its output read.
        sha256: Hexadecimal SHA-256 of the file.
    """

    def __init__(self, path: Path, kind: PriorKind | None = None, *, device: Device = "auto", threads: int = 0) -> None:
        """Load and check a file.

        Args:
            path: The ONNX file.
            kind: What kind of network it is; told by the file's name if left out.
            device: Where it runs.
            threads: Threads of one operator; 0 takes one for each core.

        Raises:
            ModelError: The file is missing or damaged, of no known kind, or not one image in and a map out.
        """
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ModelError(f"cannot read the prior {str(path)!r}: {error.strerror}") from error
        self.name = path.stem
        self.kind = kind or _kind_of(path)
        self.sha256 = hashlib.sha256(content).hexdigest()
        self._recipe = _RECIPES[self.kind]
        self._session, _ = open_session(content, str(path), device=device, threads=threads)
        self._input, self._side = self._signature(path)

    def map(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """What stands out in an image.

        Args:
            rgb: (H, W, 3) uint8.

        Returns:
            (S, S) float32 [0, 1], min-max normalised, over all of the image, at most 320 x 320; all NaN where the
            network's output is not finite.

        Raises:
            ModelError: The network's output is no map.
        """
        recipe, side = self._recipe, self._side
        small = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
        small /= max(float(small.max()), 1e-6) if recipe.by_maximum else 255.0
        pixels = (small - np.array(recipe.mean, np.float32)) / np.array(recipe.std, np.float32)
        (found, *_) = self._session.run(None, {self._input: np.ascontiguousarray(pixels.transpose(2, 0, 1)[None])})
        values = np.asarray(found, dtype=np.float32)
        if values.ndim < 2 or values.size != values.shape[-1] * values.shape[-2]:
            raise ModelError(
                f"the prior {self.name!r} gives {values.shape} for one image; expected one map (1, 1, h, w)"
            )
        values = values.reshape(values.shape[-2:])
        if recipe.logits:
            values = np.asarray(1 / (1 + np.exp(-np.clip(values, -50, 50))), dtype=np.float32)
        rows, columns = (min(side, _MOST_SIDE) for side in values.shape)
        values = np.asarray(cv2.resize(values, (columns, rows), interpolation=cv2.INTER_AREA), dtype=np.float32)
        # A map that is not finite must not pass for one without foreground.
        return min_max(values) if np.isfinite(values).all() else np.full_like(values, np.nan)

    def _signature(self, path: Path) -> tuple[str, int]:
        inputs: list[Any] = self._session.get_inputs()
        outputs: list[Any] = self._session.get_outputs()
        shapes = [list(node.shape) for node in inputs]
        if len(inputs) != 1 or len(shapes[0]) != 4 or shapes[0][1] != 3 or inputs[0].type != "tensor(float)":
            raise ModelError(
                f"the prior {str(path)!r} takes {shapes}; expected one image (1, 3, S, S) as tensor(float), as "
                "rembg's networks do"
            )
        given = list(outputs[0].shape)
        maps = given[:-2] if all(isinstance(side, int) for side in given[:-2]) else []
        if len(given) not in (3, 4) or outputs[0].type != "tensor(float)" or prod(maps[1:]) != 1:
            raise ModelError(
                f"the prior {str(path)!r} gives {given} first; expected one map (1, 1, h, w) as tensor(float)"
            )
        rows, columns = shapes[0][2:]
        if isinstance(rows, int) and isinstance(columns, int) and rows != columns:
            raise ModelError(f"the prior {str(path)!r} takes images of {columns} x {rows} pixels; expected square ones")
        return str(inputs[0].name), rows if isinstance(rows, int) and rows > 0 else self._recipe.side


def _kind_of(path: Path) -> PriorKind:
    name = path.stem.lower()
    for start, kind in _KNOWN.items():
        if name.startswith(start):
            return kind
    raise ModelError(
        f"what kind of network the prior {path.name!r} is cannot be told by its name, which begins with none of "
        f"{', '.join(_KNOWN)}; by `prior_kind` or --prior-kind say it: {', '.join(get_args(PriorKind))}"
    )
