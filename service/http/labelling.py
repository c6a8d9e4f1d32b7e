"""Label Studio's words: its labelling interface, and regions in percent of an image's sides, from boxes and back."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from colocalization.boxes import Box
from colocalization.hints import Corners, ImageHints

__all__ = ["LabelInterface", "annotation_hints", "read_interface", "regions"]

_MOST_BYTES = 2**18


@dataclass(frozen=True, slots=True)
class LabelInterface:
    """What of a labelling interface boxes need.

    Attributes:
        control: Name of the control that draws rectangles.
        image: Name of the image that it draws on.
        data: Member of a task's data that holds the image's address.
        label: The label of the boxes: the first that the control has.
    """

    control: str
    image: str
    data: str
    label: str


def read_interface(config: str) -> LabelInterface:
    """Read a labelling interface.

    Args:
        config: Its XML.

    Raises:
        ValueError: It is no XML, or draws no rectangles on an image.

    Example:
        >>> read_interface('''<View><Image name="i" value="$url"/><RectangleLabels name="l" toName="i">
        ...   <Label value="bird"/></RectangleLabels></View>''')
        LabelInterface(control='l', image='i', data='url', label='bird')
    """
    images: dict[str, str] = {}
    controls: list[dict[str, str]] = []
    labels: dict[int, str] = {}
    inside: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag == "Image":
            images[attributes.get("name", "")] = attributes.get("value", "").removeprefix("$")
        elif tag == "RectangleLabels":
            controls.append(attributes)
        elif tag == "Label" and "RectangleLabels" in inside:
            labels.setdefault(len(controls) - 1, attributes.get("value", ""))
        inside.append(tag)

    def refuse(*_: object) -> None:
        raise ValueError("the labelling interface has a document type, which none needs")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = lambda _: inside.pop()
    parser.StartDoctypeDeclHandler = refuse  # and with it entities, which can grow without end
    if len(config) > _MOST_BYTES:
        raise ValueError(f"the labelling interface has more than {_MOST_BYTES} characters")
    try:
        parser.Parse(config, True)
    except expat.ExpatError as error:
        raise ValueError(f"the labelling interface is no XML: {error}") from error
    for index, control in enumerate(controls):
        if (to := control.get("toName", "")) in images and labels.get(index):
            return LabelInterface(control.get("name", ""), to, images[to], labels[index])
    raise ValueError("the labelling interface needs an <Image> and <RectangleLabels> on it with a <Label>")


def regions(boxes: Iterable[Box], width: int, height: int, interface: LabelInterface) -> list[dict[str, Any]]:
    """Boxes as Label Studio's regions.

    Args:
        boxes: Boxes in pixels of the original.
        width: Width of the original, in pixels.
        height: Height of the original, in pixels.
        interface: Where they are drawn.
    """
    return [
        {
            "id": f"box{number}",
            "type": "rectanglelabels",
            "from_name": interface.control,
            "to_name": interface.image,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "score": box.score,
            "value": {
                "x": 100 * box.x0 / width,
                "y": 100 * box.y0 / height,
                "width": 100 * (box.x1 - box.x0) / width,
                "height": 100 * (box.y1 - box.y0) / height,
                "rotation": 0,
                "rectanglelabels": [interface.label],
            },
        }
        for number, box in enumerate(boxes, start=1)
    ]


def annotation_hints(annotations: Sequence[Mapping[str, Any]], interface: LabelInterface) -> ImageHints | None:
    """What annotators said of an image: the rectangles of the last annotation that was not skipped.

    Args:
        annotations: A task's annotations, as Label Studio exports them.
        interface: Where rectangles are drawn, and which label counts.

    Returns:
        Its rectangles as shares of the image's sides, since the size that a region states is its writer's word; none
        where it was submitted without any. None where nobody has said anything of this label: also where all that is
        drawn has others.
    """
    said = [one for one in annotations if not one.get("was_cancelled")]
    if not said:
        return None
    last = max(said, key=lambda one: str(one.get("updated_at", "")))
    drawn = [region for region in last.get("result") or () if region.get("from_name") == interface.control]
    own = [one for one in drawn if interface.label in (one.get("value") or {}).get("rectanglelabels", ())]
    if drawn and not own:
        return None
    return ImageHints(tuple(box for box in map(_shares, own) if box is not None), are_shares=True)


def _shares(region: Mapping[str, Any]) -> Corners | None:
    """The upright box of a region as shares of its image's sides, within it; None where nothing of it is.

    A turned rectangle is turned about its corner, clockwise and in pixels, for which the image's ratio is needed. (That
    the image itself was turned while it was annotated, `image_rotation`, changes nothing in the numbers.)
    """
    value = region["value"]
    x, y, across, down = (float(value[name]) / 100 for name in ("x", "y", "width", "height"))
    angle = math.radians(value.get("rotation") or 0)
    ratio = float(region["original_width"]) / float(region["original_height"]) if angle else 1.0
    cos, sin = math.cos(angle), math.sin(angle)
    xs = [x + a * cos - d * sin / ratio for a in (0, across) for d in (0, down)]
    ys = [y + a * sin * ratio + d * cos for a in (0, across) for d in (0, down)]
    x0, y0, x1, y1 = max(0.0, min(xs)), max(0.0, min(ys)), min(1.0, max(xs)), min(1.0, max(ys))
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
