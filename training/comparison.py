"""Is the trained model better than the one in the box? Said without a label, by signs that learning does not work on.

The trained model learns the outlines that mode `common` of the model in the box finds. So what it says of the images
that taught it proves nothing: here each half of the images is looked at with what the other half has taught. Three
signs must come together for `better`:

- the teacher is to be trusted: by the scores of its boxes (`colocalization.box_scores`) at least half are right;
- there is something to gain: one look with the trained model agrees with `common` over the set more than one look with
  the model in the box does; or, for mode `attention` alone, `common` is far better than one look anyway;
- the trained model is not surer of its boxes than the model in the box: who learns from wrong outlines is.

They were settled on one division of eleven of fourteen sets of photographs, with the scores of that day;
docs/results.md says how often they are right now.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from colocalization.boxes import box_iou
from colocalization.results import ImageResult, Mode

__all__ = ["Comparison", "Judgement", "Measured", "compare_results", "judge", "table"]

Judgement = Literal["better", "no better"]
"""Of a trained model against the one in the box, in one mode."""

_TRUSTED = 0.5
"""Mean score of the boxes of `common` below which they are no teacher."""

_AGREES = 0.01
"""Gain in agreement with `common` that is one."""

_AHEAD = 0.1
"""How far the mean score of `common` lies above that of one look where it is far better."""

_SURER = 0.06
"""Rise of the mean score that is no gain but delusion."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What is measured of a model over the images.

    Attributes:
        agreement: Mean IoU of its boxes in mode `attention` with those that the model in the box finds in mode
            `common`, in [0, 1].
        attention: Mean score of its boxes in mode `attention`: about the share that is right, in [0, 1].
        common: The same in mode `common`.
    """

    agreement: float
    attention: float
    common: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """A trained model beside the one in the box.

    Attributes:
        images: How many images were looked at.
        box: The model in the box.
        trained: The trained model; None where there was nothing to learn.
        reason: Why it is judged so, in one sentence.
        judgements: For each mode.
    """

    images: int
    box: Measured | None
    trained: Measured | None
    reason: str
    judgements: dict[Mode, Judgement]

    @property
    def better(self) -> bool:
        """Whether it is better in any mode."""
        return "better" in self.judgements.values()

    def to_json(self) -> dict[str, Any]:
        """As kept in the folder of a run."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Comparison":
        """From the folder of a run."""
        box, trained = (None if values[name] is None else Measured(**values[name]) for name in ("box", "trained"))
        return cls(values["images"], box, trained, values["reason"], values["judgements"])


def compare_results(
    teacher: Sequence[ImageResult], attention: Sequence[ImageResult], common: Sequence[ImageResult]
) -> Measured:
    """Measure a model.

    Args:
        teacher: What the model in the box finds in mode `common`, at least one image.
        attention: What the model finds in the same images in mode `attention`.
        common: And in mode `common`.
    """
    return Measured(
        float(np.mean([_overlap(*pair) for pair in zip(attention, teacher, strict=True)])),
        *(float(np.mean([_score(result) for result in results])) for results in (attention, common)),
    )


def judge(images: int, box: Measured, trained: Measured) -> Comparison:
    """Compare a trained model with the one in the box.

    Args:
        images: How many images were looked at.
        box: The model in the box.
        trained: The trained model, each half of the images with what the other half has taught in mode `attention`.

    Example:
        >>> judge(40, Measured(0.70, 0.6, 0.7), Measured(0.80, 0.6, 0.7)).judgements
        {'attention': 'better', 'common': 'better'}
        >>> judge(40, Measured(0.70, 0.6, 0.4), Measured(0.80, 0.6, 0.7)).reason
        'mode common is not to be trusted here: about 40 % of its boxes are likely right, at least 50 % needed'
    """
    agrees = trained.agreement >= box.agreement + _AGREES
    better = False
    if box.common < _TRUSTED:
        reason = (
            f"mode common is not to be trusted here: about {_percent(box.common)} of its boxes are likely right, at "
            f"least {_percent(_TRUSTED)} needed"
        )
    elif trained.attention >= box.attention + _SURER:
        reason = "the trained model is surer of its boxes than what taught it, which is no good sign"
    elif agrees:
        better, reason = True, "one look does more of what the whole set does"
    elif box.common >= box.attention + _AHEAD:
        better, reason = True, "the whole set does far more than one look did, which has learnt from it"
    else:
        reason = "one look does no more of what the whole set does than before"
    words: dict[bool, Judgement] = {True: "better", False: "no better"}
    return Comparison(images, box, trained, reason, {"attention": words[better], "common": words[better and agrees]})


def table(comparison: Comparison) -> list[str]:
    """The comparison as lines for people."""
    lines = [f"compared on {comparison.images} images, without a label: {comparison.reason}"]
    box, trained = comparison.box, comparison.trained
    if box is None or trained is None:
        return lines
    lines.append(f"{'mode':<11}{'boxes likely right':>25}{'agrees with common':>25}   trained model")
    lines.append(f"{'':<11}{'in the box':>14}{'trained':>11}{'in the box':>14}{'trained':>11}")
    lines.append(
        f"{'attention':<11}{_percent(box.attention):>14}{_percent(trained.attention):>11}"
        f"{box.agreement:>14.2f}{trained.agreement:>11.2f}   {comparison.judgements['attention']}"
    )
    lines.append(
        f"{'common':<11}{_percent(box.common):>14}{_percent(trained.common):>11}{'':>25}   "
        f"{comparison.judgements['common']}"
    )
    return lines


def _overlap(first: ImageResult, second: ImageResult) -> float:
    if not first.boxes or not second.boxes:
        return 0.0
    return float(box_iou([first.boxes[0].as_tuple()], [second.boxes[0].as_tuple()])[0, 0])


def _score(result: ImageResult) -> float:
    return result.boxes[0].score if result.boxes else 0.0


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
