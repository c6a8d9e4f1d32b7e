"""Options are changed one by one, from those that the engine sets."""

from importlib.resources import as_file, files
from typing import Any

import onnxruntime
import pytest

from benchmarks.sessions import _CHANGES, measure_sessions
from colocalization.engine import OnnxEngine
from colocalization.localizer import DEFAULT_MODEL


def entry(options: onnxruntime.SessionOptions, name: str) -> str | None:
    try:
        return str(options.get_session_config_entry(name))
    except RuntimeError:  # it was not set
        return None


def values(options: onnxruntime.SessionOptions) -> tuple[Any, ...]:
    return (
        options.intra_op_num_threads,
        options.graph_optimization_level,
        options.execution_mode,
        options.enable_cpu_mem_arena,
        options.enable_mem_pattern,
        entry(options, "session.intra_op.allow_spinning"),
        entry(options, "session.set_denormal_as_zero"),
    )


def test_each_change_is_one_from_the_options_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Any, ...]] = []

    class Spy(onnxruntime.InferenceSession):
        def __init__(self, content: bytes, options: onnxruntime.SessionOptions | None = None, **rest: Any) -> None:
            if options is not None:
                seen.append(values(options))
            super().__init__(content, options, **rest)

    monkeypatch.setattr("onnxruntime.InferenceSession", Spy)
    with as_file(files("colocalization") / "models" / DEFAULT_MODEL) as path:
        OnnxEngine(path, device="cpu", threads=1)
    results = measure_sessions(1, 1)
    engine, in_use, *changed = seen
    assert in_use == engine
    assert len(changed) == len(results) == len(_CHANGES)
    for change in changed:
        assert sum(a != b for a, b in zip(change, in_use, strict=True)) == 1
    assert all(ratio["ratio"] > 0 for ratio in results.values())
