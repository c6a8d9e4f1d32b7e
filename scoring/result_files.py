"""What a run leaves: `predictions.jsonl`, the other formats, the contact sheet."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from colocalization.files import atomic_writer
from scoring.contact_sheet import Tile, contact_sheet
from scoring.formats import ExportOptions, Format, write_format
from scoring.formats.base import Record, records
from scoring.journal import Journal
from scoring.plan import PlannedImage
from scoring.predictions import Prediction, encode_prediction, read_predictions
from scoring.run_options import ScoreOptions
from scoring.summary import ScoreSummary

__all__ = ["Results"]


@dataclass(frozen=True, slots=True)
class Results:
    """The results of one run, in their folder.

    Attributes:
        out: The folder.
        images: The images, in order.
        options: What the run was asked for.
        export: What was chosen for the formats, the model's name included.
    """

    out: Path
    images: Sequence[PlannedImage]
    options: ScoreOptions
    export: ExportOptions

    @property
    def predictions(self) -> Path:
        """The file that all others are made from."""
        return self.out / "predictions.jsonl"

    def write(self, journal: Journal, summary: ScoreSummary) -> list[str]:
        """Write everything from the journal; the summary counts it.

        Returns:
            All files besides `predictions.jsonl`, drawings included.

        Raises:
            OSError: A file cannot be written.
        """
        files = self._write_predictions(journal, summary)
        for kind in dict.fromkeys(self.options.formats):
            if kind != Format.JSONL:
                written = write_format(kind, partial(self._records, kind), self.out, self.export)
                summary.written.append(written.path)
                files += written.files
                summary.notes += [written.note] if written.note else []
        summary.written += [self.out / name for name in ("heatmaps", "overlays") if getattr(self.options, name)]
        if self.options.contact_sheet:
            sheet = self.out / "contact-sheet.jpg"
            with atomic_writer(sheet) as stream:
                contact_sheet(list(self._tiles())).save(stream, format="JPEG", quality=90)
            summary.written.append(sheet)
            files.append(str(sheet))
        return files

    def _write_predictions(self, journal: Journal, summary: ScoreSummary) -> list[str]:
        """Write the file; gives all drawings."""
        drawings: list[str] = []
        with atomic_writer(self.predictions) as stream:
            for image in self.images:
                entry = journal.find(image.file.name)
                if entry is None:
                    raise RuntimeError(f"{image.file.name!r} is missing from the journal of the run that scored it")
                stream.write(encode_prediction(entry.prediction))
                summary.add(entry.prediction)
                drawings += [path for kind, path in image.drawings if kind in entry.drawn]
        summary.written.append(self.predictions)
        return drawings

    def _records(self, kind: str) -> Iterator[Record]:
        files = (image.file for image in self.images)
        # Parquet is the predictions themselves, and nothing that is trained on.
        keep = self.export.keep_unflagged or kind == Format.PARQUET
        return records(files, read_predictions(self.predictions), keep_unflagged=keep)

    def _tiles(self) -> Iterator[Tile]:
        for image, prediction in zip(self.images, read_predictions(self.predictions), strict=True):
            if image.on_sheet:
                yield _tile(image, prediction)


def _tile(image: PlannedImage, prediction: Prediction) -> Tile:
    if prediction["error"] is not None:
        return Tile(image.file.name, None, prediction["error"]["code"].replace("_", " "))
    mark = "no common object" if prediction["contains_common_object"] is False else None
    path = next(path for kind, path in image.drawings if kind == "tile")
    return Tile(image.file.name, Path(path), mark)
