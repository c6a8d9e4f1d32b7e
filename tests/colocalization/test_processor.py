"""What `/proc/cpuinfo` of real machines says of 8-bit dot products, and systems that say nothing."""

from pathlib import Path

import pytest

from colocalization.processor import dot_products, named_in

HASWELL = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu sse4_2 avx fma avx2\n"
CASCADE_LAKE = HASWELL.replace("avx2", "avx2 avx512f avx512_vnni")
ALDER_LAKE = HASWELL.replace("avx2", "avx2 avx_vnni")
CORTEX_A72 = "processor\t: 0\nFeatures\t: fp asimd evtstrm aes crc32\n"
GRAVITON2 = CORTEX_A72.replace("crc32", "crc32 asimdhp asimddp")


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        (HASWELL, False),
        (CASCADE_LAKE, True),
        (ALDER_LAKE, True),
        (CORTEX_A72, False),
        (GRAVITON2, True),
        (GRAVITON2 + CORTEX_A72, False),  # some cores have them and some do not
        (HASWELL.replace("flags", "vmx flags").replace("avx2", "avx_vnni"), None),  # of the virtual machine alone
        ("processor: 0\nmodel name: something avx_vnni\n", None),
        ("", None),
    ],
)
def test_what_linux_says(cpuinfo: str, expected: bool | None) -> None:
    assert named_in(cpuinfo) is expected


def test_linux_reads_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: "Linux")
    (tmp_path / "cpuinfo").write_text(ALDER_LAKE)
    assert dot_products(tmp_path / "cpuinfo") is True
    assert dot_products(tmp_path / "none") is None


@pytest.mark.parametrize("system", ["Windows", "Darwin"])  # macOS: where `sysctlbyname` knows no such entry
def test_systems_that_do_not_say(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert dot_products() is None
