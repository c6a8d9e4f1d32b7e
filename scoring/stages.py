"""What happens to one image: read, through the network, to its boxes, drawn. One method a stage of the pipeline."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colocalization.common_object import CommonObject
from colocalization.engine import NetworkOutput
from colocalization.errors import ImageError, ProviderError
from colocalization.lanes import LaneEngine, Lanes
from colocalization.localizer import ImageFeatures, Localizer, PreparedImage, SecondLooks
from colocalization.results import ImageResult, Mode
from scoring.drawings import DrawingKind, draw
from scoring.fetching import FetchedImage
from scoring.hinting import with_hint
from scoring.journal import Entry
from scoring.plan import PlannedImage
from scoring.predictions import to_prediction
from scoring.run_options import ScoreOptions

__all__ = ["Basis", "ImageInWork", "Stages"]


@dataclass(slots=True)
class ImageInWork:
    """One image on its way.

    Attributes:
        planned: The image, and what is to be drawn of it.
        prepared: Its pixels; None where it could not be read.
        features: What the network gave for it; None before, and where it could not be read.
        looks: What the network gave for parts of it, while the common object was estimated.
        error: Why it could not be read.
    """

    planned: PlannedImage
    prepared: PreparedImage | None = None
    features: ImageFeatures | None = None
    looks: SecondLooks | None = None
    error: ImageError | None = None


@dataclass(frozen=True, slots=True)
class Basis:
    """What the boxes of a set are found by.

    Attributes:
        common: The common object; None for mode `attention`.
        digest: What it was estimated from (`digest_files`), also in vain; None where there was nothing to estimate
            from. Of an object that was fitted before, its own.
    """

    common: CommonObject | None = None
    digest: str | None = None

    @property
    def mode(self) -> Mode:
        """The mode that this is."""
        return "attention" if self.common is None else "common"


class _ScoringEngine(LaneEngine):
    """Runs that take turns in lanes; one that fails ends the run with one line, whatever the engine raises."""

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        try:
            return super().run(images)
        except Exception as error:  # each engine has classes of its own
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ProviderError(f"the network cannot run on {self.provider}: {reason}") from error


class Stages:
    """The stages, over one model. Safe to use from several threads."""

    def __init__(self, localizer: Localizer, options: ScoreOptions) -> None:
        # Second looks run the network from the worker threads, of which there are more than lanes: they take turns too,
        # since each run takes memory for its activations.
        engine = _ScoringEngine(localizer.engine, Lanes(options.sizes.lanes))
        self.localizer = localizer.with_engine(engine)
        self._options = options

    def prepare(self, fetched: FetchedImage) -> ImageInWork:
        """Read and decode; whatever goes wrong there is an error of this image.

        Raises:
            HintError: What was hinted does not lie in the image: a mistake of the user's, which ends the run.
        """
        planned, image = fetched.planned, self._read(fetched)
        if image.error is not None:
            image.error = with_hint(image.error, planned.file.name, planned.hint)
        elif planned.hint is not None and image.prepared is not None:
            planned.hint.shares(planned.file.name, image.prepared.image.width, image.prepared.image.height)
        return image

    def _read(self, fetched: FetchedImage) -> ImageInWork:
        planned, content = fetched.planned, fetched.content
        path = Path(planned.file.path)
        try:
            if isinstance(content, ImageError):
                return ImageInWork(planned, error=content)
            if content is not None:
                return ImageInWork(planned, self.localizer.prepare(content))
            if planned.file.size is not None and not stat.S_ISREG(path.stat().st_mode):
                raise ImageError("not_readable", f"{path.name!r} is not a regular file")  # reading a pipe may never end
            return ImageInWork(planned, self.localizer.prepare(path))
        except ImageError as error:
            return ImageInWork(planned, error=error)
        except OSError as error:
            reason = ImageError("not_readable", f"cannot read {path.name!r}: {error.strerror or error}")
        except MemoryError:
            reason = ImageError("image_too_large", "not enough memory to decode the image")
        except Exception as error:  # of a decoder, which may raise anything over a damaged file
            reason = ImageError("undecodable", f"the decoder failed: {type(error).__name__}: {error}")
        return ImageInWork(planned, error=reason)

    def infer(self, images: Sequence[ImageInWork]) -> Sequence[ImageInWork]:
        """Take images through the network, those that it has not run over yet."""
        unknown = [(image, image.prepared) for image in images if image.prepared is not None and image.features is None]
        if unknown:
            inputs = [prepared for _, prepared in unknown]
            # Filled up with an image that is there already: kernels are chosen by the size of the batch, and with
            # another one the last bits of an image's features would depend on which images come beside it.
            inputs += inputs[-1:] * (self._options.sizes.batch - len(inputs))
            for (image, _), found in zip(unknown, self.localizer.run(inputs), strict=False):
                image.features = found
        return images

    def finish(self, image: ImageInWork, basis: Basis) -> Entry:
        """Find the boxes and draw what is asked for.

        Raises:
            OSError: A drawing cannot be written.
            ProviderError: The network cannot run.
        """
        result, drawn = self._localized(image, basis)
        file = image.planned.file
        return Entry(to_prediction(file.name, result), file.size, file.mtime_ns, basis.digest, basis.mode, drawn)

    def _localized(self, image: ImageInWork, basis: Basis) -> tuple[ImageResult, tuple[DrawingKind, ...]]:
        if image.error is not None:
            return ImageResult.failed(image.error), ()
        if image.prepared is None or image.features is None:
            raise RuntimeError(f"{image.planned.file.name!r} was finished before the network had run over it")
        try:
            result = self.localizer.finish(
                image.prepared,
                image.features,
                basis.common,
                looks=image.looks,
                hint=image.planned.hint,
                max_boxes=self._options.max_boxes,
            )
        except ImageError as error:
            return ImageResult.failed(with_hint(error, image.planned.file.name, image.planned.hint)), ()
        return result, draw(image.planned.drawings, image.prepared.image, result)
