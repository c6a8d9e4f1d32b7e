"""Files of common objects, whole, damaged and hostile."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from colocalization.common_object import CommonObject
from colocalization.errors import ObjectError
from colocalization.object_file import MOST_BYTES, digest_of, from_bytes, read_members, to_bytes, write_members
from tests.colocalization import objects

MEMBERS = {"a": np.arange(3, dtype="<f4"), "b.c": np.array(7, "<i8"), "rows": np.ones((2, 2), "<f8")}


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


def unzipped(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def npy(array: np.ndarray) -> bytes:
    data = io.BytesIO()
    np.save(data, array, allow_pickle=True)
    return data.getvalue()


def test_what_is_written_is_read_by_us_and_by_numpy(tmp_path: Path) -> None:
    write_members(tmp_path / "new" / "x.npz", MEMBERS)
    read = read_members(tmp_path / "new" / "x.npz")
    assert read.keys() == MEMBERS.keys()
    with np.load(tmp_path / "new" / "x.npz") as file:  # refuses pickles by itself
        for name, array in MEMBERS.items():
            assert np.array_equal(read[name], array)
            assert read[name].dtype == array.dtype
            assert np.array_equal(file[name], array)
        assert bytes(file["format"]) == b"colocalize-object/1"


def test_the_same_members_give_the_same_bytes() -> None:
    assert to_bytes(MEMBERS) == to_bytes(dict(MEMBERS))


def test_the_digest_is_of_names_types_shapes_and_values() -> None:
    others = [
        {**MEMBERS, "d": np.zeros(1)},
        {**MEMBERS, "a": np.arange(3, dtype="<f8")},
        {**MEMBERS, "a": np.arange(3, dtype="<f4").reshape(1, 3)},
        {**MEMBERS, "a": np.array([0, 1, 3], "<f4")},
    ]
    assert len({digest_of(members) for members in [MEMBERS, *others]}) == 5
    assert digest_of(dict(reversed(MEMBERS.items()))) == digest_of(MEMBERS)


def test_another_type_is_never_written() -> None:
    with pytest.raises(ValueError, match=r"a must be of one of \|u1, <i8, <f4, <f8, got <f2"):
        to_bytes({"a": np.zeros(1, "<f2")})


def test_missing_and_unreadable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ObjectError, match=r"there is no file '.*gone.npz'"):
        read_members(tmp_path / "gone.npz")
    with pytest.raises(ObjectError, match="there is no file"):
        read_members(tmp_path)
    with pytest.raises(ObjectError):
        read_members(Path("a\0b"))


def test_every_kind_of_damage_is_one_line() -> None:
    whole = to_bytes(MEMBERS)
    parts = unzipped(whole)
    liar = npy(np.zeros(2, "<f4")).replace(b"(2,)", b"(9999999999,)".ljust(4))
    hostile = {
        "nothing": b"",
        "no zip": b"file,x0,y0,x1,y1\n",
        "cut off": whole[:-30],
        "no format": zipped({"a.npy": npy(np.zeros(2))}),
        "another format": zipped({**parts, "format.npy": npy(np.frombuffer(b"colocalize-object/9", np.uint8))}),
        "no digest": zipped({name: data for name, data in parts.items() if name != "digest.npy"}),
        "a member left out": zipped({name: data for name, data in parts.items() if name != "a.npy"}),
        "a member more": zipped({**parts, "d.npy": npy(np.zeros(2))}),
        "another value": zipped({**parts, "a.npy": npy(np.array([0, 1, 3], "<f4"))}),
        "a pickle": zipped({**parts, "a.npy": npy(np.array([{"x": 1}], dtype=object))}),
        "text": zipped({**parts, "a.npy": npy(np.array(["x"]))}),
        "three dimensions": zipped({**parts, "a.npy": npy(np.zeros((1, 1, 1)))}),
        "by columns": zipped({**parts, "a.npy": npy(np.asfortranarray(np.zeros((2, 3))))}),
        "claims more than there is": zipped({**parts, "a.npy": liar}),
        "has more than it claims": zipped({**parts, "a.npy": parts["a.npy"] + b"0000"}),
        "header without end": zipped({**parts, "a.npy": b"\x93NUMPY\x01\x00\xff\xff{" + b"(" * 70000}),
        "compressed": zipped(parts, zipfile.ZIP_DEFLATED),
        "bomb": zipped({"a.npy": bytes(100_000_000)}, zipfile.ZIP_DEFLATED),
        "many members": zipped({f"{number}.npy": b"" for number in range(1000)}),
        "not an array": zipped({**parts, "a.txt": b"x"}),
        "large": bytes(MOST_BYTES + 1),
    }
    for kind, content in hostile.items():
        with pytest.raises(ObjectError) as caught:
            from_bytes(content, "x.npz")
        assert caught.value.code == "object_error", kind
        assert caught.value.message.startswith("'x.npz' is "), kind
        assert len(caught.value.message.splitlines()) == 1, kind


def test_members_that_lie_over_each_other_are_refused() -> None:
    """A zip archive can name the same bytes many times: a small file that claims to hold a large content."""
    content = bytearray(zipped({"a.npy": npy(np.zeros(1000))}))
    end = content.index(b"PK\x05\x06")
    start = content.index(b"PK\x01\x02")
    entry, tail = content[start:end], content[end:]
    tail[8:12] = (50).to_bytes(2, "little") * 2
    tail[12:16] = (50 * len(entry)).to_bytes(4, "little")
    with pytest.raises(ObjectError, match="claim to be larger than the file"):
        from_bytes(bytes(content[:start] + 50 * entry + tail), "x.npz")


@pytest.mark.parametrize("seed", range(5))
def test_a_mutated_file_is_refused_or_means_the_same(seed: int) -> None:
    """What nobody reads, such as a date in the archive, may change; nothing else may."""
    random = np.random.default_rng(seed)
    content = objects.WHOLE.to_bytes()
    for _ in range(200):
        mutated = bytearray(content)
        for place in random.integers(0, len(content), random.integers(1, 4)):
            mutated[place] = random.integers(0, 256)
        if random.random() < 0.2:
            del mutated[random.integers(0, len(mutated)) :]
        if random.random() < 0.2:
            low, high = sorted(random.integers(0, len(content), 2))
            mutated[low:low] = content[low : min(high, low + 100)]
        try:
            read = CommonObject.from_bytes(bytes(mutated))
        except ObjectError as error:
            assert len(error.message.splitlines()) == 1  # noqa: PT017
        else:
            assert read.digest == objects.WHOLE.digest


def test_every_single_byte_of_the_directory_counts_or_means_nothing() -> None:
    content = objects.PLAIN.to_bytes()
    for place in range(content.index(b"PK\x01\x02"), len(content)):
        mutated = bytearray(content)
        mutated[place] ^= 0xFF
        try:
            read = CommonObject.from_bytes(bytes(mutated))
        except ObjectError:
            continue
        assert read.digest == objects.PLAIN.digest
