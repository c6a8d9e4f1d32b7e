"""Fixtures that several test packages share."""

import os
from pathlib import Path

import pytest

from colocalization.localizer import Localizer
from tests.dummy_engine import DummyEngine

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def research_data() -> Path:
    """The research photographs beside the checkout; not shipped, and never skipped in CI."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI must have the research photographs, but {folder} is missing")
        pytest.skip(f"the research photographs are not shipped with the project ({folder} is missing)")
    return folder


@pytest.fixture
def dummy_engine() -> DummyEngine:
    """An engine whose attention map is the brightness of each cell."""
    return DummyEngine()


@pytest.fixture
def dummy_localizer(dummy_engine: DummyEngine) -> Localizer:
    """A localizer over the dummy engine."""
    return Localizer(dummy_engine)
