"""Pretext tasks: geometric transformations whose parameters the network is asked for (PsyNet; combinations: Ki et al.).

| task           | letter | label -> transformation of the content (coordinates: `training.geometry`)              |
|----------------|--------|-----------------------------------------------------------------------------------------|
| rotation       | R      | 0, 1, 2, 3 -> 0, 90, 180, 270 degrees, counter-clockwise as seen                         |
| scale          | S      | 0, 1, 2 -> sampled at x1.3, x1.0, x0.7: content x0.77, x1, x1.43 about the centre        |
| translation    | T      | 0, 1, 2 -> sampled at -0.1, 0, +0.1: content 5 % of the side right and down, none, back  |
| shear          | H      | 0, 1, 2 -> x + tan(-30, 0, +30 degrees) y                                                |
| flip           | F      | 0, 1 -> as it is, mirrored left to right                                                 |
| point_symmetry | P, O   | 0 ... 4 -> shift by 3 (1.5 sides) towards (+,-), (+,+), none, (-,-), (-,+), mirrored in  |

Point symmetry is PsyNet's "odd": the image is sampled 3 units away, beyond its edge, where the mirrored image is;
one quadrant remains, mirrored about the centre of the frame. It needs `fill = "reflect"`. Factors and shifts are
PsyNet's, which its public code applies to the grid that it samples at, 2 units a side: content changes by the inverse.

The transformations of a combination are one matrix. They act in the order point symmetry, flip, rotation, shear, scale,
translation, whatever the order in which the tasks are named.
"""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from training.config import Task, parse_tasks

__all__ = ["PretextTasks"]

_QUARTER_TURNS = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))
"""Cosine and sine of the rotations, exact."""


def _rotations() -> Tensor:
    # Counter-clockwise as seen, with y down: (x, y) -> (c x + s y, -s x + c y).
    return torch.tensor([[[c, s, 0], [-s, c, 0], [0, 0, 1]] for c, s in _QUARTER_TURNS])


def _scales() -> Tensor:
    # PsyNet samples at 1.3 p, p, 0.7 p, so the content scales by the inverse.
    return torch.stack([torch.diag(torch.tensor([1 / s, 1 / s, 1.0])) for s in (1.3, 1.0, 0.7)])


def _translations() -> Tensor:
    # PsyNet samples at p - 0.1, p, p + 0.1; the side is 2 units long, so this is 5 % of it.
    return torch.tensor([[[1, 0, -t], [0, 1, -t], [0, 0, 1]] for t in (-0.1, 0.0, 0.1)])


def _shears() -> Tensor:
    tangents = (math.tan(math.radians(degrees)) for degrees in (-30, 0, 30))
    return torch.tensor([[[1, t, 0], [0, 1, 0], [0, 0, 1]] for t in tangents])


def _flips() -> Tensor:
    return torch.stack([torch.diag(torch.tensor([sign, 1.0, 1.0])) for sign in (1.0, -1.0)])


def _point_symmetries() -> Tensor:
    # PsyNet samples at p + (-3, 3), p - 3, p, p + 3, p + (3, -3), so the content moves the other way.
    shifts = ((3, -3), (3, 3), (0, 0), (-3, -3), (-3, 3))
    return torch.tensor([[[1, 0, x], [0, 1, y], [0, 0, 1]] for x, y in shifts], dtype=torch.float32)


_MATRICES: dict[Task, Callable[[], Tensor]] = {
    "point_symmetry": _point_symmetries,
    "flip": _flips,
    "rotation": _rotations,
    "shear": _shears,
    "scale": _scales,
    "translation": _translations,
}


class PretextTasks:
    """A combination of pretext tasks: draws labels and gives their transformations.

    Attributes:
        tasks: The tasks, in the order in which they act.
        classes: Number of classes of each task, by name.

    Example:
        >>> tasks = PretextTasks(["rotation"])
        >>> quarter = tasks.matrices({"rotation": torch.tensor([1])})
        >>> (quarter @ torch.tensor([1.0, 0.0, 1.0])).tolist()  # the right edge goes to the top
        [[0.0, -1.0, 1.0]]
    """

    def __init__(self, tasks: str | Iterable[str]) -> None:
        self.tasks = parse_tasks(tasks)
        self._tables = {task: _MATRICES[task]() for task in self.tasks}
        self.classes: dict[str, int] = {task: table.shape[0] for task, table in self._tables.items()}

    def draw(self, count: int, generator: torch.Generator) -> dict[Task, Tensor]:
        """Labels drawn uniformly and independently, (count,) int64 for each task."""
        return {task: torch.randint(self.classes[task], (count,), generator=generator) for task in self.tasks}

    def matrices(self, labels: dict[Task, Tensor]) -> Tensor:
        """Transformations of the labels, each a product of the tasks' matrices.

        Args:
            labels: (N,) int64 for each task.

        Returns:
            (N, 3, 3) float32, T of p' = T p.
        """
        product: Tensor | None = None
        for task in self.tasks:
            matrix = self._tables[task][labels[task].cpu()]
            product = matrix if product is None else matrix @ product
        if product is None:
            raise ValueError("labels hold no task")
        return product

    def reach(self) -> float:
        """How far from the centre the transformed frames look, in half sides of the original; at least 1.

        A view of at most `1 / reach` of an image has real content under every transformation of the tasks.
        """
        grid = torch.cartesian_prod(*(torch.arange(classes) for classes in self.classes.values()))
        labels = dict(zip(self.tasks, grid.reshape(-1, len(self.tasks)).unbind(1), strict=True))
        corners = torch.tensor([[-1.0, -1, 1], [1, -1, 1], [-1, 1, 1], [1, 1, 1]]).T
        return max(1.0, float((torch.linalg.inv(self.matrices(labels)) @ corners)[:, :2].abs().max()))
