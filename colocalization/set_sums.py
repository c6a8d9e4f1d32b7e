"""What a common object keeps of the images that it was fitted on, so that others can be added without them: sums.

A discriminant is made of the counts, sums and products of the descriptors of two classes. Those of further images are
added to them. All in float32: sums of unit-length rows, whose last bits nothing depends on.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from colocalization.discriminant import ClassStatistics

__all__ = ["MOST_ROWS", "ClassSums", "CutSums", "DescriptorRows", "OutlineSums", "SetSums", "SymmetricMatrix"]

MOST_ROWS = 512
"""Images of which a row is kept; of more, every second row goes."""


@dataclass(frozen=True, slots=True)
class SymmetricMatrix:
    """A symmetric matrix of C rows.

    Attributes:
        upper: (C * (C + 1) / 2,) float32, its upper triangle, row by row.
    """

    upper: NDArray[np.float32]

    @classmethod
    def of(cls, matrix: NDArray[np.floating]) -> "SymmetricMatrix":
        """The matrix (C, C), of which the lower triangle is not looked at."""
        return cls(matrix[np.triu_indices(len(matrix))].astype(np.float32))

    def full(self, channels: int) -> NDArray[np.float64]:
        """(C, C) float64.

        Example:
            >>> SymmetricMatrix.of(np.array([[1.0, 2.0], [2.0, 5.0]])).full(2)
            array([[1., 2.],
                   [2., 5.]])
        """
        matrix = np.zeros((channels, channels))
        matrix[np.triu_indices(channels)] = self.upper
        return matrix + np.triu(matrix, 1).T


@dataclass(frozen=True, slots=True)
class DescriptorRows:
    """Descriptors of some images.

    Attributes:
        rows: (N, C) float32.
    """

    rows: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ClassSums:
    """Sums over the descriptors of one class.

    Attributes:
        count: How many.
        total: (C,) float32, their sum.
        products: (C, C), the sum of their outer products.
    """

    count: int
    total: NDArray[np.float32]
    products: SymmetricMatrix

    @classmethod
    def of(cls, statistics: ClassStatistics) -> "ClassSums":
        """The sums that statistics were made of."""
        return cls(statistics.count, statistics.total.astype(np.float32), SymmetricMatrix.of(statistics.products))

    def statistics(self) -> ClassStatistics:
        """Statistics, to which further descriptors may be added."""
        return ClassStatistics.of(self.count, self.total, self.products.full(len(self.total)))


@dataclass(frozen=True, slots=True)
class CutSums:
    """Two classes that a map was cut into.

    Attributes:
        low: The background.
        high: The foreground.
        cut: Value of the discriminant's bounded map above which a cell is foreground.
        sure: Value up to which it is background.
    """

    low: ClassSums
    high: ClassSums
    cut: float
    sure: float


@dataclass(frozen=True, slots=True)
class OutlineSums:
    """Two classes that outlines have told apart.

    Attributes:
        low: What outlines leave free.
        high: What they cover.
    """

    low: ClassSums
    high: ClassSums


@dataclass(frozen=True, slots=True)
class SetSums:
    """What is kept of the images of a set.

    Attributes:
        images: How many there were.
        outlined: How many of them have given outlines.
        descriptors: (C,) float32, sum over the images of the mean descriptor of each.
        foregrounds: Mean descriptor of the foreground of each image, 0 where it has none; of at most `MOST_ROWS`.
        first: Of looks at whole images.
        tight: Of looks at regions, with all of the rest as background.
        wide: Of looks at regions, with the sure background alone.
        whole: By outlines, of whole images.
        region: By outlines, of regions.
    """

    images: int
    outlined: int
    descriptors: NDArray[np.float32]
    foregrounds: DescriptorRows
    first: CutSums
    tight: CutSums
    wide: CutSums
    whole: OutlineSums
    region: OutlineSums
