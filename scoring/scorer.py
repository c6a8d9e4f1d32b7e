"""Scoring a set of files: what is already finished is taken over, the rest goes through the pipeline."""

import stat
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from colocalization._version import __version__
from colocalization.common_object import CommonObject, sample_indices
from colocalization.errors import ImageError
from colocalization.files import alone_in, atomic_writer
from colocalization.images import DecodedImage
from colocalization.lanes import LaneEngine, Lanes
from colocalization.localizer import ImageFeatures, Localizer, PreparedImage, SecondLooks
from colocalization.memory import trim_heap
from colocalization.results import ImageResult, Mode
from scoring.artefacts import Artefacts
from scoring.contact_sheet import MAX_TILES, Tile, contact_sheet
from scoring.formats import DEFAULT_LABEL, Format, check_names, format_files, write_format
from scoring.inputs import InputFile
from scoring.journal import Entry, Journal, digest_files
from scoring.outputs import Outputs
from scoring.pipeline import PipelineSizes, run_pipeline
from scoring.predictions import Prediction, encode_prediction, read_predictions, to_prediction
from scoring.progress import Progress
from scoring.summary import ScoreSummary

__all__ = ["STATE_FOLDER", "ScoreOptions", "Scorer"]

STATE_FOLDER = ".colocalize"
"""Folder below the results that holds the journal, the list of what was written, and the contact sheet's tiles. It may
be deleted at any time; what was written is then not known to be ours any more, and stays."""


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """What to do with the images.

    Attributes:
        mode: What the boxes are found by.
        max_boxes: Most boxes an image.
        formats: Formats to write besides `predictions.jsonl`.
        heatmaps: Whether to draw a heat map of every image.
        overlays: Whether to draw heat map and boxes over every image.
        contact_sheet: Whether to draw a sheet of overlays.
        label: Name of the one class, in the formats that have classes.
        resume: Whether to take over what an earlier run finished.
        sizes: How much is done at once. Only the size of a batch can change a result, in the last bits of its floats.
    """

    mode: Mode = "common"
    max_boxes: int = 1
    formats: tuple[Format, ...] = ()
    heatmaps: bool = False
    overlays: bool = False
    contact_sheet: bool = False
    label: str = DEFAULT_LABEL
    resume: bool = True
    sizes: PipelineSizes = field(default_factory=PipelineSizes)

    def __post_init__(self) -> None:
        if self.max_boxes < 1:
            raise ValueError(f"max_boxes must be at least 1, got {self.max_boxes}")


@dataclass(slots=True)
class _Image:
    """One image on its way through the pipeline."""

    file: InputFile
    prepared: PreparedImage | None = None
    error: ImageError | None = None
    features: ImageFeatures | None = None


@dataclass(frozen=True, slots=True)
class _Fitted:
    """The common object, what it was estimated from, and what the network has already given, by the images' names."""

    common: CommonObject | None
    digest: str | None
    features: dict[str, ImageFeatures]
    looks: dict[str, SecondLooks]

    @property
    def mode(self) -> Mode:
        return "attention" if self.common is None else "common"


