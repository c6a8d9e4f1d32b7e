"""The settings of a training run: their closed sets of strings, their ranges, and one frozen, typed object of them all.

No torch here: the modules that work with the settings import them from here, and so does whoever only reads them.
See docs/training.md for what the settings do, and `training.config_file` for how they are read.
"""

from collections.abc import Iterable
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from colocalization.metadata import Pooling
from training.errors import TrainingError

__all__ = [
    "TASKS",
    "BackboneConfig",
    "BatchNormalisation",
    "Contrast",
    "DataConfig",
    "EvaluateWhen",
    "FeatureMap",
    "Fill",
    "ForegroundConfig",
    "HeadInput",
    "LossConfig",
    "MixedPrecision",
    "OptimizerConfig",
    "OptimizerName",
    "PoolingConfig",
    "PretextConfig",
    "RunConfig",
    "Schedule",
    "Selection",
    "Task",
    "TrainingConfig",
    "parse_tasks",
]

FeatureMap = Literal["head", "block"]
"""Which feature map of a backbone is pooled, see `training.backbones`."""

BatchNormalisation = Literal["frozen", "train"]
"""Batch normalisation in training: with the statistics of the weights as loaded, or with those of the batch."""

HeadInput = Literal["weighted", "features"]
"""What the pretext heads see: the gated feature map F_w, so that the pretext tasks train the gate, or the plain F. The
paper does not say; `weighted` is our reading."""

Task = Literal["point_symmetry", "flip", "rotation", "shear", "scale", "translation"]
"""The pretext tasks, see `training.pretext`."""

TASKS: tuple[Task, ...] = get_args(Task)
"""All tasks, in the order in which their transformations act."""

Fill = Literal["mean", "reflect", "crop"]
"""What stands where a transformed image has no content of the original. `mean`: the network's zero, as a paper's
undefined region; a cue that a network can read the transformation off. `reflect`: the original mirrored at its edges
(PsyNet). `crop`: views are cut small enough out of the image that real content is there."""

Contrast = Literal["infonce", "triplet"]
"""How the form `feature` of the loss compares."""

OptimizerName = Literal["sgd", "adamw"]
Schedule = Literal["constant", "step", "cosine"]
MixedPrecision = Literal["off", "bf16", "fp16"]

Selection = Literal["last", "transfer", "distinctness", "equivariance", "pretext_accuracy", "loss"]
"""What chooses the epoch: a label-free signal on held-out images, see `training.validation`, or being the last."""

EvaluateWhen = Literal["never", "ends", "epochs"]
"""When labelled test images are scored, for the record only: `ends` is before training and the chosen epoch."""

_TASK_LETTERS: dict[str, Task] = {
    "R": "rotation",
    "S": "scale",
    "T": "translation",
    "H": "shear",
    "F": "flip",
    "P": "point_symmetry",
    "O": "point_symmetry",  # PsyNet's "odd"
}


def parse_tasks(names: str | Iterable[str]) -> tuple[Task, ...]:
    """Read a combination of pretext tasks.

    Args:
        names: Names, or a text of names or letters joined by "+".

    Returns:
        The tasks, in the order in which they act.

    Raises:
        TrainingError: There is no such task, one comes twice, or there is none at all.

    Example:
        >>> parse_tasks("S+R")
        ('rotation', 'scale')
    """
    parts = names.split("+") if isinstance(names, str) else list(names)
    known: dict[str, Task] = {**_TASK_LETTERS}
    known.update((task, task) for task in TASKS)
    found: list[Task] = []
    for part in parts:
        if part.strip() not in known:
            raise TrainingError(f"there is no pretext task {part!r}; allowed: {', '.join(known)}, joined by '+'")
        found.append(known[part.strip()])
    if len(set(found)) != len(found) or not found:
        raise TrainingError(f"expected one or more different pretext tasks, got {names!r}")
    return tuple(task for task in TASKS if task in found)


