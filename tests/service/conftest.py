"""Fixtures of the service's tests: the whole app over the dummy engine."""

import io
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from colocalization.localizer import Localizer
from service.http.app import create_app
from service.settings import Settings
from tests.dummy_engine import DummyEngine

Start = Callable[..., AbstractContextManager[TestClient]]


def encode(pixels: np.ndarray, kind: str = "JPEG") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format=kind)
    return stream.getvalue()


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    """64 x 64 pixels, black, with a white square from (16, 16) to (32, 32)."""
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[16:32, 16:32] = 255
    return encode(pixels)


def wait_until(true: Callable[[], bool], timeout: float = 5.0) -> None:
    until = time.monotonic() + timeout
    while not true():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.005)


@pytest.fixture
def start(dummy_engine: DummyEngine) -> Start:
    """Starts the app with the settings given and waits until it is ready."""

    @contextmanager
    def started(engine: DummyEngine = dummy_engine, **settings: object) -> Iterator[TestClient]:
        app: FastAPI = create_app(Settings(**settings), lambda: Localizer(engine, Settings(**settings).image_limits()))
        with TestClient(app, raise_server_exceptions=False) as client:
            wait_until(lambda: app.state.service.slot.warm)
            yield client

    return started


@pytest.fixture
def client(start: Start) -> Iterator[TestClient]:
    """The app with default settings, ready."""
    with start() as client:
        yield client
