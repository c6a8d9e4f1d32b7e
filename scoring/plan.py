"""What a run will write of each image: decided once, before any work is done."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from colocalization.common_object import sample_indices
from colocalization.hints import ImageHints
from colocalization.listing import STATE_FOLDER, ImageFile
from scoring.contact_sheet import MAX_TILES
from scoring.drawings import Drawing
from scoring.formats import FormatError, check_names
from scoring.names import fitting
from scoring.run_options import ScoreOptions

__all__ = ["PlannedImage", "plan"]


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image, and what is to be drawn of it.

    Attributes:
        file: The image.
        drawings: What to draw, and where.
        on_sheet: Whether it is shown on the contact sheet.
        hint: What is known of it, or None.
    """

    file: ImageFile
    drawings: tuple[Drawing, ...] = ()
    on_sheet: bool = False
    hint: ImageHints | None = None


def plan(files: Sequence[ImageFile], out: Path, options: ScoreOptions) -> list[PlannedImage]:
    """Give every image its drawings.

    The whole name of an image, ending included, begins the name of what is drawn of it (`a.jpg.png`), so that `a.jpg`
    and `a.png` do not overwrite each other's. Overlays are JPEG files; that of a JPEG has its very name.

    Args:
        files: The images.
        out: Folder of the results.
        options: What is asked for.

    Raises:
        FormatError: The names cannot be expressed in a format, or two images would have the same overlay.
    """
    check_names(options.formats, files, options.export)
    shown = set(sample_indices(len(files), MAX_TILES).tolist()) if options.contact_sheet else set()
    owners: dict[str, str] = {}
    planned = []
    for index, file in enumerate(files):
        drawings = []
        if options.heatmaps:
            drawings.append(Drawing("heatmap", str(out / "heatmaps" / fitting(file.name, ".png"))))
        if options.overlays:
            overlay = fitting(file.name, "" if file.name.lower().endswith((".jpg", ".jpeg")) else ".jpg")
            if (other := owners.setdefault(overlay, file.name)) != file.name:
                raise FormatError(f"the overlays of {other!r} and {file.name!r} would be the same file; rename one")
            drawings.append(Drawing("overlay", str(out / "overlays" / overlay)))
        if index in shown:
            drawings.append(Drawing("tile", str(out / STATE_FOLDER / "tiles" / fitting(file.name, ".png"))))
        planned.append(PlannedImage(file, tuple(drawings), index in shown, options.hints.get(file.name)))
    return planned
