"""Settings: from the environment, from flags, and what does not go together."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from service.machine import usable_cores
from service.settings import Settings


def test_flags_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOCALIZE_PORT", "81")
    monkeypatch.setenv("COLOCALIZE_MAX_IMAGES", "5")
    monkeypatch.setenv("COLOCALIZE_GPUS", "0, 2")
    settings = Settings(port=82)
    assert (settings.port, settings.max_images, settings.gpus) == (82, 5, (0, 2))
    assert Settings.model_validate({"port": 83}).max_images == 5


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"port": 70000}, "port"),
        ({"workers": 0}, "workers"),
        ({"device": "tpu"}, "device"),
        ({"max_images": 200}, "max_pending_images"),
        ({"max_request_bytes": 2**40}, "max_buffered_bytes"),
        ({"prot": 1}, "prot"),
    ],
)
def test_bad_values_are_named(values: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings(**values)


def test_threads_share_the_cores_between_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.settings.usable_cores", lambda: 8)
    sizes = [(s.network_threads(), s.pool_size()) for s in (Settings(), Settings(workers=3), Settings(workers=8))]
    assert sizes == [(8, 8), (2, 2), (1, 2)]
    assert (Settings(threads=5).network_threads(), Settings(pool_threads=1).pool_size()) == (5, 1)


def test_batches_are_small_on_the_cpu() -> None:
    sizes = [Settings().batch_size(f"{name}ExecutionProvider") for name in ("CPU", "CUDA")]
    assert (sizes, Settings(max_batch=5).batch_size("CPUExecutionProvider")) == ([2, 16], 5)


def test_keys_are_not_shown() -> None:
    assert "0123456789abcdef" not in repr(Settings(api_keys="alice=0123456789abcdef"))


@pytest.mark.parametrize(
    ("content", "cores"), [("max 100000", 64), ("250000 100000", 2), ("50000 100000", 1), ("nonsense", 64), (None, 64)]
)
def test_quota_of_a_container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None, cores: int) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(64)))
    file = tmp_path / "cpu.max"
    if content is not None:
        file.write_text(content)
    assert usable_cores(file) == cores
