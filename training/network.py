"""The network of co-localization: backbone, attention pooling, and one classifier for each pretext task."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from torch import Tensor, nn

from training.backbones import Backbone
from training.pooling import AttentionPooling

__all__ = ["ColocalizationNet", "HeadInput", "NetworkOutput", "NormMode"]

HeadInput = Literal["weighted", "features"]
"""What the pretext heads see: the gated feature map F_w, so that the pretext tasks train the gate, or the plain F. The
paper does not say; `weighted` is our reading."""

NormMode = Literal["frozen", "train"]
"""Batch normalisation in training: with the statistics of the weights as loaded, or with those of the batch."""


class NetworkOutput(NamedTuple):
    """What the network gives for a batch.

    Attributes:
        logits: (N, classes) for each pretext task, by the task's name.
        attention: (N, h, w) float, the attention map A, not normalised.
        features: (N, C, h, w) float, the feature map F before the gate.
    """

    logits: dict[str, Tensor]
    attention: Tensor
    features: Tensor


class ColocalizationNet(nn.Module):
    """Backbone, PTAP and pretext heads.

    A head is a 1x1 convolution followed by global average pooling (PsyNet). The mean over the map is taken first, which
    gives the same logits, since both are linear.

    Attributes:
        backbone: Image to feature map F.
        pooling: F to attention map A.
        heads: The 1x1 convolution of each pretext task, by name.
        pool_at_train: Whether `pooling` makes the map in training; else it is the channel mean of F (baseline).
        pool_at_test: The same at test (Table 1 of the supplement).
        head_input: What the heads see; without `pool_at_train` always F.
        norm: How batch normalisation behaves in training.
        frozen_stages: How many of the backbone's stages, from the input on, do not learn.
    """

    def __init__(
        self,
        backbone: Backbone,
        pooling: AttentionPooling,
        tasks: Mapping[str, int],
        *,
        pool_at_train: bool = True,
        pool_at_test: bool = True,
        head_input: HeadInput = "weighted",
        norm: NormMode = "frozen",
        frozen_stages: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= frozen_stages <= len(backbone.stages):
            raise ValueError(
                f"frozen_stages must be in [0, {len(backbone.stages)}] for {backbone.name}, got {frozen_stages}"
            )
        self.backbone = backbone
        self.pooling = pooling
        self.heads = nn.ModuleDict({name: _head(backbone.channels, classes) for name, classes in tasks.items()})
        self.pool_at_train = pool_at_train
        self.pool_at_test = pool_at_test
        self.head_input: HeadInput = head_input
        self.norm: NormMode = norm
        self.frozen_stages = frozen_stages
        self.backbone.stages[:frozen_stages].requires_grad_(False)

    def train(self, mode: bool = True) -> "ColocalizationNet":
        """Switch to training or evaluation; frozen stages and frozen normalisation stay in evaluation."""
        super().train(mode)
        if mode:
            self.backbone.stages[: self.frozen_stages].eval()
            if self.norm == "frozen":
                for module in self.backbone.modules():
                    if isinstance(module, nn.modules.batchnorm._BatchNorm):
                        module.eval()
        return self

    @property
    def pools(self) -> bool:
        """Whether the attention map of the current mode comes from `pooling`, or else from the channel mean."""
        return self.pool_at_train if self.training else self.pool_at_test

    def attend(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Attention map and feature map, without the heads; what export needs.

        Args:
            images: (N, 3, S, S) float, normalised by the backbone's mean and std.

        Returns:
            Attention (N, h, w), not normalised, and features (N, C, h, w).
        """
        features = self.backbone(images)
        return (self.pooling(features) if self.pools else features.mean(dim=1)), features

    def forward(self, images: Tensor) -> NetworkOutput:
        """Logits, attention and features of a batch.

        Args:
            images: (N, 3, S, S) float, normalised by the backbone's mean and std.
        """
        features = self.backbone(images)
        weighted = self.pooling.weigh(features) if self.pools or self._heads_see_weighted else features
        attention = self.pooling.pool(weighted) if self.pools else features.mean(dim=1)
        seen = weighted if self._heads_see_weighted else features
        pooled = seen.mean(dim=(2, 3), keepdim=True)
        logits = {name: head(pooled).flatten(1) for name, head in self.heads.items()}
        return NetworkOutput(logits, attention, features)

    @property
    def _heads_see_weighted(self) -> bool:
        # The heads must see at test what they were trained on, whatever makes the map.
        return self.pool_at_train and self.head_input == "weighted"


def _head(channels: int, classes: int) -> nn.Conv2d:
    head = nn.Conv2d(channels, classes, kernel_size=1)
    nn.init.normal_(head.weight, std=0.01)
    if head.bias is not None:
        nn.init.zeros_(head.bias)
    return head
