"""A common object as named arrays and back: what it is made of is taken from its classes' own annotations.

Numbers become arrays without a dimension, text bytes, vectors themselves; an optional part that is not there has no
members. What comes back is checked as if anyone had written it: type, shape, range, nothing missing and nothing over.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from colocalization.discriminant import Discriminant
from colocalization.errors import ObjectError
from colocalization.exemplar import Exemplar
from colocalization.object_file import Members
from colocalization.prototype import Prototype
from colocalization.results import Effort
from colocalization.set_sums import MOST_ROWS, ClassSums, CutSums, DescriptorRows, SetSums, SymmetricMatrix
from colocalization.windows import WindowSize

__all__ = ["Origin", "pack", "unpack"]

_LARGEST = 1e9
"""No number of an object comes near it."""

_STEEPEST = 1e12
"""How fast the score of a discriminant may grow at most: beyond, squares of scores leave float32."""

_MOST_TILES = 16
_MOST_SIZES = 10_000
_MOST_TEXT = 200
_ROUNDING = 1e-3

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a common object was fitted with and on.

    Attributes:
        model: Name of the model.
        model_sha256: Hexadecimal SHA-256 of its file: features of another model mean something else.
        version: Version of Colocalize.
        effort: How much work was done.
        images: Images that it was fitted on.
        hinted: How many of them were hinted.
        prior: Name of the prior from outside that took part; None: none did.
        prior_sha256: Hexadecimal SHA-256 of its file.
    """

    model: str
    model_sha256: str
    version: str
    effort: Effort
    images: int
    hinted: int
    prior: str | None = None
    prior_sha256: str | None = None


def pack(value: object) -> dict[str, NDArray[Any]]:
    """The members of an object, a dataclass.

    Raises:
        TypeError: A field has an annotation that no member is made of.
    """
    members: dict[str, NDArray[Any]] = {}
    _pack(value, type(value), "", members)
    return members


def unpack(kind: type[Made], members: Members, source: str) -> Made:
    """The object that members are of.

    Args:
        kind: Class of the object.
        members: Its members.
        source: What they were read from, for messages.

    Raises:
        ObjectError: A member is missing, over, of another type or shape, or out of range.
    """
    reader = _Reader(dict(members))
    try:
        made = reader.read(kind, "")
        if reader.members:
            raise ValueError(f"{min(reader.members)!r:.60} is not part of it")
    except (ValueError, TypeError, OverflowError) as error:
        raise ObjectError(f"{source!r} is no common object: {error}") from error
    return cast(Made, made)


def _optional(kind: Any) -> tuple[Any, bool]:
    """What an annotation allows besides None, and whether it allows None."""
    if get_origin(kind) not in (Union, UnionType):
        return kind, False
    others = [one for one in get_args(kind) if one is not NoneType]
    if len(others) != 1:
        raise TypeError(f"expected an annotation of one kind or None, got {kind}")
    return others[0], True


