"""The shipped network at any input size, and the head that it leaves out.

All methods get their features here: at the model's own size from `Localizer`, at others from the same file with its
input resized. An image goes through the network once a size.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from colocalization.metadata import ModelMetadata
from colocalization.transform import InputTransform
from training.backbones import create_backbone
from training.errors import TrainingError

__all__ = ["Head", "ResizedNetwork"]


class ResizedNetwork:
    """An exported network, up to its output `features`, at another input size."""

    def __init__(self, model: Path, metadata: ModelMetadata, size: int, *, threads: int = 1) -> None:
        """Cut the graph off at `features` and free it of its input size.

        Args:
            model: The ONNX file.
            metadata: What it says about itself.
            size: Side of the input in pixels, a multiple of 32, as the padding of the file's convolutions holds for.
            threads: Threads of one operator.

        Raises:
            TrainingError: The size does not fit, or `onnx` is not installed.
        """
        stride = metadata.input_size // metadata.map_size
        if size < 2 * stride or size % (2 * stride):
            raise TrainingError(f"the input size must be a positive multiple of {2 * stride}, got {size}")
        try:
            import onnx
        except ImportError as error:
            raise TrainingError("onnx is not installed; install 'colocalize[export]'") from error
        import onnxruntime

        whole = onnx.load(str(model))
        del whole.graph.value_info[:]
        cut = onnx.utils.Extractor(whole).extract_model(["image"], ["features"])
        del cut.graph.value_info[:]
        for node, sides in (
            (cut.graph.input[0], (size, size)),
            (cut.graph.output[0], (size // stride, size // stride)),
        ):
            for dimension, side in zip(node.type.tensor_type.shape.dim[2:], sides, strict=True):
                dimension.dim_value = side
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            cut.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._transform = InputTransform(size, metadata.mean, metadata.std, metadata.resize)

    def __call__(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Features of one image.

        Args:
            rgb: (H, W, 3) uint8.

        Returns:
            (C, size / stride, size / stride) float32.
        """
        (features,) = self._session.run(["features"], {"image": self._transform(rgb)[None]})
        return np.asarray(features[0], dtype=np.float32)


class Head:
    """From the last block's linear features to the mean over the head's channels after its ReLU."""

    def __init__(self, metadata: ModelMetadata) -> None:
        """Load the head of the backbone, with ImageNet weights.

        Raises:
            TrainingError: The backbone's weights cannot be had.
        """
        self._head: torch.nn.Module | None = None
        if metadata.feature_map == "block":
            self._head = create_backbone(metadata.backbone, "head").stages[-1].eval()

    @torch.no_grad()
    def mean(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Channel mean of the head's feature map.

        Args:
            features: (C, h, w) float32, the model's output.

        Returns:
            (h, w) float32, at least 0; the mean of the features themselves where they are the head's.
        """
        if self._head is None:
            return np.asarray(features.mean(axis=0), dtype=np.float32)
        activations: torch.Tensor = self._head(torch.tensor(features)[None])
        return np.asarray(activations[0].mean(dim=0).numpy(), dtype=np.float32)
