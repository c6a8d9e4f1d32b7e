"""Attention pooling: from a feature map to an attention map (Ki et al. 2021, supplement).

PTAP, the paper's pixel-wise top-k attention pooling, averages the k largest channels at each pixel of the gated feature
map. The channel-wise form (Table 2), "max" (k = 1) and "avg" (k = C) are its relatives. The paper gives no equation for
the gate; the efficient channel attention form (Wang et al., ECA-Net, CVPR 2020) is our reconstruction.
"""

from typing import get_args

import torch
from torch import Tensor, nn

from colocalization.metadata import Pooling

__all__ = ["AttentionPooling", "ChannelGate", "channelwise_topk_mean", "pixelwise_topk_mean", "top_count"]


def top_count(share: float, channels: int) -> int:
    """Number of channels that a share of them is: `floor(share * channels)`, at least 1.

    Args:
        share: k as a share of the channels, in (0, 1].
        channels: Number of channels C.

    Raises:
        ValueError: The share is outside (0, 1].

    Example:
        >>> top_count(0.7, 2048)  # the paper's k
        1433
    """
    if not 0 < share <= 1:
        raise ValueError(f"k must be a share of the channels in (0, 1], got {share}")
    # The small constant keeps 0.29 * 100 = 28.999999999999996 at 29.
    return max(1, int(share * channels + 1e-9))


def pixelwise_topk_mean(features: Tensor, k: int) -> Tensor:
    """Mean of the k largest channels at each pixel, exact.

    Where every value is at least 0 and no pixel has more than k positive channels, which is the usual case after a
    ReLU, the k largest sum to what all of them sum to, and no selection is needed.

    Args:
        features: (N, C, H, W) float.
        k: Number of channels averaged, in [1, C].

    Returns:
        (N, H, W), type of the features.

    Raises:
        ValueError: k is outside [1, C].

    Example:
        >>> pixelwise_topk_mean(torch.tensor([4.0, 1.0, 2.0]).reshape(1, 3, 1, 1), 2).item()
        3.0
    """
    channels = features.shape[1]
    if not 1 <= k <= channels:
        raise ValueError(f"k must be in [1, {channels}], the number of channels, got {k}")
    if k == channels:
        return features.mean(dim=1)
    if k == 1:
        return features.amax(dim=1)
    if not _is_traced() and _sum_is_topk_sum(features, k):
        # In float32 at least: in 16 bits the sum of a thousand channels overflows where their mean does not.
        wide = torch.promote_types(features.dtype, torch.float32)
        return (features.sum(dim=1, dtype=wide) / k).to(features.dtype)
    return features.topk(k, dim=1, sorted=False).values.mean(dim=1)


def _is_traced() -> bool:
    """Whether a graph is being recorded, into which no decision on values can go."""
    return torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None


@torch.no_grad()
def _sum_is_topk_sum(features: Tensor, k: int) -> bool:
    if features.numel() == 0 or bool(features.min() < 0):
        return False
    return bool((features > 0).sum(dim=1).max() <= k)


def channelwise_topk_mean(features: Tensor, k: int) -> Tensor:
    """Mean over the k channels whose spatial mean, the paper's priority vector, is largest (Table 2).

    Args:
        features: (N, C, H, W) float.
        k: Number of channels averaged, in [1, C].

    Returns:
        (N, H, W), type of the features.

    Raises:
        ValueError: k is outside [1, C].
    """
    channels = features.shape[1]
    if not 1 <= k <= channels:
        raise ValueError(f"k must be in [1, {channels}], the number of channels, got {k}")
    priority = features.mean(dim=(2, 3))
    chosen = priority.topk(k, dim=1, sorted=False).indices
    weights = torch.zeros_like(priority).scatter(1, chosen, 1.0 / k)
    return torch.einsum("nc,nchw->nhw", weights, features)


class ChannelGate(nn.Module):
    """Weight of each channel, `g = sigmoid(conv1d_3(GAP(F)))`, one weight in (0, 1) a channel and image.

    Reconstruction, in the form of ECA-Net. The convolution starts at zero, so that an untrained gate is 0.5 everywhere
    and leaves the attention map as it is up to scale.
    """

    def __init__(self, kernel_size: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)
        nn.init.zeros_(self.conv.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Compute the gate.

        Args:
            features: (N, C, H, W) float.

        Returns:
            (N, C, 1, 1) in (0, 1).
        """
        pooled = features.mean(dim=(2, 3)).unsqueeze(1)
        gate: Tensor = torch.sigmoid(self.conv(pooled))
        return gate.transpose(1, 2).unsqueeze(3)


class AttentionPooling(nn.Module):
    """Gate and pooling: feature map F to weighted feature map F_w = g * F and attention map A.

    Attributes:
        kind: `ptap` (pixel-wise top-k), `channel` (channel-wise top-k), `max` or `avg`.
        share: k as a share of the channels, in (0, 1]; the paper's is 0.7. `max` and `avg` do not use it.
        gate: The channel gate, or None where it is switched off (g = 1).
    """

    def __init__(self, kind: Pooling = "ptap", share: float = 0.7, *, gate: bool = True) -> None:
        super().__init__()
        if kind not in get_args(Pooling):
            raise ValueError(f"pooling must be one of {', '.join(map(repr, get_args(Pooling)))}, got {kind!r}")
        top_count(share, 1)  # checks the range
        self.kind: Pooling = kind
        self.share = share
        self.gate = ChannelGate() if gate else None

    def extra_repr(self) -> str:
        """What `print` shows of the module."""
        return f"kind={self.kind!r}, share={self.share}"

    def weigh(self, features: Tensor) -> Tensor:
        """Weighted feature map F_w, (N, C, H, W)."""
        return features if self.gate is None else features * self.gate(features)

    def pool(self, weighted: Tensor) -> Tensor:
        """Attention map of a weighted feature map, (N, C, H, W) to (N, H, W)."""
        if self.kind == "avg":
            return weighted.mean(dim=1)
        if self.kind == "max":
            return weighted.amax(dim=1)
        k = top_count(self.share, weighted.shape[1])
        return pixelwise_topk_mean(weighted, k) if self.kind == "ptap" else channelwise_topk_mean(weighted, k)

    def forward(self, features: Tensor) -> Tensor:
        """Attention map, not normalised.

        Args:
            features: (N, C, H, W) float, the feature map F.

        Returns:
            (N, H, W), type of the features.
        """
        return self.pool(self.weigh(features))
