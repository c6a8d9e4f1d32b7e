"""Label Studio's regions and boxes, by numbers that can be worked out by hand."""

from typing import Any

import pytest

from colocalization.boxes import Box
from service.http.labelling import LabelInterface, annotation_hints, read_interface, regions

CONFIG = """<View><Header value="x"/><Image name="img" value="$url" zoom="true"/><Choices name="c" toName="img"/>
<RectangleLabels name="rect" toName="img"><Label value="plate" background="red"/><Label value="car"/>
</RectangleLabels></View>"""
INTERFACE = LabelInterface("rect", "img", "url", "plate")


def region(x: float, y: float, width: float, height: float, **members: Any) -> dict[str, Any]:
    value = {"x": x, "y": y, "width": width, "height": height, "rotation": 0, "rectanglelabels": ["plate"]}
    value.update(members.pop("value", {}))
    return {"from_name": "rect", "original_width": 200, "original_height": 100, "value": value, **members}


def annotation(*result: dict[str, Any], at: str = "2026-01-01", **members: Any) -> dict[str, Any]:
    return {"result": list(result), "updated_at": at, "was_cancelled": False, **members}


def test_the_first_rectangles_on_an_image_and_their_first_label() -> None:
    assert read_interface(CONFIG) == INTERFACE


@pytest.mark.parametrize(
    "config",
    [
        "", "<View>", "<View/>", CONFIG.replace('toName="img"><Label', 'toName="other"><Label'),
        CONFIG.replace("Label ", "Tag "),
        '<!DOCTYPE a [<!ENTITY b "cc">]>' + CONFIG, " " * 2**18 + CONFIG,
    ],
)  # fmt: skip
def test_interfaces_without_rectangles_and_with_entities_are_refused(config: str) -> None:
    with pytest.raises(ValueError, match="labelling interface"):
        read_interface(config)


def test_boxes_are_percents_and_come_back() -> None:
    (one,) = regions([Box(20, 10, 60, 30, 0.5)], 200, 100, INTERFACE)
    assert (one["from_name"], one["to_name"], one["type"], one["score"]) == ("rect", "img", "rectanglelabels", 0.5)
    assert one["value"] == {
        "x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0, "rectanglelabels": ["plate"],
    }  # fmt: skip
    said = annotation_hints([annotation(one)], INTERFACE)
    assert said is not None
    (box,) = said.pixels(200, 100)
    assert box == pytest.approx((20, 10, 60, 30))


def boxes(*annotations: dict[str, Any]) -> Any:
    said = annotation_hints(annotations, INTERFACE)
    return None if said is None else said.pixels(200, 100)


def test_the_last_annotation_counts_and_skipped_ones_do_not() -> None:
    old, new = annotation(region(0, 0, 10, 10), at="2026-01-01"), annotation(region(50, 50, 50, 50), at="2026-01-02")
    assert boxes(new, old) == ((100, 50, 200, 100),)
    assert boxes(old, {**new, "was_cancelled": True}) == ((0, 0, 20, 10),)
    assert boxes({**new, "was_cancelled": True}) is None
    assert boxes() is None
    assert boxes(annotation()) == ()  # submitted without a rectangle: the image does not show it


def test_sizes_that_regions_state_do_not_count_and_need_not_be_there() -> None:
    one = region(50, 50, 50, 50)
    for size in ({"original_width": 4000, "original_height": 3000}, {"original_width": None}):
        assert boxes(annotation({**one, **size})) == ((100, 50, 200, 100),)
    del one["original_width"], one["original_height"]
    assert boxes(annotation(one)) == ((100, 50, 200, 100),)


def test_an_image_of_which_only_other_labels_were_drawn_is_not_told_to_lack_the_first() -> None:
    assert boxes(annotation(region(0, 0, 10, 10, value={"rectanglelabels": ["car"]}))) is None
    assert boxes(annotation({"from_name": "c", "value": {"choices": ["x"]}})) == ()  # nothing was drawn


def test_other_labels_and_controls_say_nothing() -> None:
    other = region(0, 0, 10, 10, value={"rectanglelabels": ["car"]})
    assert boxes(annotation(other, {"from_name": "c", "value": {"choices": ["x"]}}, region(10, 10, 10, 10))) == (
        (20, 10, 40, 20),
    )


def test_rectangles_end_at_the_image_and_rotated_ones_are_enclosed() -> None:
    assert boxes(annotation(region(90, 90, 20, 20), region(101, 0, 5, 5))) == ((180, 90, 200, 100),)
    (turned,) = boxes(
        annotation(region(50, 50, 10, 10, value={"rotation": 90}))
    )  # about its corner (100, 50), clockwise
    assert turned == pytest.approx((90, 50, 100, 70))
