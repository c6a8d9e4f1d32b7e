"""A common object by hand, with every part."""

import numpy as np

from colocalization.common_object import CommonObject, FirstLook, OutlinedObject, SecondLook
from colocalization.discriminant import Discriminant
from colocalization.exemplar import Exemplar
from colocalization.object_members import Origin
from colocalization.prototype import Prototype
from colocalization.windows import WindowSize

CHANNELS = 4


def discriminant(number: int) -> Discriminant:
    return Discriminant(np.arange(number, number + CHANNELS, dtype=np.float32), -0.25, number + 0.1)


def prototype(agreement: float) -> Prototype:
    return Prototype(np.full(CHANNELS, 0.5, np.float32), np.ones(CHANNELS, np.float32), 0.125, agreement)


ORIGIN = Origin(model="dummy", model_sha256="0" * 64, version="1.2.3", effort="full", images=12, hinted=2)

EXEMPLAR = Exemplar(
    3,
    (WindowSize(0.1, 1.5), WindowSize(0.125, 0.75)),
    (0.8, 1.0, 1.25),
    discriminant(1),
    discriminant(2),
    prototype(0.75),
    0.5,
)

PLAIN = CommonObject(FirstLook(discriminant(3), prototype(0.5)), None, None, origin=ORIGIN)
"""What effort `fast` learns of a small set."""

WHOLE = CommonObject(
    FirstLook(discriminant(3), prototype(0.5)),
    SecondLook(discriminant(4), discriminant(5)),
    OutlinedObject(discriminant(6), discriminant(7)),
    EXEMPLAR,
    "joins",
    ORIGIN,
)
