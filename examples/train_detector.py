"""Train a small detector on boxes that `colocalize score` has found, and use it on single images.

    colocalize score photographs --out results --format coco --label bird
    python examples/train_detector.py results/coco.json photographs --out detector.pt

It is torchvision's FCOS over the frozen features of EfficientNet-Lite0, whose weights the extra `train` brings. Images
that do not show the common object have no box in the file, and are background.
The file that is written holds the network's learnt part; `load` makes a detector of it.
"""

import argparse
import csv
import json
import random
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor, nn
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator

from colocalization.corloc import CorLoc
from training.backbones import create_backbone

Sample = tuple[Tensor, Tensor]
"""An image, (3, H, W) float [0, 1], and its boxes, (N, 4) float `x0, y0, x1, y1` in pixels."""

_CHANNELS = 64
_STRIDE = 16


class Features(nn.Module):
    """Frozen ImageNet features, and a convolution that learns."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = create_backbone("tf_efficientnet_lite0").requires_grad_(False).eval()
        self.reduce = nn.Conv2d(self.backbone.channels, _CHANNELS, 1)
        self.out_channels = _CHANNELS  # FCOS asks for it

    def train(self, mode: bool = True) -> "Features":
        """Let the frozen part be as it is: its statistics are ImageNet's."""
        super().train(mode)
        self.backbone.eval()
        return self

    def forward(self, images: Tensor) -> "OrderedDict[str, Tensor]":
        """One level of features, at stride 16."""
        with torch.no_grad():
            features = self.backbone(images)
        return OrderedDict({"0": self.reduce(features)})


def build(side: int) -> FCOS:
    """A detector of one class.

    Args:
        side: Images are scaled until their long side is this, in pixels.
    """
    features = Features()
    anchors = AnchorGenerator(sizes=((_STRIDE,),), aspect_ratios=((1.0,),))
    detector = FCOS(
        features, num_classes=2, anchor_generator=anchors, min_size=side, max_size=side,
        image_mean=list(features.backbone.mean), image_std=list(features.backbone.std),
        score_thresh=0.05, detections_per_img=20,
    )  # fmt: skip
    detector.transform.size_divisible = _STRIDE
    return detector


def learnt(detector: FCOS) -> dict[str, Tensor]:
    """What training changes, to be kept."""
    return {name: value for name, value in detector.state_dict().items() if not name.startswith("backbone.backbone.")}


def load(path: Path) -> FCOS:
    """The detector of a file, for use: `load(path)([image])[0]` has `boxes` and `scores`."""
    kept = torch.load(path, weights_only=True)
    detector = build(kept["side"])
    detector.load_state_dict(kept["learnt"], strict=False)
    return detector.eval()


def read_image(path: Path, side: int) -> tuple[Tensor, float]:
    """An upright image at the working size, (3, H, W) float [0, 1], and how it was scaled."""
    with Image.open(path) as opened:
        image = ImageOps.exif_transpose(opened).convert("RGB")
    scale = side / max(image.size)
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    return torch.from_numpy(np.asarray(image, dtype=np.float32) / 255).permute(2, 0, 1), scale


def read_samples(coco: Path, images: Path, side: int) -> list[Sample]:
    """All images of a COCO file with their boxes, scaled; a few thousand fit in memory.

    Raises:
        SystemExit: None of them shows the object.
    """
    told = json.loads(coco.read_text(encoding="utf-8"))
    boxes: dict[int, list[list[float]]] = defaultdict(list)
    for annotation in told["annotations"]:
        x, y, width, height = annotation["bbox"]
        boxes[annotation["image_id"]].append([x, y, x + width, y + height])
    if not boxes:
        raise SystemExit(f"{coco} has no box to learn from")
    samples = []
    for entry in told["images"]:
        image, scale = read_image(images / entry["file_name"], side)
        samples.append((image, torch.tensor(boxes[entry["id"]], dtype=torch.float32).reshape(-1, 4) * scale))
    return samples


def batches(samples: list[Sample], size: int) -> Iterator[list[Sample]]:
    """Random samples for ever, half of them mirrored."""
    while True:
        for start in range(0, len(samples) - size + 1, size):
            if start == 0:
                random.shuffle(samples)
            yield [mirrored(sample) if random.random() < 0.5 else sample for sample in samples[start : start + size]]  # noqa: S311


def mirrored(sample: Sample) -> Sample:
    """The sample as in a mirror."""
    image, boxes = sample
    width = image.shape[2]
    return image.flip(2), torch.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], dim=1)


def train(detector: FCOS, samples: list[Sample], steps: int, size: int = 4) -> list[float]:
    """Train, and give the loss of each step."""
    detector.train()
    weights = [weight for weight in detector.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-3, total_steps=steps)
    losses: list[float] = []
    for step, batch in zip(range(steps), batches(samples, min(size, len(samples))), strict=False):
        targets = [{"boxes": boxes, "labels": torch.ones(len(boxes), dtype=torch.int64)} for _, boxes in batch]
        loss = sum(detector([image for image, _ in batch], targets).values())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if step % 25 == 0 or step == steps - 1:
            print(f"step {step:4}  loss {losses[-1]:.3f}")  # noqa: T201
    return losses


@torch.no_grad()
def corloc(detector: FCOS, images: Path, boxes: Path, side: int) -> float:
    """CorLoc at an IoU of 0.5, in percent, on the images of a file of true boxes."""
    true: dict[str, list[list[float]]] = defaultdict(list)
    with boxes.open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            true[row["file"]].append([float(row[corner]) for corner in ("x0", "y0", "x1", "y1")])
    scores = CorLoc()
    for name, corners in true.items():
        image, scale = read_image(images / name, side)
        scores.add(detector.eval()([image])[0]["boxes"].numpy() / scale, corners)
    return scores.compute().at[0.5]


def main() -> None:
    """Read the command line, train, write the detector."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("coco", type=Path, help="coco.json of `colocalize score --format coco`")
    parser.add_argument("images", type=Path, help="folder of the images")
    parser.add_argument("--out", type=Path, default=Path("detector.pt"))
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--side", type=int, default=256, help="long side of the images, in pixels")
    parser.add_argument("--boxes", type=Path, help="true boxes (file,x0,y0,x1,y1) to measure with, of other images")
    parser.add_argument("--test-images", type=Path, help="folder of those; the same folder if left out")
    given = parser.parse_args()
    random.seed(0)
    torch.manual_seed(0)
    detector = build(given.side)
    train(detector, read_samples(given.coco, given.images, given.side), given.steps)
    torch.save({"side": given.side, "learnt": learnt(detector)}, given.out)
    print(f"wrote {given.out}")  # noqa: T201
    if given.boxes is not None:
        share = corloc(detector, given.test_images or given.images, given.boxes, given.side)
        print(f"CorLoc at 0.5: {share:.0f}%")  # noqa: T201


if __name__ == "__main__":
    main()
