"""What a run is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from colocalization.common_object import CommonObject
from colocalization.engine import Device
from colocalization.hints import ImageHints
from colocalization.images import ImageLimits
from colocalization.model_choice import PrecisionChoice
from colocalization.outside_prior import PriorKind
from colocalization.results import Effort, Mode
from scoring.formats.base import ExportOptions, Format
from scoring.pipeline import PipelineSizes

__all__ = ["InputOptions", "MachineOptions", "RayOptions", "ScoreOptions"]


@dataclass(frozen=True, slots=True)
class InputOptions:
    """Which images, and what is known of them.

    Attributes:
        inputs: Folders, files and patterns, also as URLs.
        files_from: A file of names, `-` for standard input; None for no list.
        strict: Whether files that are no images count as failed.
        hints_file: A file of hints, or its URL; None for none.
        hints: Single hints, as on the command line.
        common: The file of a common object, or its URL; None: the set's own.
    """

    inputs: tuple[str, ...] = ()
    files_from: str | None = None
    strict: bool = False
    hints_file: str | None = None
    hints: tuple[str, ...] = ()
    common: str | None = None


@dataclass(frozen=True, slots=True)
class MachineOptions:
    """What the work runs on.

    Attributes:
        model: Model file; None takes the one in the box.
        precision: Which file of the model in the box is taken, or what that of `model` has to be.
        effort: How much work mode `common` takes.
        prior: File of a saliency network that joins the model's own prior; None for none.
        prior_kind: What kind of network that is; None: told by its name.
        device: Where the network runs.
        require_gpu: Whether to refuse to run without one.
        threads: Cores that the network takes on the CPU; 0 takes all.
        workers: Threads that decode and draw; 0 takes a core each, up to a bound.
        batch_size: Images in one run of the network on a GPU.
        limits: What one image may cost.
    """

    model: Path | None = None
    precision: PrecisionChoice = "auto"
    effort: Effort = "full"
    prior: Path | None = None
    prior_kind: PriorKind | None = None
    device: Device = "auto"
    require_gpu: bool = False
    threads: int = 0
    workers: int = 0
    batch_size: int = 32
    limits: ImageLimits = field(default_factory=ImageLimits)


@dataclass(frozen=True, slots=True)
class RayOptions:
    """Where the engine `ray` works.

    Attributes:
        address: Of the cluster; None: what `RAY_ADDRESS` says, else this machine alone.
        workers: Most workers; 0: one for each GPU, or core, that the cluster has now.
        part_images: Images, on average, that are worked on and written as a whole. A core takes 10 to 30 seconds for
            256, which is what the death of a worker costs, and a store one request to write them.
    """

    address: str | None = None
    workers: int = 0
    part_images: int = 256


@dataclass(frozen=True, slots=True)
class ScoreOptions:
    """What to do with the images.

    Attributes:
        mode: What the boxes are found by.
        max_boxes: Most boxes an image; 0: all.
        hints: What is known of images, by their names; they belong to every sample.
        common: A common object that was fitted before; None: the set's own.
        formats: Formats to write besides `predictions.jsonl`.
        export: What one can choose of them.
        heatmaps: Whether to draw a heat map of every image.
        overlays: Whether to draw heat map and boxes over every image.
        contact_sheet: Whether to draw a sheet of overlays.
        resume: Whether to take over what an earlier run finished.
        sizes: How much is done at once. Only the size of a batch can change a result, in the last bits of its floats.
    """

    mode: Mode = "common"
    max_boxes: int = 1
    hints: Mapping[str, ImageHints] = field(default_factory=dict)
    common: CommonObject | None = None
    formats: tuple[Format | str, ...] = ()
    export: ExportOptions = field(default_factory=ExportOptions)
    heatmaps: bool = False
    overlays: bool = False
    contact_sheet: bool = False
    resume: bool = True
    sizes: PipelineSizes = field(default_factory=PipelineSizes)

    def __post_init__(self) -> None:
        if self.max_boxes < 0:
            raise ValueError(f"max_boxes must be at least 1, or 0 for all, got {self.max_boxes}")
        if self.mode == "attention" and (self.hints or self.common is not None):
            raise ValueError("mode 'attention' uses neither hints nor a common object")
        if self.hints and self.common is not None:
            raise ValueError("give hints or a common object, not both")
        if unknown := [name for name in self.formats if name not in list(Format)]:
            raise ValueError(f"formats must be among {', '.join(Format)}, got {unknown[0]!r}")