def _parts(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {part.name: hints[part.name] for part in fields(kind)}


def _below(name: str, part: str) -> str:
    return f"{name}.{part}" if name else part


def _pack(value: Any, kind: Any, name: str, members: dict[str, NDArray[Any]]) -> None:
    kind, optional = _optional(kind)
    if optional and value is None:
        return
    if kind in (SymmetricMatrix, DescriptorRows):
        members[name] = np.ascontiguousarray(value.upper if kind is SymmetricMatrix else value.rows, "<f4")
    elif is_dataclass(kind):
        for part, part_kind in _parts(kind).items():
            _pack(getattr(value, part), part_kind, _below(name, part), members)
    elif kind is str or get_origin(kind) is Literal:
        members[name] = np.frombuffer(value.encode(), np.uint8)
    elif kind in (int, float):
        members[name] = np.array(value, "<i8" if kind is int else "<f8")
    elif get_origin(kind) is np.ndarray:
        members[name] = np.ascontiguousarray(value, "<f4")
    elif get_origin(kind) is tuple and get_args(kind)[1:] == (Ellipsis,):
        element = get_args(kind)[0]
        if is_dataclass(element):
            rows = [[getattr(one, part) for part in _parts(element)] for one in value]
            members[name] = np.array(rows, "<f8").reshape(len(value), len(_parts(element)))
        else:
            members[name] = np.array(value, "<f8")
    else:
        raise TypeError(f"{name} has the annotation {kind}, of which no member can be made")


class _Reader:
    """Takes members and makes values of them; what is left over was not asked for."""

    def __init__(self, members: dict[str, NDArray[Any]]) -> None:
        self.members = members
        self._channels: int | None = None  # all vectors of an object are of one network

    def read(self, kind: Any, name: str) -> Any:
        kind, optional = _optional(kind)
        if optional and not any(member == name or member.startswith(f"{name}.") for member in self.members):
            return None
        if kind is SymmetricMatrix:
            return self._symmetric(name)
        if kind is DescriptorRows:
            return self._rows(name)
        if is_dataclass(kind):
            made = cast(Callable[..., Any], kind)(
                **{part: self.read(part_kind, _below(name, part)) for part, part_kind in _parts(kind).items()}
            )
            check = _CHECKS.get(cast(type, kind))
            if check is not None and (wrong := check(made)):
                raise ValueError(f"{name}: {wrong}")
            return made
        if kind is str or get_origin(kind) is Literal:
            return self._text(name, get_args(kind))
        if kind is int:
            return int(self._numbers(name, "<i8", 0))
        if kind is float:
            return float(self._numbers(name, "<f8", 0))
        if get_origin(kind) is np.ndarray:
            return self._vector(name)
        element = get_args(kind)[0]
        if is_dataclass(element):
            rows = self._numbers(name, "<f8", 2)
            if rows.shape[1] != len(_parts(element)) or len(rows) > _MOST_SIZES:
                raise ValueError(f"{name} has the shape {rows.shape}")
            return tuple(self._checked(cast(Callable[..., Any], element)(*row), name) for row in rows.tolist())
        return tuple(self._numbers(name, "<f8", 1).tolist())

    def _checked(self, made: Any, name: str) -> Any:
        if wrong := _CHECKS[type(made)](made):
            raise ValueError(f"{name}: {wrong}")
        return made

    def _take(self, name: str, kind: str, dimensions: int) -> NDArray[Any]:
        if name not in self.members:
            raise ValueError(f"{name} is missing")
        array = self.members.pop(name)
        if array.dtype.str != kind or array.ndim != dimensions:
            raise ValueError(
                f"{name} must be {dimensions}-dimensional of {kind}, got {array.ndim}-dimensional of {array.dtype.str}"
            )
        return array

    def _numbers(self, name: str, kind: str, dimensions: int) -> NDArray[Any]:
        array = self._take(name, kind, dimensions)
        if not ((array >= -_LARGEST) & (array <= _LARGEST)).all():  # NaN is neither
            raise ValueError(f"{name} must be finite, and not beyond {_LARGEST:g}")
        return array

    def _vector(self, name: str) -> NDArray[np.float32]:
        array = self._numbers(name, "<f4", 1)
        self._channels = self._channels or len(array)
        if not len(array) or len(array) != self._channels:
            raise ValueError(f"{name} has {len(array)} channels and another vector {self._channels}")
        return array

    def _symmetric(self, name: str) -> SymmetricMatrix:
        upper = self._numbers(name, "<f4", 1)
        channels = self._channels or 0
        if len(upper) != channels * (channels + 1) // 2:
            raise ValueError(f"{name} has {len(upper)} numbers, and a matrix of {channels} channels has others")
        return SymmetricMatrix(upper)

    def _rows(self, name: str) -> DescriptorRows:
        rows = self._numbers(name, "<f4", 2)
        if not 0 < len(rows) <= MOST_ROWS or rows.shape[1] != self._channels:
            raise ValueError(f"{name} has the shape {rows.shape}, and there are {self._channels} channels")
        return DescriptorRows(rows)

    def _text(self, name: str, allowed: tuple[str, ...]) -> str:
        text = self._take(name, "|u1", 1).tobytes().decode()  # UnicodeDecodeError is a ValueError
        if len(text) > _MOST_TEXT or not text.isprintable() or (allowed and text not in allowed):
            raise ValueError(f"{name} must be {' or '.join(allowed) or 'a short text'}, got {text[:40]!r}")
        return text


def _discriminant_wrong(one: Discriminant) -> str | None:
    apart = one.foreground - one.background
    reach = max(float(np.linalg.norm(one.direction.astype(np.float64))), abs(one.background), abs(one.foreground))
    return None if apart > 0 and reach <= _STEEPEST * apart else "the foreground does not lie above the background"


def _prototype_wrong(one: Prototype) -> str | None:
    inside = 0 <= one.own_weight <= 1 + _ROUNDING and 0 <= one.agreement <= 1 + _ROUNDING
    return None if inside else "weight and agreement must be in [0, 1]"


def _size_wrong(one: WindowSize) -> str | None:
    inside = 0 < one.side <= 1 and 1 / _LARGEST < one.aspect < _LARGEST
    return None if inside else "sides of windows must be in (0, 1], and their aspects above 0"


def _exemplar_wrong(one: Exemplar) -> str | None:
    if not 1 <= one.tiles <= _MOST_TILES:
        return f"tiles must be in [1, {_MOST_TILES}], got {one.tiles}"
    if not one.sizes or not 0 < len(one.factors) <= 100 or not all(0.01 <= factor <= 100 for factor in one.factors):
        return "there must be sizes of windows, and factors of them in [0.01, 100]"
    if one.region is None or one.prototype is None:
        return "what second looks taught is missing"
    return None if one.typical > 0 else f"typical must be above 0, got {one.typical}"


def _origin_wrong(one: Origin) -> str | None:
    for digest in (one.model_sha256, one.prior_sha256):
        if digest is not None and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
            return "a SHA-256 must be 64 hexadecimal digits"
    if (one.prior is None) != (one.prior_sha256 is None):
        return "a prior has a name and a SHA-256"
    return None if 0 <= one.hinted <= one.images else "the numbers of images must not be below 0"


def _class_wrong(one: ClassSums) -> str | None:
    # The products of unit-length rows: their trace is how many rows are not 0.
    trace = float(one.products.full(len(one.total)).trace())
    inside = one.count >= 0 and -_ROUNDING <= trace <= one.count * (1 + _ROUNDING) + _ROUNDING
    return None if inside else "the sums must be those of descriptors of length 1"


def _cut_wrong(one: CutSums) -> str | None:
    return None if 0 <= one.sure <= one.cut <= 1 else "the cuts must be in [0, 1], that of the background first"


def _sums_wrong(one: SetSums) -> str | None:
    return None if 0 <= one.outlined <= one.images and one.images > 0 else "the numbers of images must not be below 0"


_CHECKS: Mapping[type, Callable[[Any], str | None]] = {
    Discriminant: _discriminant_wrong,
    Prototype: _prototype_wrong,
    WindowSize: _size_wrong,
    Exemplar: _exemplar_wrong,
    Origin: _origin_wrong,
    ClassSums: _class_wrong,
    CutSums: _cut_wrong,
    SetSums: _sums_wrong,
}
"""What is wrong with the values of a class, if anything."""
