"""Settings: from the environment, from flags, and what does not go together."""

from typing import get_args

import pytest
from pydantic import ValidationError

from colocalization.commands.options import MaxBytesOption, MaxPixelsOption
from colocalization.images import ImageLimits
from service.process.settings_errors import explain
from service.settings import CPU_PROVIDER, Settings


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
        ({"max_images": 200}, "MAX_PENDING_IMAGES"),
        ({"max_request_bytes": 2**40}, "MAX_BUFFERED_BYTES"),
        ({"prot": 1}, "prot"),
    ],
)
def test_bad_values_are_named(values: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings(**values)


def test_threads_share_the_cores_between_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.settings.usable_cores", lambda: 8)
    sizes = [
        (s.lane_count(CPU_PROVIDER), s.network_threads(), s.threads_alone(), s.pool_size())
        for s in (Settings(), Settings(workers=3), Settings(workers=8), Settings(lanes=1), Settings(lanes=20))
    ]
    # 4 lanes, and 4 more threads for their operators: one for each core.
    assert sizes == [(4, 5, 8, 8), (2, 1, 2, 2), (1, 1, 1, 2), (1, 8, 8, 8), (20, 1, 8, 8)]
    assert (Settings(threads=5).network_threads(), Settings(threads=5).threads_alone()) == (5, 5)
    assert Settings(pool_threads=1).pool_size() == 1


def test_a_gpu_has_one_lane() -> None:
    found = [Settings(lanes=lanes).lane_count("CUDAExecutionProvider") for lanes in (0, 3)]
    assert found == [1, 3]


def test_batches_are_small_on_the_cpu() -> None:
    sizes = [Settings().batch_size(f"{name}ExecutionProvider") for name in ("CPU", "CUDA")]
    assert (sizes, Settings(max_batch=5).batch_size("CPUExecutionProvider")) == ([1, 16], 5)


def test_keys_are_not_shown() -> None:
    assert "0123456789abcdef" not in repr(Settings(api_keys="alice=0123456789abcdef"))


@pytest.mark.parametrize(
    ("given", "prefix"),
    [("", ""), ("/", ""), ("/colo", "/colo"), ("/a/colo/", "/a/colo"), ("/a.b_c~d-9", "/a.b_c~d-9")],
)
def test_prefix_has_no_slash_at_its_end(given: str, prefix: str) -> None:
    assert Settings(root_path=given).root_path == prefix


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"host": ""}, "COLOCALIZE_HOST must be an address of this machine or its name"),
        ({"host": " 127.0.0.1"}, "COLOCALIZE_HOST must be an address"),
        ({"root_path": "colo"}, "COLOCALIZE_ROOT_PATH must be empty, or a path that starts with a slash"),
        ({"root_path": "//evil.example"}, "COLOCALIZE_ROOT_PATH must be empty, or a path"),
        ({"root_path": "/a b"}, "got '/a b'"),
        ({"trusted_proxies": "10.0.0.0/8, nginx"}, "COLOCALIZE_TRUSTED_PROXIES must be addresses or networks"),
        ({"port": "tcp://10.0.0.1:8000"}, "set enableServiceLinks: false"),
        ({"otlp_endpoint": ""}, "COLOCALIZE_OTLP_ENDPOINT must be a URL, got ''"),
    ],
)
def test_values_that_would_be_taken_for_something_else_are_refused(values: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(**values)
    assert said in explain(caught.value, ())


def test_proxies_are_addresses_networks_or_everyone() -> None:
    assert Settings(trusted_proxies="10.0.0.0/8, ::1").trusted_proxies == ("10.0.0.0/8", "::1")
    assert Settings(trusted_proxies="*").trusted_proxies == ("*",)


def test_limits_of_an_image_have_one_name_in_commands_service_and_python() -> None:
    """`--max-bytes`, `COLOCALIZE_MAX_BYTES` and `ImageLimits.max_bytes`; likewise the pixels."""
    for option in (MaxBytesOption, MaxPixelsOption):
        (info,) = get_args(option)[1:]
        flag = info.default  # where Typer holds it until it reads the annotation
        name = flag.removeprefix("--").replace("-", "_")
        assert info.envvar == f"COLOCALIZE_{name.upper()}"
        assert name in Settings.model_fields
        assert hasattr(ImageLimits(), name)
