"""What the processor can do: whether it multiplies 8-bit integers and adds the products up in one instruction.

With such dot products a network in 8-bit integers runs at about twice the speed of one in float32. Without them it is
hardly faster, and on x86 ONNX Runtime then adds pairs of products in 16 bits, where they can overflow unseen.
"""

import ctypes
import platform
from pathlib import Path

__all__ = ["dot_products", "named_in"]

_CPUINFO = Path("/proc/cpuinfo")

_FEATURES = {"avx512_vnni", "avx_vnni", "asimddp"}
"""Linux's names: AVX-512 VNNI and AVX-VNNI of x86-64, the dot products of ARM (FEAT_DotProd)."""

_SYSCTL = b"hw.optional.arm.FEAT_DotProd"


def dot_products(cpuinfo: Path = _CPUINFO) -> bool | None:
    """Whether the processor has 8-bit dot products; None where the system does not say.

    Linux tells in `/proc/cpuinfo`, macOS on ARM by `sysctl`, others do not tell.

    Args:
        cpuinfo: Linux's file.
    """
    if platform.system() == "Linux":
        try:
            return named_in(cpuinfo.read_text("ascii", errors="replace"))
        except OSError:
            return None
    return _on_mac() if platform.system() == "Darwin" else None


def named_in(cpuinfo: str) -> bool | None:
    r"""Whether the content of `/proc/cpuinfo` names dot products; None where it names no features at all.

    Example:
        >>> named_in("processor : 0\nflags : fpu avx512f avx512_vnni\n")
        True
        >>> named_in("Features : fp asimd aes\n")
        False
    """
    # Processors of one machine can differ: what only some of them can do, a thread that moves to others cannot.
    lists = [set(line.partition(":")[2].split()) for line in cpuinfo.splitlines() if _is_list(line)]
    return all(features & _FEATURES for features in lists) if lists else None


def _is_list(line: str) -> bool:
    name, colon, _ = line.partition(":")
    return bool(colon) and name.strip() in ("flags", "Features")


def _on_mac() -> bool | None:
    try:
        library = ctypes.CDLL(None)
        value = ctypes.c_int(0)
        size = ctypes.c_size_t(ctypes.sizeof(value))
        failed = library.sysctlbyname(_SYSCTL, ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0))
    except (AttributeError, OSError):
        return None
    return None if failed else bool(value.value)  # Intel's know no such entry
