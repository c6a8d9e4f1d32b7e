"""Find the thing a set of pictures has in common: a box and a heat map for each picture, without a label."""

from colocalization._version import __version__
from colocalization.boxes import Box
from colocalization.errors import ColocalizeError, ImageError, ModelError, ProviderError
from colocalization.images import ImageLimits
from colocalization.localizer import Localizer
from colocalization.results import ImageResult, Mode, SetResult

__all__ = [
    "Box",
    "ColocalizeError",
    "ImageError",
    "ImageLimits",
    "ImageResult",
    "Localizer",
    "Mode",
    "ModelError",
    "ProviderError",
    "SetResult",
    "__version__",
]
