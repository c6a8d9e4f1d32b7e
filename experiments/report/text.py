"""Tables and sentences that the sections share."""

from collections.abc import Iterable, Sequence
from typing import Any

from experiments.records import Record

__all__ = ["interval", "provenance", "signed", "table"]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A table in Markdown, numbers to the right.

    Example:
        >>> table(["method", "score"], [["DDT", 76.4]])
        ['| method | score |', '|---|---:|', '| DDT | 76.4 |']
    """
    return [
        "| " + " | ".join(head) + " |",
        "|---" + "|---:" * (len(head) - 1) + "|",
        *("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows),
    ]


def interval(value: float, ends: Sequence[float]) -> str:
    """A score with its interval.

    Example:
        >>> interval(76.44, (74.0, 79.06))
        '76.4 [74.0, 79.1]'
    """
    return f"{value:.1f} [{ends[0]:.1f}, {ends[1]:.1f}]"


def signed(value: float, ends: Sequence[float]) -> str:
    """A difference with its interval.

    Example:
        >>> signed(8.0, (5.52, 10.1))
        '+8.0 [+5.5, +10.1]'
    """
    return f"{value:+.1f} [{ends[0]:+.1f}, {ends[1]:+.1f}]"


def provenance(record: Record) -> str:
    """Where a record comes from."""
    machine, versions, results = record["machine"], record["versions"], record["results"]
    limit = record["settings"].get("limit")
    parts = [
        # The package was `training.experiments` when the older records were made.
        f"`{record['command'].replace('-m training.experiments', '-m experiments')}`",
        record["date"][:10],
        f"commit {_commit(record['commit'])}",
        *_measured(results.get("measured", {}), record["commit"]),
        f"{machine['cores']} cores of {machine['processor']}",
        f"ONNX Runtime {versions.get('onnxruntime', 'unknown')}",
        f"torch {versions.get('torch', 'unknown')}",
        f"{results['wall_seconds']:.0f} s",
    ]
    if results.get("peak_memory_mb"):
        parts.append(f"peak memory {results['peak_memory_mb']} MB")
    text = "Measured: " + ", ".join(parts) + "."
    return text if limit is None else f"{text} **At most {limit} images a set.**"


def _measured(measured: dict[str, Any], commit: str) -> list[str]:
    return [f"{kind} at commit {_commit(run['commit'])}" for kind, run in measured.items() if run["commit"] != commit]


def _commit(commit: str) -> str:
    return (commit[:10] + (" with changes" if commit.endswith("+") else "")) if commit else "unknown"
