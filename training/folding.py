"""Frozen stages with their batch normalisation folded into the convolutions: the same numbers in less time.

A frozen stage normalises by fixed statistics, so that normalisation is a scale and a shift for each channel, which the
convolution before it can do on the way. The folded stages are a copy: checkpoints keep the network as it is.
"""

import copy
from collections.abc import Sequence

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["fold_stages"]

_TOLERANCE = 1e-3
"""Largest difference that folding may make, relative to the largest magnitude; float32 leaves about 1e-5."""


@torch.no_grad()
def fold_stages(stages: Sequence[nn.Module], side: int = 64) -> nn.Sequential:
    """Copy the first stages of a network for inference.

    Which normalisation follows which convolution is read off the order in which modules are registered. That is also
    the order of their calls in most networks; where it is not, the copy gives other numbers on a probe, and the stages
    are copied as they are.

    Args:
        stages: Stages from the input on, run one after the other; (N, 3, S, S) float goes into the first.
        side: Side S of the probe, in pixels, of a size that the stages take.

    Returns:
        The copy, in evaluation mode and without gradients.
    """
    plain = copy.deepcopy(nn.Sequential(*stages)).eval().requires_grad_(False)
    folded = copy.deepcopy(plain)
    _fold(folded)
    device = next((parameter.device for parameter in plain.parameters()), torch.device("cpu"))
    generator = torch.Generator().manual_seed(0)
    probe = torch.randn(2, 3, side, side, generator=generator).to(device)
    return folded if _agree(folded(probe), plain(probe)) else plain


def _agree(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().max() <= _TOLERANCE * expected.abs().max())


def _fold(module: nn.Module) -> None:
    previous: tuple[str, nn.Module] | None = None
    for name, child in list(module.named_children()):
        is_norm = type(child) in (nn.BatchNorm2d, BatchNormAct2d)
        if is_norm and previous is not None and isinstance(previous[1], nn.Conv2d):
            setattr(module, previous[0], fuse_conv_bn_eval(previous[1], child))  # type: ignore[arg-type]
            setattr(module, name, _what_is_left(child))
        else:
            _fold(child)
        previous = name, child


def _what_is_left(norm: nn.Module) -> nn.Module:
    """`BatchNormAct2d` of timm also applies an activation; dropout does nothing here."""
    activation = getattr(norm, "act", None)
    return activation if isinstance(activation, nn.Module) else nn.Identity()
