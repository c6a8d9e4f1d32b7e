"""What came of a run: counted as it is written, shown as a table."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from colocalization.advice import Advice, advise, counts_for_advice
from colocalization.common_object import CommonObject
from colocalization.hints import ImageHints
from colocalization.results import Mode
from colocalization.scales import scale_of
from scoring.outputs import Cleared
from scoring.predictions import Prediction

__all__ = ["ScoreSummary", "summary_table", "what_hints_did"]

_FAILURES_NAMED = 5


_COUNTS = ("images", "with_boxes", "boxes", "with_common_object", "judged", "judged_score")


@dataclass(slots=True)
class ScoreSummary:
    """What came of it.

    Attributes:
        mode: The mode that was used; `attention` where `common` had fewer than two readable images to go by, or they
            share nothing that stands out.
        images: Number of images, those that failed included.
        reused: How many were taken over from an earlier run.
        with_boxes: How many have at least one box.
        boxes: Number of boxes.
        with_common_object: How many are taken to show the common object; mode `attention` cannot tell.
        judged: How many best boxes say something of the set.
        judged_score: The sum of their scores.
        errors: Number of failed images by error code.
        warnings: Number of images that were read although something is wrong with them, by warning code.
        failures: The first of the failed images, each with the reason.
        seconds: Wall time.
        written: Files and folders that were written, in order.
        places: What people call them: where they were brought to.
        notes: What people need to know to use what was written.
        cleared: What became of the files of earlier runs that no longer hold.
        common: The common object that the images were localized by; None for mode `attention`.
        hints: What was said of images, by name.
    """

    mode: Mode
    images: int = 0
    reused: int = 0
    with_boxes: int = 0
    boxes: int = 0
    with_common_object: int = 0
    judged: int = 0
    judged_score: float = 0.0
    errors: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    written: list[Path] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    cleared: Cleared = field(default_factory=Cleared)
    common: CommonObject | None = None
    hints: Mapping[str, ImageHints] = field(default_factory=dict)

    def add(self, prediction: Prediction) -> None:
        """Count one image."""
        self.images += 1
        self.boxes += len(prediction["boxes"])
        self.with_boxes += bool(prediction["boxes"])
        shown = prediction["contains_common_object"]
        self.with_common_object += bool(shown)
        if prediction["boxes"] and counts_for_advice(score := prediction["boxes"][0]["score"], shown=shown):
            self.judged += 1
            self.judged_score += score
        if prediction["warning"] is not None:
            self.warnings[prediction["warning"]["code"]] += 1
        if prediction["error"] is not None:
            self.errors[prediction["error"]["code"]] += 1
            if len(self.failures) < _FAILURES_NAMED:
                self.failures.append(f"{prediction['path']!r}: {prediction['error']['message']}")

    @property
    def advice(self) -> Advice | None:
        """What to make of the boxes; None where there is none to judge."""
        hinted = any(said.boxes for said in self.hints.values())
        return advise(self.judged_score, self.judged, hinted=hinted, finer=scale_of(self.common) is not None)

    def counts(self) -> dict[str, Any]:
        """What was counted, as JSON can hold it."""
        return {
            **{name: getattr(self, name) for name in _COUNTS},
            "errors": dict(self.errors),
            "warnings": dict(self.warnings),
            "failures": self.failures,
        }

    def add_counts(self, counts: Mapping[str, Any]) -> None:
        """Count what was counted elsewhere.

        Args:
            counts: What `counts` gave there.
        """
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + counts[name])
        self.errors.update(counts["errors"])
        self.warnings.update(counts["warnings"])
        self.failures += counts["failures"][: _FAILURES_NAMED - len(self.failures)]


def summary_table(summary: ScoreSummary, *, skipped: int, provider: str, model: str) -> Table:
    """The closing table.

    Args:
        summary: What came of the run.
        skipped: Number of files that were left out because they are no images.
        provider: ONNX Runtime's name of the execution provider that ran the network.
        model: What the model is called.
    """
    table = Table(show_header=False, title="Scored", title_justify="left")
    table.add_column()
    table.add_column(justify="right", overflow="fold")
    rows: list[tuple[str, object]] = [
        ("mode", summary.mode),
        ("model", model),
        ("ran on", provider.removesuffix("ExecutionProvider")),
        *_hint_rows(summary),
        *([("scale", scale.text)] if (scale := scale_of(summary.common)) else []),
        ("images", summary.images),
        ("  with a box", summary.with_boxes),
        *([("  with the common object", summary.with_common_object)] if summary.mode == "common" else []),
        ("  that failed", summary.errors.total()),
        *((f"    {code.replace('_', ' ')}", count) for code, count in sorted(summary.errors.items())),
        *([("  with a warning", summary.warnings.total())] if summary.warnings else []),
        *((f"    {code.replace('_', ' ')}", count) for code, count in sorted(summary.warnings.items())),
        ("boxes", summary.boxes),
        *([] if summary.advice is None else [("  verdict", summary.advice.text)]),
        ("files that are no images", skipped),
        ("taken over from an earlier run", summary.reused),
        ("time", f"{summary.seconds:.1f} s"),
        ("images a second", f"{(summary.images - summary.reused) / max(summary.seconds, 1e-9):.1f}"),
        *([("outdated files removed", summary.cleared.removed)] if summary.cleared.removed else []),
        *(("written" if index == 0 else "", path) for index, path in enumerate(summary.places)),
    ]
    for name, value in rows:
        table.add_row(name, Text(str(value)))
    return table


def _hint_rows(summary: ScoreSummary) -> list[tuple[str, object]]:
    """How many hints there were, and what became of them."""
    if not summary.hints:
        return []
    boxes = sum(len(hint.boxes) for hint in summary.hints.values())
    without = sum(not hint.boxes for hint in summary.hints.values())
    return [
        ("hinted images", len(summary.hints)),
        ("  hinted boxes", boxes),
        *([("  said not to show it", without)] if without else []),
        ("  hints", what_hints_did(summary.common)),
    ]


def what_hints_did(common: CommonObject | None) -> str:
    """What hints have changed in the common object that was fitted with them."""
    if common is None:
        return "nothing could be learnt"
    if common.exemplar is None:
        return "joined what the images share"
    return "taught the object"