_Share = Annotated[float, Field(ge=0, le=1)]
_PositiveShare = Annotated[float, Field(gt=0, le=1)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class DataConfig(_Section):
    """Images.

    Attributes:
        layout: Layout of the folder, see `training.datasets`; `auto` recognises it.
        category: Class of images to keep, for sets of many (PASCAL VOC, Pets); empty: all.
        resize: Side that images are squashed to, in pixels.
        crop: Side S of the views that the network is trained on, in pixels, a multiple of the
            backbone's stride.
        mirror: Whether views are mirrored left to right at random.
        held_out: Share of the training images that are not trained on but used to choose the epoch.
        cache_mb: Decoded images kept in memory, at most this many MB; 0 decodes anew each epoch.
        workers: Processes that decode, at most as many as there are cores; 0: the training process itself.
    """

    layout: str = "auto"
    category: str = ""
    resize: _Count = 256
    crop: _Count = 224
    mirror: bool = False
    held_out: _Share = 0.1
    cache_mb: Annotated[int, Field(ge=0)] = 1024
    workers: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.crop > self.resize:
            raise ValueError(f"crop must be at most resize ({self.resize}), got {self.crop}")
        if self.held_out > 0.9:
            raise ValueError(f"held_out must be at most 0.9, got {self.held_out}")
        return self


class BackboneConfig(_Section):
    """Network up to the feature map.

    Attributes:
        name: timm's name.
        weights: `imagenet`, `none` or the path of a weight file.
        feature_map: `head` or `block`, see `training.backbones`.
        norm: Batch normalisation by the statistics of the weights (`frozen`) or of the batch (`train`).
        frozen_stages: How many stages from the input on do not learn.
        dilated: Whether a ResNet's last stage is dilated where its stride is taken out; PsyNet's is not.
    """

    name: str = "tf_efficientnet_lite0"
    weights: str = "imagenet"
    feature_map: FeatureMap = "head"
    norm: BatchNormalisation = "frozen"
    frozen_stages: Annotated[int, Field(ge=0)] = 0
    dilated: bool = True


class PoolingConfig(_Section):
    """Attention pooling.

    Attributes:
        kind: `ptap`, `channel`, `max` or `avg`.
        k: Share of the channels, in (0, 1].
        gate: Whether a gate weighs the channels.
        at_train: Whether this pooling makes the map in training; else the channel mean does.
        at_test: The same at test.
        head_input: What the pretext heads see, the gated feature map or the plain one.
    """

    kind: Pooling = "ptap"
    k: _PositiveShare = 0.7
    gate: bool = True
    at_train: bool = True
    at_test: bool = True
    head_input: HeadInput = "weighted"


class PretextConfig(_Section):
    """Pretext tasks.

    Attributes:
        tasks: Names, or letters joined by "+" (`R+S`), see `training.pretext`.
        fill: What stands where a transformed image has no content, see `training.geometry`.
    """

    tasks: Annotated[tuple[Task, ...], BeforeValidator(lambda names: _parse(names))] = ("rotation", "scale")
    fill: Fill = "mean"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if "point_symmetry" in self.tasks and self.fill != "reflect":
            raise ValueError(f"point_symmetry needs fill 'reflect', got {self.fill!r}")
        return self


def _parse(names: str | Iterable[str]) -> tuple[Task, ...]:
    try:
        return parse_tasks(names)
    except TrainingError as error:
        raise ValueError(error.message) from error


class LossConfig(_Section):
    """Contrastive attention map loss.

    Attributes:
        map_weight: lambda of the form `map`; 0: off.
        feature_weight: lambda of the form `feature`; 0: off.
        map_temperature: tau of the form `map`.
        map_others: Weight of each other image's map among the negatives of the form `map`; the background's is 1.
        feature_temperature: tau of the form `feature`.
        contrast: InfoNCE or triplet, for the form `feature`.
        margin: Margin of the triplet.
        across: Weight of foregrounds alike across images, within the form `feature`.
        agreement: Weight of |A' - T(A)|, within the form `feature`.
        least_visible: Share of the frame that must have content for an image to count.
    """

    map_weight: _NotNegative = 0.0
    feature_weight: _NotNegative = 0.0
    map_temperature: _Positive = 0.1
    map_others: _NotNegative = 1.0
    feature_temperature: _Positive = 0.1
    contrast: Contrast = "infonce"
    margin: _NotNegative = 0.5
    across: _NotNegative = 1.0
    agreement: _NotNegative = 1.0
    least_visible: _Share = 0.1

    @property
    def active(self) -> bool:
        """Whether either form is on, so that the untransformed images go through the network too."""
        return self.map_weight > 0 or self.feature_weight > 0


class OptimizerConfig(_Section):
    """Optimiser and schedule.

    Attributes:
        name: `sgd` (Nesterov) or `adamw`.
        lr: Learning rate of the backbone.
        head_lr_scale: Learning rate of the heads and the gate, as a multiple of `lr`.
        momentum: Momentum of SGD.
        weight_decay: Weight decay of weight matrices and kernels; biases, norms and the gate have none.
        schedule: `constant`, `step` (times `gamma` at each milestone) or `cosine` (down to 0).
        milestones: Epochs of the schedule `step`.
        gamma: Factor of the schedule `step`.
        warmup_epochs: Epochs, or a part of one, over which the rate rises from 0.
        grad_clip: Largest norm of the gradient; 0: no clipping.
        ema: Decay of the moving average of the weights that is validated and kept; 0: off.
    """

    name: OptimizerName = "sgd"
    lr: _Positive = 1e-3
    head_lr_scale: _Positive = 1.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: _NotNegative = 0.0
    schedule: Schedule = "cosine"
    milestones: tuple[_Positive, ...] = ()
    gamma: _PositiveShare = 0.2
    warmup_epochs: _NotNegative = 0.0
    grad_clip: _NotNegative = 0.0
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0


class ForegroundConfig(_Section):
    """The foreground prior, learnt from outlines once the network is what it will be; see `training.foreground_stage`.

    Attributes:
        learn: Whether the run ends with it, and with the comparison with the model in the box.
        input_size: Side of the network's input that it is learnt and compared at, in pixels: that of the export.
    """

    learn: bool = True
    input_size: _Count = 448


class RunConfig(_Section):
    """The run itself.

    Attributes:
        epochs: Passes over the training images; 0: the network stays as it is, and the foreground alone is learnt.
        batch_size: Images a step, over all processes.
        seed: Seed of everything random.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.
        amp: Mixed precision: `off`, `bf16` or `fp16`.
        checkpoint_steps: A checkpoint every so many steps, beside the one at the end of each epoch; 0: only there.
        select: Label-free signal on the held-out images that chooses the epoch, or `last`; the network before
            training is a candidate.
        evaluate: When labelled test images are scored, for the record only: `never`, `ends` (untrained and chosen
            epoch) or `epochs`.
        tensorboard: Whether scalars and heat maps are written for TensorBoard.
    """

    epochs: Annotated[int, Field(ge=0)] = 12
    batch_size: _Count = 32
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    amp: MixedPrecision = "off"
    checkpoint_steps: Annotated[int, Field(ge=0)] = 0
    select: Selection = "transfer"
    evaluate: EvaluateWhen = "ends"
    tensorboard: bool = True


class TrainingConfig(_Section):
    """Everything that a run is set by."""

    data: DataConfig = DataConfig()
    backbone: BackboneConfig = BackboneConfig()
    pooling: PoolingConfig = PoolingConfig()
    pretext: PretextConfig = PretextConfig()
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    foreground: ForegroundConfig = ForegroundConfig()
    run: RunConfig = RunConfig()

    @model_validator(mode="after")
    def _check(self) -> Self:
        if "flip" in self.pretext.tasks and self.data.mirror:
            raise ValueError("data.mirror must be off where flip is a pretext task: it would make the labels wrong")
        return self
