"""Find the thing a set of images has in common: a box and a heat map for each image, without a label."""

import os

from colocalization._version import __version__
from colocalization.boxes import Box
from colocalization.common_object import CommonObject
from colocalization.errors import ColocalizeError, ImageError, ImageWarning, ModelError, ObjectError, ProviderError
from colocalization.hints import Hint, HintError, ImageHints
from colocalization.images import ImageLimits
from colocalization.localizer import Localizer
from colocalization.results import ImageResult, Mode, SetResult

__all__ = [
    "Box",
    "ColocalizeError",
    "CommonObject",
    "Hint",
    "HintError",
    "ImageError",
    "ImageHints",
    "ImageLimits",
    "ImageResult",
    "ImageWarning",
    "Localizer",
    "Mode",
    "ModelError",
    "ObjectError",
    "ProviderError",
    "SetResult",
    "__version__",
]

# ONNX Runtime (1.32's wheel for Linux) reports to Microsoft and keeps a device id below the home folder, unless this is
# set before it is imported; no module of ours imports it before this line. What the user has set stays.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
