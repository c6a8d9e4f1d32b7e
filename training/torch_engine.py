"""A network in torch in the place of a model file, so that it is tried exactly as it will be served."""

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from colocalization.engine import NetworkOutput
from colocalization.metadata import ModelMetadata
from training.description import describe_network
from training.foreground_prior import ForegroundPrior
from training.network import ColocalizationNet

__all__ = ["TorchEngine"]


class TorchEngine:
    """Runs a network and its prior; an engine of `colocalization`.

    Attributes:
        metadata: What the model would say about itself.
        sha256: Empty: there is no file.
        provider: `torch`.
        provider_warning: None.
        channels: Number of channels of each of the taps that a prior reads.
    """

    sha256 = ""
    provider = "torch"
    provider_warning: str | None = None

    def __init__(
        self,
        network: ColocalizationNet,
        input_size: int,
        device: torch.device | None = None,
        prior: ForegroundPrior | None = None,
    ) -> None:
        """Take a network.

        Args:
            network: The network; it is in evaluation mode afterwards.
            input_size: Side of the square input, in pixels; a multiple of the backbone's stride.
            device: Where the network is; the CPU if left out.
            prior: Its foreground prior.
        """
        self._network = network.eval()
        self._device = device or torch.device("cpu")
        self._prior = prior
        self._lock = threading.Lock()
        about = describe_network(network, input_size, name=network.backbone.name)
        learnt_on = "" if prior is None else prior.learnt_on
        self.metadata: ModelMetadata = replace(about, foreground=prior is not None, foreground_data=learnt_on)
        self._transform = about.transform()
        side = 4 * network.backbone.stride
        self.channels = tuple(len(tap) for tap in self._look(np.zeros((1, 3, side, side), np.float32))[2][0])

    def with_prior(self, prior: ForegroundPrior) -> "TorchEngine":
        """The same network with another prior."""
        return TorchEngine(self._network, self.metadata.input_size, self._device, prior)

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """Run the network, see `colocalization.engine.Engine`."""
        attention, features, taps = self._look(images)
        prior = self._prior
        foreground = None if prior is None else np.stack([prior.map(of_image) for of_image in taps])
        return NetworkOutput(attention, features, foreground)

    def tapped(self, rgb: NDArray[np.uint8]) -> Sequence[NDArray[np.float32]]:
        """The taps of one (H, W, 3) uint8 image, each (C, h, w) float32."""
        return self._look(self._transform(rgb)[None])[2][0]

    @torch.no_grad()
    def _look(
        self, images: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], list[list[NDArray[np.float32]]]]:
        """Attention (N, h, w), features (N, C, h, w), and for each image its taps, each (C, h, w)."""
        with self._lock:
            given = torch.from_numpy(images).to(self._device).contiguous(memory_format=torch.channels_last)
            attention, taps = self._network.attend_by_taps(given)
            arrays = [tap.float().cpu().numpy() for tap in taps]
        each = [[array[index] for array in arrays] for index in range(len(images))]
        return attention.float().cpu().numpy(), arrays[-1], each
