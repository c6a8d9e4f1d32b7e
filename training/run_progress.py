"""What a run tells whoever watches it."""

from typing import Protocol

__all__ = ["RunProgress", "SilentProgress"]


class RunProgress(Protocol):
    """Is told how a run goes."""

    def decoded(self, done: int, total: int) -> None:
        """So many images are decoded."""

    def step(self, step: int, total: int, losses: dict[str, float]) -> None:
        """A step is done."""

    def note(self, text: str) -> None:
        """Something worth a line happened."""


class SilentProgress:
    """Says nothing; for processes other than the main one, and for tests."""

    def decoded(self, done: int, total: int) -> None:
        """So many images are decoded."""

    def step(self, step: int, total: int, losses: dict[str, float]) -> None:
        """A step is done."""

    def note(self, text: str) -> None:
        """Something worth a line happened."""
