"""Scoring a set of files: what is already finished is taken over, the rest goes through the pipeline."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

from colocalization._version import __version__
from colocalization.common_object import CommonObject
from colocalization.errors import ObjectError
from colocalization.files import alone_in
from colocalization.listing import STATE_FOLDER, ImageFile
from colocalization.localizer import Localizer
from colocalization.memory import trim_heap
from colocalization.sampling import choose_sample
from scoring.fetching import FetchedImage, fetched
from scoring.fitted_sample import FittedSample, fit_sample
from scoring.hinting import digest_hints
from scoring.journal import JOURNAL_FILE, Entry, Journal, digest_files
from scoring.outputs import Outputs
from scoring.pipeline import run_pipeline
from scoring.plan import PlannedImage, plan
from scoring.progress import ProgressDisplay
from scoring.result_files import Results
from scoring.run_options import ScoreOptions
from scoring.stages import Basis, ImageInWork, Stages
from scoring.stores.results_folder import ResultsFolder
from scoring.summary import ScoreSummary

__all__ = ["OBJECT_FILE", "Scorer"]

OBJECT_FILE = "object.npz"
"""Name of the file, beside the predictions, of the common object that a run has fitted."""


class Scorer:
    """Scores files into one output folder.

    With `mode="common"` the network first runs over a sample of the set, from which the common object is estimated;
    then every image streams through in order. What the network gave for the sample is kept for that, so that no image
    gets the same look twice. The common object itself is kept beside the predictions, for other images.
    """

    def __init__(
        self,
        localizer: Localizer,
        out: Path | ResultsFolder,
        options: ScoreOptions,
        progress: ProgressDisplay,
    ) -> None:
        self._stages = Stages(localizer, options)
        self._folder = out if isinstance(out, ResultsFolder) else ResultsFolder(out)
        self._out = self._folder.path
        self._options = options
        self._progress = progress

    def score(self, files: Sequence[ImageFile]) -> ScoreSummary:
        """Score the files and write `predictions.jsonl` and what else the options ask for.

        What earlier runs have written into the folder and no longer holds is removed in the end.

        Args:
            files: At least one file, with names of their own, in the order of the results.

        Returns:
            What came of it. Images that cannot be read are counted there and never end the run.

        Raises:
            FormatError: The names cannot be expressed in a format that was asked for.
            HintError: What was hinted does not lie in its image.
            ObjectError: The common object that was given is of another model.
            ProviderError: The network cannot run.
            OSError: Another run is writing into the same folder, or a result cannot be written. What was finished
                stays in the journal, as it does when the run is interrupted in any other way.
        """
        began = time.monotonic()
        metadata = self._stages.localizer.engine.metadata
        export = replace(self._options.export, model=f"{metadata.name} {metadata.precision} {metadata.version}")
        if self._options.common is not None:
            self._stages.localizer.check_common(self._options.common)
        results = Results(self._out, plan(files, self._out, self._options), self._options, export)
        state = self._out / STATE_FOLDER
        with (
            alone_in(state),
            Journal(state / JOURNAL_FILE, self._settings(), resume=self._options.resume) as journal,
        ):
            outputs = Outputs(self._out, state / "outputs.jsonl")
            run = _Run(results.images, self._stages, self._options, journal, outputs, self._folder.checkpoint)
            summary = run.bring_up_to_date(self._progress)
            written = results.write(journal, summary)
            if run.object_file is not None:
                written.append(str(run.object_file))
                summary.written.insert(1, run.object_file)
            summary.hints = self._options.hints
            summary.cleared = run.outputs.finish(results.predictions, map(Path, written))
        # With the journal closed, all of it is in its file.
        outdated = self._folder.finish()
        summary.cleared = replace(summary.cleared, removed=summary.cleared.removed + outdated)
        summary.places = [self._folder.shown(path) for path in summary.written]
        summary.seconds = time.monotonic() - began
        return summary

    def _settings(self) -> dict[str, object]:
        """Everything but the files that a prediction depends on."""
        localizer = self._stages.localizer
        return {
            "version": __version__,
            "model": localizer.engine.sha256,
            "provider": localizer.engine.provider,
            "limits": asdict(localizer.limits),
            "mode": self._options.mode,
            "effort": localizer.effort,
            "prior": None if localizer.prior is None else localizer.prior.sha256,
            "max_boxes": self._options.max_boxes,
            "hints": digest_hints(self._options.hints),
            "object": None if self._options.common is None else self._options.common.digest,
        }


class _Run:
    """Brings the journal up to date: the images that it has no valid entry of are worked on.

    Attributes:
        outputs: The files of this run and earlier ones.
        object_file: The file of the common object among them; None where there is none.
    """

    def __init__(
        self,
        images: Sequence[PlannedImage],
        stages: Stages,
        options: ScoreOptions,
        journal: Journal,
        outputs: Outputs,
        checkpoint: Callable[[], None],
    ) -> None:
        self.outputs = outputs
        self.object_file: Path | None = None
        self._place = outputs.folder / OBJECT_FILE
        self._images = images
        self._stages = stages
        self._options = options
        self._journal = journal
        self._checkpoint = checkpoint  # called for every image that is in the journal
        self._failed: set[str] = set()  # tried for the sample by this run, and already in the journal

    def bring_up_to_date(self, progress: ProgressDisplay) -> ScoreSummary:
        """Work on what is pending."""
        if self._options.mode == "attention":
            return self._stream(FittedSample(Basis(), {}), progress)
        if (common := self._options.common) is not None:
            if self._kept(common.digest) is not None:
                self.object_file = self._place  # it was fitted by an earlier run into the same folder
            return self._stream(FittedSample(Basis(common, common.digest), {}), progress)
        # If nothing is pending under the common object of a sample that can be read completely, it need not be
        # estimated again: entries of failed images are always pending.
        hinted = [index for index, image in enumerate(self._images) if image.hint is not None]
        chosen = choose_sample(len(self._images), Localizer.set_sample_size, always=hinted)
        sample = [self._images[index] for index in chosen]
        digest = digest_files(image.file for image in sample) if len(sample) > 1 else None
        known = self._journal.find(sample[0].file.name)
        if digest is not None and known is not None and not self._pending(digest):
            common = self._kept() if known.mode == "common" else None
            if common is not None or known.mode == "attention":
                self.object_file = None if common is None else self._place
                return ScoreSummary(known.mode, reused=len(self._images), common=common)
        with progress.phase("Finding the common object", len(sample)) as advance:

            def tried(image: ImageInWork) -> None:
                if image.error is not None:
                    self._failed.add(image.planned.file.name)
                    self._journal.append(self._stages.finish(image, Basis()))
                else:
                    advance()

            fitted = fit_sample(self._images, self._stages, self._options.sizes, tried)
        trim_heap()  # the pixels of the sample, and what the threads of the fit have freed
        problem = None if fitted.basis.common is None else self._keep(fitted.basis.common)
        summary = self._stream(fitted, progress)
        summary.notes += [problem] if problem else []
        return summary

    def _keep(self, common: CommonObject) -> str | None:
        """Write the file of the common object; gives what people need to know where it cannot be one."""
        self.outputs.begin([self._place])
        try:
            common.save(self._place)
        except ObjectError as error:
            return f"the common object is not kept: {error.message}"
        self.object_file = self._place
        return None

    def _kept(self, digest: str | None = None) -> CommonObject | None:
        """The common object that an earlier run has left, where it is as it was; of this digest, if one is given."""
        if not self.outputs.holds(self._place):
            return None
        try:
            common = CommonObject.load(self._place)
        except ObjectError:
            return None
        return common if digest in (None, common.digest) else None

    def _stream(self, fitted: FittedSample, progress: ProgressDisplay) -> ScoreSummary:
        pending = self._pending(fitted.basis.digest)
        if pending:
            self.outputs.begin(Path(drawing.path) for image in pending for drawing in image.drawings)
        # Given out once each, so that memory falls as the images pass.
        wanted = {image.file.name for image in pending}
        known = {name: image for name, image in fitted.known.items() if name in wanted}
        fitted.known.clear()

        def needs_content(planned: PlannedImage) -> bool:
            seen = known.get(planned.file.name)
            return seen is None or seen.prepared is None

        def prepare(one: FetchedImage) -> ImageInWork:
            seen = known.pop(one.planned.file.name, None)
            if seen is not None and seen.prepared is not None:
                return seen
            image = self._stages.prepare(one)
            if seen is not None:
                image.features, image.looks = seen.features, seen.looks
            return image

        def finish(image: ImageInWork) -> Entry:
            return self._stages.finish(image, fitted.basis)

        done = len(self._images) - len(pending)
        with (
            progress.phase("Scoring", len(self._images), done) as advance,
            closing(fetched(pending, self._stages.localizer.limits, needs_content)) as contents,
            closing(run_pipeline(contents, prepare, self._stages.infer, finish, self._options.sizes)) as entries,
        ):
            for entry in entries:
                self._journal.append(entry)
                self._checkpoint()
                advance()
        return ScoreSummary(fitted.basis.mode, reused=done - len(self._failed), common=fitted.basis.common)

    def _pending(self, digest: str | None) -> list[PlannedImage]:
        """The images that the journal has no valid entry of, and that this run has not tried."""

        def is_finished(image: PlannedImage) -> bool:
            entry = self._journal.find(image.file.name)
            return (
                entry is not None
                and entry.is_of(image.file)
                and entry.common == digest
                and all(kind in entry.drawn and Path(path).is_file() for kind, path in image.drawings)
            )

        return [image for image in self._images if image.file.name not in self._failed and not is_finished(image)]
