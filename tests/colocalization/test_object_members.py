"""From a common object to arrays and back, and what is refused on the way."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colocalization.common_object import CommonObject, FirstLook
from colocalization.errors import ObjectError
from colocalization.object_members import pack, unpack
from tests.colocalization import objects

Members = dict[str, Any]


@pytest.mark.parametrize("common", [objects.PLAIN, objects.WHOLE, replace(objects.PLAIN, origin=None)])
def test_back_is_the_same(common: CommonObject, tmp_path: Path) -> None:
    common.save(tmp_path / "x.npz")
    read = CommonObject.load(str(tmp_path / "x.npz"))
    assert read.digest == common.digest
    assert read.to_bytes() == common.to_bytes() == (tmp_path / "x.npz").read_bytes()
    assert (read.second is None, read.outlined is None, read.exemplar is None, read.origin) == (
        common.second is None,
        common.outlined is None,
        common.exemplar is None,
        common.origin,
    )
    assert read.first.object.direction.tolist() == [3, 4, 5, 6]
    assert read.first.object.direction.dtype == np.float32
    if read.exemplar is not None:
        assert (read.exemplar.tiles, read.exemplar.sizes, read.exemplar.factors, read.exemplar.typical) == (
            objects.EXEMPLAR.tiles,
            objects.EXEMPLAR.sizes,
            objects.EXEMPLAR.factors,
            objects.EXEMPLAR.typical,
        )


def test_agreement_is_of_what_finds_the_object() -> None:
    assert objects.PLAIN.agreement == 0.5
    assert objects.WHOLE.agreement == 0.75


def changed(name: str, value: Any) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        members[name] = np.asarray(value) if isinstance(value, np.ndarray) else np.asarray(value, members[name].dtype)

    return change


def removed(name: str) -> Callable[[Members], None]:
    return lambda members: members.pop(name)


def text(value: str) -> np.ndarray:
    return np.frombuffer(value.encode(), np.uint8)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (removed("first.object.direction"), "first.object.direction is missing"),
        (removed("second.wide.background"), "second.wide.background is missing"),
        (changed("more", np.zeros(4, "<f4")), "'more' is not part of it"),
        (changed("first.object.direction", np.zeros(4, "<f8")), "must be 1-dimensional of <f4, got 1-dim.* of <f8"),
        (changed("first.object.direction", np.zeros((2, 2), "<f4")), "got 2-dimensional"),
        (changed("first.object.direction", [1, 2, np.nan, 4]), "must be finite"),
        (changed("first.object.direction", [1, 2, np.inf, 4]), "must be finite"),
        (changed("first.object.direction", [1, 2, 3e9, 4]), "must be finite, and not beyond"),
        (changed("second.tight.direction", np.ones(5, "<f4")), "has 5 channels and another vector 4"),
        (changed("first.object.direction", np.ones(0, "<f4")), "has 0 channels"),
        (changed("first.object.foreground", -0.25), "does not lie above the background"),
        (changed("first.object.foreground", -0.25 + 1e-15), "does not lie above the background"),
        (changed("first.prototype.agreement", -0.5), r"must be in \[0, 1\]"),
        (changed("first.prototype.own_weight", 2), r"must be in \[0, 1\]"),
        (changed("exemplar.tiles", 0), r"tiles must be in \[1, 16\], got 0"),
        (changed("exemplar.tiles", 10_000), "tiles must be in"),
        (changed("exemplar.tiles", -(2**63)), "must be finite"),
        (changed("exemplar.sizes", np.zeros((0, 2))), "there must be sizes"),
        (changed("exemplar.sizes", np.zeros((1, 3))), r"has the shape \(1, 3\)"),
        (changed("exemplar.sizes", np.full((10_001, 2), 0.5)), r"has the shape \(10001, 2\)"),
        (changed("exemplar.sizes", [[2.0, 1.0]]), r"must be in \(0, 1\]"),
        (changed("exemplar.sizes", [[0.5, 0.0]]), "aspects above 0"),
        (changed("exemplar.factors", np.zeros(0)), "factors of them"),
        (changed("exemplar.factors", [0.0]), "factors of them"),
        (changed("exemplar.typical", 0.0), "typical must be above 0"),
        (changed("origin.images", -1), "must not be below 0"),
        (changed("origin.hinted", 13), "must not be below 0"),
        (changed("origin.model", text("a\nb")), "must be a short text"),
        (changed("origin.model", text("a" * 300)), "must be a short text"),
        (changed("origin.model", np.array([0xFF], np.uint8)), "can't decode"),
        (changed("origin.effort", text("all")), "must be full or fast"),
        (changed("origin.model_sha256", text("0" * 63)), "64 hexadecimal digits"),
    ],
)
def test_what_is_out_of_range_is_named(change: Callable[[Members], None], message: str) -> None:
    members: Members = pack(objects.WHOLE)
    change(members)
    with pytest.raises(ObjectError, match=rf"^'x.npz' is no common object: .*{message}"):
        unpack(CommonObject, members, "x.npz")


def test_an_exemplar_without_second_looks_is_not_whole() -> None:
    members = pack(replace(objects.WHOLE, exemplar=replace(objects.EXEMPLAR, region=None)))
    with pytest.raises(ObjectError, match="what second looks taught is missing"):
        unpack(CommonObject, members, "x.npz")


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    bad = replace(objects.PLAIN.first.object, foreground=float("nan"))
    with pytest.raises(ObjectError, match="must be finite"):
        CommonObject(FirstLook(bad, objects.prototype(0.5)), None, None).save(tmp_path / "x.npz")
    assert list(tmp_path.iterdir()) == []


def test_an_annotation_that_no_member_is_made_of_is_a_mistake_of_ours() -> None:
    @dataclass
    class Odd:
        part: list[int]

    Odd.__annotations__ = {"part": list[int]}
    with pytest.raises(TypeError, match="part has the annotation"):
        pack(Odd([1]))