class Scorer:
    """Scores files into one output folder.

    With `mode="common"` the network first runs over a sample of the set, from which the common object is estimated;
    then every image streams through in order. The features of the sample are kept for that, so that no image goes
    through the network twice; its pixels are not, since decoding again costs less than holding them.
    """

    def __init__(self, localizer: Localizer, out: Path, options: ScoreOptions, progress: Progress) -> None:
        # Second looks run the network from the worker threads, of which there are more than lanes: they take turns too,
        # since each run takes memory for its activations.
        engine = LaneEngine(localizer.engine, Lanes(options.sizes.lanes))
        self._localizer = Localizer(engine, localizer.limits, effort=localizer.effort)
        self._out = out
        self._options = options
        self._progress = progress

    def score(self, files: Sequence[InputFile]) -> ScoreSummary:
        """Score the files and write `predictions.jsonl` and what else the options ask for.

        What earlier runs have written into the folder and no longer holds is removed in the end.

        Args:
            files: At least one file, with names of their own, in the order of the results.

        Returns:
            What came of it. Images that cannot be read are counted there and never end the run.

        Raises:
            FormatError: The names cannot be expressed in a format that was asked for.
            OSError: Another run is writing into the same folder, or a result cannot be written. What was finished
                stays in the journal, as it does when the run is interrupted in any other way.
        """
        began = time.monotonic()
        names = [file.name for file in files]
        check_names(self._options.formats, names)
        state = self._out / STATE_FOLDER
        artefacts = Artefacts(
            self._out,
            state,
            heatmaps=self._options.heatmaps,
            overlays=self._options.overlays,
            tiles={names[index] for index in _tile_indices(files)} if self._options.contact_sheet else (),
        )
        artefacts.check_names(names)
        with alone_in(state):
            outputs = Outputs(self._out, state / "outputs.jsonl")
            with Journal(state / "journal.jsonl", self._settings(), resume=self._options.resume) as journal:
                mode, pending = self._run(files, journal, artefacts, outputs)
                summary, drawn = self._write_predictions(files, journal, mode)
            summary.reused = len(files) - pending
            self._write_rest(files, artefacts, summary)
            summary.cleared = outputs.finish(self._predictions, self._files(drawn, artefacts))
        summary.seconds = time.monotonic() - began
        return summary

    def _settings(self) -> dict[str, object]:
        """Everything but the files that a prediction depends on."""
        return {
            "version": __version__,
            "model": self._localizer.engine.sha256,
            "provider": self._localizer.engine.provider,
            "limits": asdict(self._localizer.limits),
            "mode": self._options.mode,
            "effort": self._localizer.effort,
            "max_boxes": self._options.max_boxes,
        }

    def _run(
        self, files: Sequence[InputFile], journal: Journal, artefacts: Artefacts, outputs: Outputs
    ) -> tuple[Mode, int]:
        """Bring the journal up to date; gives the mode that was used and the number of images that were run."""
        if self._options.mode == "attention":
            pending = _pending(files, journal, artefacts, None)
            self._stream(files, pending, journal, artefacts, outputs, _Fitted(None, None, {}, {}))
            return "attention", len(pending)
        sample = [files[index] for index in sample_indices(len(files), Localizer.set_sample_size)]
        # If nothing is pending under the common object of a sample that can be read completely, it need not be
        # estimated again: entries of failed images are always pending.
        known = journal.find(sample[0].name) if len(sample) > 1 else None
        if known is not None and not _pending(files, journal, artefacts, digest_files(sample)):
            return known.mode, 0  # that of all, since it depends on the sample alone
        fitted = self._fit(sample)
        trim_heap()  # the pixels of the sample, and what the threads of the fit have freed
        pending = _pending(files, journal, artefacts, fitted.digest)
        self._stream(files, pending, journal, artefacts, outputs, fitted)
        return fitted.mode, len(pending)

    def _fit(self, sample: Sequence[InputFile]) -> _Fitted:
        features: dict[str, ImageFeatures] = {}
        decoded: list[DecodedImage] = []
        readable: list[InputFile] = []
        with (
            self._progress.phase("Finding the common object", len(sample)) as advance,
            closing(run_pipeline(sample, self._prepare, self._infer, _without_input, self._options.sizes)) as images,
        ):
            for image in images:
                if image.features is not None and image.prepared is not None:
                    features[image.file.name] = image.features
                    decoded.append(image.prepared.image)
                    readable.append(image.file)
                advance()
        with ThreadPoolExecutor(self._options.sizes.lanes, "fit") as pool:
            fitted = self._localizer.fit_features(decoded, list(features.values()), pool=pool)
        names = list(features)
        looks = {names[index]: looks for index, looks in fitted.looks.items()}
        return _Fitted(fitted.common, digest_files(readable) if len(readable) > 1 else None, features, looks)

    def _stream(
        self,
        files: Sequence[InputFile],
        pending: Sequence[InputFile],
        journal: Journal,
        artefacts: Artefacts,
        outputs: Outputs,
        fitted: _Fitted,
    ) -> None:
        if pending:
            outputs.begin(path for file in pending for path in artefacts.paths(file.name))
        wanted = {file.name for file in pending}
        # Given out once each, so that memory falls as the images pass.
        known = {name: features for name, features in fitted.features.items() if name in wanted}
        fitted.features.clear()

        def prepare(file: InputFile) -> _Image:
            image = self._prepare(file)
            image.features = known.pop(file.name, None)
            return image

        def finish(image: _Image) -> Entry:
            return self._finish(image, fitted, artefacts)

        with (
            self._progress.phase("Scoring", len(files), len(files) - len(pending)) as advance,
            closing(run_pipeline(pending, prepare, self._infer, finish, self._options.sizes)) as entries,
        ):
            for entry in entries:
                journal.append(entry)
                advance()

    def _prepare(self, file: InputFile) -> _Image:
        path = Path(file.path)
        try:
            if file.size is not None and not stat.S_ISREG(path.stat().st_mode):
                raise ImageError("not_readable", f"{path.name!r} is not a regular file")  # reading a pipe may never end
            return _Image(file, prepared=self._localizer.prepare(path))
        except ImageError as error:
            return _Image(file, error=error)
        except OSError as error:
            return _Image(file, error=ImageError("not_readable", f"cannot read {path.name!r}: {error.strerror}"))

    def _infer(self, images: Sequence[_Image]) -> Sequence[_Image]:
        unknown = [(one, one.prepared) for one in images if one.prepared is not None and one.features is None]
        if unknown:
            inputs = [prepared for _, prepared in unknown]
            # Filled up with an image that is there already: kernels are chosen by the size of the batch, and with
            # another one the last bits of an image's features would depend on which images come beside it.
            inputs += inputs[-1:] * (self._options.sizes.batch - len(inputs))
            for (image, _), found in zip(unknown, self._localizer.run(inputs), strict=False):
                image.features = found
        return images

    def _finish(self, image: _Image, fitted: _Fitted, artefacts: Artefacts) -> Entry:
        file = image.file

        def entry(result: ImageResult, drawn: tuple[str, ...] = ()) -> Entry:
            prediction = to_prediction(file.name, result)
            return Entry(prediction, file.size, file.mtime_ns, fitted.digest, fitted.mode, drawn)

        if image.error is not None:
            return entry(ImageResult.failed(image.error))
        if image.prepared is None or image.features is None:
            raise RuntimeError(f"{file.name!r} was finished before the network had run over it")
        try:
            result = self._localizer.finish(
                image.prepared,
                image.features,
                fitted.common,
                looks=fitted.looks.pop(file.name, None),  # once each, so that memory falls as the images pass
                max_boxes=self._options.max_boxes,
            )
        except ImageError as error:
            return entry(ImageResult.failed(error))
        return entry(result, artefacts.draw(file.name, image.prepared.image, result))

    def _write_predictions(
        self, files: Sequence[InputFile], journal: Journal, mode: Mode
    ) -> tuple[ScoreSummary, list[str]]:
        """Write the file; gives what came of it and the names of the images that something was drawn of."""
        summary = ScoreSummary(mode)
        drawn: list[str] = []
        path = self._predictions
        with atomic_writer(path) as stream:
            for file in files:
                entry = journal.find(file.name)
                if entry is None:
                    raise RuntimeError(f"{file.name!r} is missing from the journal of the run that scored it")
                stream.write(encode_prediction(entry.prediction))
                summary.add(entry.prediction)
                if entry.artefacts:
                    drawn.append(file.name)
        summary.written.append(path)
        return summary, drawn

    def _write_rest(self, files: Sequence[InputFile], artefacts: Artefacts, summary: ScoreSummary) -> None:
        metadata = self._localizer.engine.metadata
        for kind in dict.fromkeys(self._options.formats):
            if kind != "jsonl":
                summary.written.append(
                    write_format(
                        kind,
                        lambda: read_predictions(self._predictions),
                        self._out,
                        label=self._options.label,
                        model=f"{metadata.name} {metadata.version}",
                    )
                )
        summary.written += [self._out / name for name in ("heatmaps", "overlays") if getattr(self._options, name)]
        if self._options.contact_sheet:
            chosen = set(_tile_indices(files))
            shown = (one for index, one in enumerate(read_predictions(self._predictions)) if index in chosen)
            with atomic_writer(self._contact_sheet) as stream:
                contact_sheet([_tile(one, artefacts) for one in shown]).save(stream, format="JPEG", quality=90)
            summary.written.append(self._contact_sheet)

    def _files(self, drawn: Sequence[str], artefacts: Artefacts) -> Iterator[Path]:
        """All files of this run besides `predictions.jsonl`."""
        for name in drawn:
            yield from artefacts.paths(name)
        for kind in self._options.formats:
            if kind != "jsonl":
                yield from format_files(kind, read_predictions(self._predictions), self._out)
        if self._options.contact_sheet:
            yield self._contact_sheet

    @property
    def _predictions(self) -> Path:
        return self._out / "predictions.jsonl"

    @property
    def _contact_sheet(self) -> Path:
        return self._out / "contact-sheet.jpg"


def _without_input(image: _Image) -> _Image:
    """Keep the pixels, which the second look is cut from, without the network's input, which has done its work."""
    if image.prepared is not None:
        image.prepared = image.prepared.without_input()
    return image


def _pending(files: Sequence[InputFile], journal: Journal, artefacts: Artefacts, common: str | None) -> list[InputFile]:
    """The files that the journal has no valid entry of."""

    def is_finished(file: InputFile) -> bool:
        entry = journal.find(file.name)
        return (
            entry is not None
            and entry.is_of(file)
            and entry.common == common
            and artefacts.are_present(file.name, entry.artefacts)
        )

    return [file for file in files if not is_finished(file)]


def _tile_indices(files: Sequence[InputFile]) -> list[int]:
    return [int(index) for index in sample_indices(len(files), MAX_TILES)]


def _tile(prediction: Prediction, artefacts: Artefacts) -> Tile:
    name = prediction["path"]
    if prediction["error"] is not None:
        return Tile(name, None, prediction["error"]["code"].replace("_", " "))
    mark = None if prediction["contains_common_object"] else "no common object"
    return Tile(name, artefacts.path("tile", name), mark)
