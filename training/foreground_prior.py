"""The foreground prior of a network: a discriminant on what its stages see in a single image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from colocalization.descriptors import descriptors
from colocalization.discriminant import Discriminant
from training.errors import CheckpointError

__all__ = ["ForegroundPrior", "tap_rows"]


def tap_rows(taps: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Descriptors of an image's cells: those of its taps, each of unit length, side by side.

    Args:
        taps: Each (C, h, w) float32, of one grid.

    Returns:
        (h * w, sum of C) float32.
    """
    return np.concatenate([descriptors(tap) for tap in taps], axis=1)


@dataclass(frozen=True, slots=True)
class ForegroundPrior:
    """What tells things from their surroundings in one look at one image.

    Attributes:
        discriminant: On the rows of `tap_rows`.
        learnt_on: What it was learnt on, for people.
    """

    discriminant: Discriminant
    learnt_on: str

    def map(self, taps: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """The foreground of one image.

        Args:
            taps: What the stages see, each (C, h, w) float32.

        Returns:
            (h, w) float32 [0, 1], cut at 0.5.
        """
        one = self.discriminant
        scores = (tap_rows(taps) @ one.direction - one.background) / (one.foreground - one.background)
        bounded = np.clip((scores + 0.5) / 2, 0, 1)
        return np.asarray(bounded.reshape(taps[-1].shape[1:]), dtype=np.float32)

    def to_state(self) -> dict[str, Any]:
        """As part of a checkpoint."""
        one = self.discriminant
        return {
            "direction": torch.from_numpy(one.direction),
            "background": one.background,
            "foreground": one.foreground,
            "learnt_on": self.learnt_on,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "ForegroundPrior":
        """From a checkpoint.

        Raises:
            CheckpointError: It lacks an entry.
        """
        try:
            one = Discriminant(
                state["direction"].numpy().astype(np.float32), float(state["background"]), float(state["foreground"])
            )
            return cls(one, str(state["learnt_on"]))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"the checkpoint's foreground prior is damaged: {error}") from error
