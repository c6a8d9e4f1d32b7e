"""What made a checkpoint or a record: the commit of the code and the versions of the libraries."""

import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

__all__ = ["Provenance"]

_LIBRARIES = ("torch", "torchvision", "timm", "numpy", "pillow")


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made a checkpoint.

    Attributes:
        commit: Git commit of the working directory's repository, with "+" where files differ from it; empty if none.
        versions: Versions of the libraries.
    """

    commit: str
    versions: dict[str, str]

    @classmethod
    def here(cls) -> "Provenance":
        """The provenance of what is running now."""
        return cls(_commit(), {name: version(name) for name in _LIBRARIES})


def _commit() -> str:
    source = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(  # noqa: S603  (a fixed command)
            ["git", "-C", str(source), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return ""  # installed from a wheel, or no git here
