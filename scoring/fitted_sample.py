"""What a set has in common, estimated from a sample of the images that can be read."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from colocalization.growing import with_sums
from colocalization.sampling import read_sample
from scoring.fetching import fetched
from scoring.journal import digest_files
from scoring.pipeline import PipelineSizes, run_pipeline
from scoring.plan import PlannedImage
from scoring.stages import Basis, ImageInWork, Stages

__all__ = ["FittedSample", "fit_sample"]


@dataclass(frozen=True, slots=True)
class FittedSample:
    """What is known once the common object is estimated.

    Attributes:
        basis: What the boxes are found by.
        known: What the network has given for the images of the sample, by name. With it are the pixels where the
            sample is the whole set, so that none is decoded again; otherwise they would be held for most of the run.
    """

    basis: Basis
    known: dict[str, ImageInWork]


def fit_sample(
    images: Sequence[PlannedImage],
    stages: Stages,
    sizes: PipelineSizes,
    tried: Callable[[ImageInWork], None],
    *,
    growing: bool = False,
) -> FittedSample:
    """Estimate the common object of a set.

    All hinted images that can be read belong to the sample.

    Args:
        images: The set.
        stages: What happens to an image.
        sizes: How much is done at once.
        tried: Called with every image that was tried for the sample, also with those that cannot be read.
        growing: Whether the object keeps what further images can be added to.

    Raises:
        HintError: What was hinted does not lie in its image.
        ObjectError: The object cannot grow where it is to.
    """
    limit = stages.localizer.set_sample_size
    keep_pixels = len(images) <= limit

    def read(indices: Sequence[int]) -> Iterator[ImageInWork | None]:
        chosen = (images[index] for index in indices)
        with (
            closing(fetched(chosen, stages.localizer.limits)) as contents,
            closing(run_pipeline(contents, stages.prepare, stages.infer, _without_input, sizes)) as found,
        ):
            for image in found:
                tried(image)
                yield image if image.features is not None and image.features.is_finite else None

    hinted = [index for index, image in enumerate(images) if image.hint is not None]
    sample = list(read_sample(len(images), limit, read, always=hinted).values())
    pixels = [image.prepared.image for image in sample if image.prepared is not None]
    features = [image.features for image in sample if image.features is not None]
    hints = {place: image.planned.hint for place, image in enumerate(sample) if image.planned.hint is not None}
    with ThreadPoolExecutor(sizes.lanes, "fit") as pool:
        fitted = stages.localizer.fit_features(pixels, features, hints=hints, pool=pool)
    common = fitted.common
    if growing and common is not None:
        common = with_sums(common, pixels, features, fitted.looks)
    known = {
        image.planned.file.name: ImageInWork(
            image.planned, image.prepared if keep_pixels else None, image.features, fitted.looks.get(index)
        )
        for index, image in enumerate(sample)
    }
    digest = digest_files(image.planned.file for image in sample) if len(sample) > 1 else None
    return FittedSample(Basis(common, digest), known)


def _without_input(image: ImageInWork) -> ImageInWork:
    """Keep the pixels, which the second look is cut from, without the network's input, which has done its work."""
    if image.prepared is not None:
        image.prepared = image.prepared.without_input()
    return image
