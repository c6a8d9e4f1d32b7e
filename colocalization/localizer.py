"""The public API: images in, boxes and heat maps out.

A set is localized in four steps, which servers and batch jobs call one by one (`colocalization.steps`) and
`Localizer.localize` in a row. `Localizer.fit` keeps what a set has in common, for other images.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from colocalization.common_object import CommonObject
from colocalization.engine import Device, Engine
from colocalization.errors import ImageError, ObjectError
from colocalization.fitting import FittedSet
from colocalization.growing import Growth, with_sums
from colocalization.hints import HintError, ImageHints
from colocalization.images import DecodedImage, ImageLimits, ImageSource
from colocalization.looks import ImageFeatures, SecondLooks
from colocalization.model_choice import DEFAULT_MODEL, PrecisionChoice, load_engine
from colocalization.outside_prior import OutsidePrior, PriorKind
from colocalization.results import Effort, ImageResult, Mode, SetResult
from colocalization.sampling import read_sample
from colocalization.scales import scale_of
from colocalization.sources import Given, HintsGiven, check_source, hint_text, hints_by_index, listed, source_name
from colocalization.steps import NO_HINTS, PreparedImage, Steps, check_max_boxes

__all__ = ["DEFAULT_MODEL", "NO_HINTS", "FittedSet", "ImageFeatures", "Localizer", "PreparedImage", "SecondLooks"]


class Localizer(Steps):
    """Finds the common object in sets of images, by `Steps`. Safe to use from several threads."""

    @classmethod
    def load(
        cls,
        model: Path | str | None = None,
        *,
        precision: PrecisionChoice = "auto",
        common: CommonObject | None = None,
        device: Device = "auto",
        require_gpu: bool = False,
        threads: int = 0,
        limits: ImageLimits | None = None,
        effort: Effort = "full",
        prior: Path | str | None = None,
        prior_kind: PriorKind | None = None,
    ) -> "Localizer":
        """Load a model; the one in the box if none is named.

        Args:
            model: ONNX file written by `colocalize export`.
            precision: Of the model in the box: `auto` takes int8 on a CPU that has 8-bit dot products (AVX-512 VNNI,
                AVX-VNNI, ARM's), where it is twice as fast, and fp32 elsewhere. Of a file: what it has to be.
            common: A common object that is going to be looked for: with precision `auto`, the file in the box that it
                was fitted with is taken.
            device: Where the network runs.
            require_gpu: Refuse to fall back to the CPU.
            threads: Threads of one operator; 0 takes one for each core.
            limits: What one image may cost.
            effort: How much work mode `common` takes.
            prior: ONNX file of a saliency network, see `OutsidePrior`; it joins the model's own prior.
            prior_kind: What kind of network that is; told by the file's name if left out.

        Raises:
            ModelError: The file is missing, damaged, not one that Colocalize exported, or of another precision; or the
                prior cannot be used.
            ProviderError: CUDA was required and cannot be used, or ONNX Runtime is not installed.
            ValueError: The precision is none of the words allowed.
        """
        origin = None if common is None else common.origin
        engine = load_engine(
            None if model is None else Path(model),
            precision,
            fitted_with=None if origin is None else origin.model_sha256,
            device=device,
            require_gpu=require_gpu,
            threads=threads,
        )
        outside = None
        if prior is not None:
            outside = OutsidePrior(Path(prior), prior_kind, device=device, threads=threads)
        elif prior_kind is not None:
            raise ValueError(f"prior_kind is {prior_kind!r}, and there is no prior; give its file too")
        return cls(engine, limits, effort=effort, prior=outside)

    def with_engine(self, engine: Engine) -> "Localizer":
        """The same localizer over another engine of the same model, such as one that takes turns."""
        return Localizer(engine, self.limits, effort=self.effort, prior=self.prior)

    def fit(self, sources: Given, hints: HintsGiven | None = None, *, growing: bool = False) -> CommonObject:
        """Estimate the common object of a set, to localize it in other images later.

        Of sets larger than `set_sample_size` a sample is read, spread evenly, to which all hinted images belong; what
        cannot be read is replaced by others.

        Args:
            sources: The images, as in `localize`.
            hints: What is known of some of them, as in `localize`.
            growing: Whether to keep, in 2 to 3 MB, what `partial_fit` needs to add images later.

        Raises:
            HintError: A hint cannot be used: for no image of the set, outside its image, against another one, or for an
                image that cannot be read.
            ObjectError: The set has no common object: fewer than two of its images can be read, or nothing stands out.
            TypeError: `sources` is a single image, or one of them is something else than these.

        Example:
            >>> from pathlib import Path
            >>> localizer = Localizer.load(effort="fast")
            >>> birds = sorted(Path("examples/images").glob("*.jpg"))
            >>> common = localizer.fit(birds[:6])
            >>> localizer.localize([birds[7]], common=common).mode
            'common'
        """
        given = listed(sources)
        said = hints_by_index(hints or {}, given)
        failures: list[str] = []

        def read(indices: Sequence[int]) -> Iterator[tuple[DecodedImage, ImageFeatures] | None]:
            for index in indices:
                prepared = self._try_prepare(index, given[index], said.get(index))
                if isinstance(prepared, PreparedImage):
                    features = self.run([prepared])[0]
                    yield (prepared.image, features) if features.is_finite else None
                elif index in said:
                    raise HintError(prepared.message)
                else:
                    failures.append(f"{source_name(index, given[index])}: {prepared.message}")
                    yield None

        sample = read_sample(len(given), self.set_sample_size, read, always=said)
        images, features = zip(*sample.values(), strict=True) if sample else ((), ())
        places = {place: said[index] for place, index in enumerate(sample) if index in said}
        fitted = self.fit_features(images, features, hints=places)
        common = fitted.common
        if common is None and len(sample) < 2:
            reason = f"; {len(failures)} cannot be read, such as {failures[0]}" if failures else ""
            raise ObjectError(f"a common object needs at least two images, and {len(sample)} can be used{reason}")
        if common is None:
            raise ObjectError(f"the {len(sample)} images have no common object: nothing stands out in them")
        return with_sums(common, images, features, fitted.looks) if growing else common

    def partial_fit(self, common: CommonObject, sources: Given) -> CommonObject:
        """Add images to a common object, without those that it was fitted on; see `colocalization.growing`.

        All images are taken, one by one, so that memory does not grow with them. What cannot be read is left out.

        Args:
            common: An object that was fitted with `growing=True`; it stays as it is.
            sources: The images, as in `localize`; one is enough.

        Raises:
            ObjectError: The object is of another model or cannot grow, or none of the images can be read.
            TypeError: `sources` is a single image, or one of them is something else than these.
        """
        self.check_common(common)
        growth = Growth(common, self._looker)
        failure = ""
        for index, source in enumerate(listed(sources)):
            prepared = self._try_prepare(index, source, None)
            if isinstance(prepared, PreparedImage):
                growth.add(prepared.image, self.run([prepared])[0])
            else:
                failure = failure or f", such as {source_name(index, source)}: {prepared.message}"
        if not growth.images:
            raise ObjectError(f"none of the images can be read{failure}")
        return growth.grown()

    def localize(
        self,
        sources: Given,
        *,
        mode: Mode = "common",
        max_boxes: int = 1,
        hints: HintsGiven | None = None,
        common: CommonObject | None = None,
    ) -> SetResult:
        """Localize the common object in a set of images.

        Holds all images in memory, unless a common object is given; for folders of any size use `colocalize score`.

        Args:
            sources: Encoded bytes, paths, binary streams that can seek, PIL images or arrays of pixels (see
                `colocalization.images.decode`), in a list or another iterable. One that cannot be read, or for which
                the network's output is not finite, gets a result with an `error`.
            mode: What the boxes are found by. A single readable image has nothing in common with others: `common`
                falls back to `attention`, and the result says so.
            max_boxes: Most boxes an image, hints not counted; 0: all.
            hints: What is known of some images, by index or by the path that is their source: a box `x0, y0, x1, y1` in
                pixels of the original, several boxes, or None where the image does not show the object.
            common: A common object that was fitted before, in place of the one that these images have; then a single
                image is enough.

        Returns:
            One result for each source, in their order.

        Raises:
            TypeError: `sources` is a single image, or one of them is something else than these.
            ValueError: `mode` or `max_boxes` is not allowed, an array is no image, or hints or a common object are
                given where they are not used.
            HintError: A hint is for no image of the set, lies outside its image, or contradicts another one.
            ObjectError: The common object is of another model.

        Example:
            >>> result = Localizer.load().localize([Path("examples/images/kingfisher.jpg")])
            >>> result.mode, len(result.images[0].boxes)
            ('attention', 1)
        """
        if mode not in ("attention", "common"):
            raise ValueError(f"mode must be 'attention' or 'common', got {mode!r}")
        check_max_boxes(max_boxes)
        if mode == "attention" and (hints or common is not None):
            raise ValueError("mode 'attention' uses neither hints nor a common object; leave out mode, or them")
        if hints and common is not None:
            raise ValueError(
                "give hints or a common object, not both: hints teach a new one, by `fit` or by `localize`"
            )
        given = listed(sources)
        if common is not None:
            self.check_common(common)
            found = tuple(self._localize_one(*one, common, max_boxes) for one in enumerate(given))
            return SetResult("common", found, scale_of(common))
        said = hints_by_index(hints or {}, given)
        prepared = [self._try_prepare(index, source, said.get(index)) for index, source in enumerate(given)]
        good = {index: one for index, one in enumerate(prepared) if isinstance(one, PreparedImage)}
        features = {index: self.run([one])[0] for index, one in good.items()}
        fitted = FittedSet(None)
        if mode == "common":
            places = {place: said[index] for place, index in enumerate(good) if index in said}
            fitted = self.fit_features([one.image for one in good.values()], list(features.values()), hints=places)
        looks = {index: fitted.looks.get(place) for place, index in enumerate(good)}

        def finished(index: int, one: PreparedImage | ImageError) -> ImageResult:
            if isinstance(one, ImageError):
                return ImageResult.failed(one)
            return self._try_finish(one, features[index], fitted.common, looks[index], said.get(index), max_boxes)

        found = tuple(finished(*one) for one in enumerate(prepared))
        return SetResult(fitted.mode, found, scale_of(fitted.common))

    def _localize_one(self, index: int, source: ImageSource, common: CommonObject, max_boxes: int) -> ImageResult:
        prepared = self._try_prepare(index, source, None)
        if isinstance(prepared, ImageError):
            return ImageResult.failed(prepared)
        return self._try_finish(prepared, self.run([prepared])[0], common, None, None, max_boxes)

    def _try_prepare(self, index: int, source: ImageSource, hint: ImageHints | None) -> PreparedImage | ImageError:
        check_source(index, source)
        name = source_name(index, source)
        try:
            prepared = self.prepare(source)
        except ImageError as error:
            if hint is None:
                return error
            return ImageError(error.code, f"{error.message}; the hint {hint_text(name, hint)!r} is not used")
        except ValueError as error:  # an array that is no image
            raise ValueError(f"{name}: {error}") from error
        if hint is not None:
            hint.shares(name, prepared.image.width, prepared.image.height)  # refused with the image's own name
        return prepared

    def _try_finish(
        self,
        prepared: PreparedImage,
        features: ImageFeatures,
        common: CommonObject | None,
        looks: SecondLooks | None,
        hint: ImageHints | None,
        max_boxes: int,
    ) -> ImageResult:
        try:
            return self.finish(prepared, features, common, looks=looks, hint=hint, max_boxes=max_boxes)
        except ImageError as error:
            return ImageResult.failed(error)
