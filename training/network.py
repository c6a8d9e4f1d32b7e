"""The network of co-localization: backbone, attention pooling, and one classifier for each pretext task."""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor, nn

from training.backbones import Backbone
from training.config import BatchNormalisation, PoolingConfig
from training.pooling import AttentionPooling

__all__ = ["ColocalizationNet", "TrainingOutput"]


class TrainingOutput(NamedTuple):
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
        config: Where PTAP makes the map (Table 1 of the supplement), else the channel mean of F (baseline), and
            what the heads see; without PTAP in training that is always F.
        norm: How batch normalisation behaves in training.
        frozen_stages: How many of the backbone's stages, from the input on, do not learn.
    """

    def __init__(
        self,
        backbone: Backbone,
        tasks: Mapping[str, int],
        config: PoolingConfig | None = None,
        *,
        norm: BatchNormalisation = "frozen",
        frozen_stages: int = 0,
    ) -> None:
        """Put the network together.

        Args:
            backbone: Image to feature map.
            tasks: Number of classes of each pretext task, by name.
            config: Settings of the pooling; the paper's if left out.
            norm: How batch normalisation behaves in training.
            frozen_stages: How many of the backbone's stages do not learn.

        Raises:
            ValueError: The backbone has fewer stages, or the pooling cannot be.
        """
        super().__init__()
        if not 0 <= frozen_stages <= len(backbone.stages):
            raise ValueError(
                f"frozen_stages must be in [0, {len(backbone.stages)}] for {backbone.name}, got {frozen_stages}"
            )
        self.backbone = backbone
        self.config = config or PoolingConfig()
        self.pooling = AttentionPooling(self.config.kind, self.config.k, gate=self.config.gate)
        self.heads = nn.ModuleDict({name: _head(backbone.channels, classes) for name, classes in tasks.items()})
        self.norm: BatchNormalisation = norm
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
        return self.config.at_train if self.training else self.config.at_test

    def attend(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Attention map and feature map, without the heads; what export needs.

        Args:
            images: (N, 3, S, S) float, normalised by the backbone's mean and std.

        Returns:
            Attention (N, h, w), not normalised, and features (N, C, h, w).
        """
        features = self.backbone(images)
        return self._attention(features), features

    def attend_by_taps(self, images: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """As `attend`, with all of the backbone's taps, of which the feature map is the last."""
        taps = self.backbone.taps(images)
        return self._attention(taps[-1]), taps

    def _attention(self, features: Tensor) -> Tensor:
        return self.pooling(features) if self.pools else features.mean(dim=1)

    def forward(self, images: Tensor) -> TrainingOutput:
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
        return TrainingOutput(logits, attention, features)

    @property
    def _heads_see_weighted(self) -> bool:
        # The heads must see at test what they were trained on, whatever makes the map.
        return self.config.at_train and self.config.head_input == "weighted"


def _head(channels: int, classes: int) -> nn.Conv2d:
    head = nn.Conv2d(channels, classes, kernel_size=1)
    nn.init.normal_(head.weight, std=0.01)
    if head.bias is not None:
        nn.init.zeros_(head.bias)
    return head
