"""Which epoch is kept: the best by a label-free signal on held-out images, the network before training among them."""

from dataclasses import asdict, dataclass

from torch import Tensor

from training.config import Selection
from training.network import ColocalizationNet
from training.objective import Objective
from training.set_transfer import SetTransfer
from training.validation import Signals, validate

__all__ = ["Choice", "EpochChooser"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The epoch to keep so far.

    Attributes:
        epoch: The epoch, counted from 1; 0 is the network before training.
        signals: Its signals; None where there are no held-out images to measure them on.
    """

    epoch: int = 0
    signals: Signals | None = None

    def to_json(self) -> dict[str, float]:
        """The signals by name; empty where there are none."""
        return asdict(self.signals) if self.signals else {}


class EpochChooser:
    """Measures every epoch and says whether it is the one to keep so far.

    Attributes:
        choice: The epoch to keep so far.
    """

    def __init__(self, select: Selection, objective: Objective, held_out: Tensor, seed: int) -> None:
        """Prepare.

        Args:
            select: The signal, or `last`.
            objective: Makes the views.
            held_out: (N, 3, R, R) uint8; with fewer than 2 the last epoch is kept.
            seed: Seed of the views.
        """
        self.choice = Choice()
        self._select = select
        self._objective = objective
        self._held_out = held_out
        self._seed = seed
        self._transfer: SetTransfer | None = None

    def look_before_training(self, untrained: ColocalizationNet) -> None:
        """Take the features that `transfer` is measured in, which no training touches."""
        if len(self._held_out) >= 2:
            self._transfer = SetTransfer(untrained, self._objective, self._held_out)

    def judge(self, network: ColocalizationNet, epoch: int) -> tuple[Signals | None, bool]:
        """Measure an epoch; whether it is the one to keep so far.

        An epoch as good as an earlier one is not kept: what training changes, it has to better.
        """
        if self._transfer is None:
            self.choice = Choice(epoch)
            return None, True
        signals = validate(network, self._objective, self._held_out, self._seed, self._transfer)
        best = self.choice.signals
        if self._select == "last":
            better = True
        else:
            better = best is None or signals.score(self._select) > best.score(self._select)
        if better:
            self.choice = Choice(epoch, signals)
        return signals, better
