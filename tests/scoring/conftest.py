"""A bucket of a server on loopback for each test."""

from collections.abc import Iterator

import pytest

from tests.scoring.stores.s3_server import Bucket, Faults, serving_s3


@pytest.fixture(scope="session")
def s3_server() -> Iterator[tuple[dict[str, str], Faults]]:
    pytest.importorskip("s3fs", reason="the extra 's3' is not installed")
    pytest.importorskip("moto", reason="moto is not installed")
    with serving_s3() as served:
        yield served


@pytest.fixture
def bucket(
    s3_server: tuple[dict[str, str], Faults], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Bucket]:
    environment, faults = s3_server
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client = pytest.importorskip("boto3").client("s3")
    yield Bucket(client, f"test-{abs(hash(request.node.nodeid)):x}", faults, environment)
    faults.mend()
    client.close()
