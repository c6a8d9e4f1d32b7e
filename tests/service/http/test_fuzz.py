"""Random requests made from the OpenAPI document, and damaged images."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from colocalization.errors import ImageError
from colocalization.images import ImageLimits, decode
from tests.load.mutations import mutated, seeds
from tests.service.conftest import Start
from tests.service.processes import Running, running

# Pillow warns of much in damaged files; the service makes only those about bombs errors.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(objects_dir=tmp_path_factory.mktemp("objects")) as made:
        yield made


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/colocalize"),
        ("POST", "/export"),
        ("GET", "/model"),
        ("GET", "/livez"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("PUT", "/objects/{name}"),
        ("GET", "/objects"),
        ("GET", "/objects/{name}"),
        ("DELETE", "/objects/{name}"),
    ],
)
def test_answers_conform_to_the_document(service: Running, method: str, path: str) -> None:
    operation = schemathesis.openapi.from_url(f"{service.url}/openapi.json")[path][method]
    tried = 0

    @given(case=operation.as_strategy())
    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case) -> None:
        nonlocal tried
        tried += 1
        # A schema cannot say which bytes are an image, so that valid bodies may well be refused with 422.
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    check()
    assert tried >= 1


@pytest.mark.parametrize(("name", "content"), seeds())
def test_every_kind_of_image_is_read(name: str, content: bytes) -> None:
    image = decode(content)
    assert (image.width, image.height, image.rgb.shape) == (48, 48, (48, 48, 3))


def test_damaged_images_are_read_or_refused_with_a_code() -> None:
    limits = ImageLimits(max_pixels=1_000_000)
    codes: dict[str, int] = {}
    for name, content in mutated(1500):
        try:
            image = decode(content, limits)
        except ImageError as error:
            codes[error.code] = codes.get(error.code, 0) + 1
        else:
            codes["ok"] = codes.get("ok", 0) + 1
            assert image.rgb.shape[2] == 3, name
    assert codes["ok"] > 100
    assert sum(codes.values()) == 1500


def test_damaged_images_over_http(start: Start) -> None:
    with start(max_pixels=1_000_000) as client:
        damaged = list(mutated(320, seed=1))
        for first in range(0, len(damaged), 32):
            files = [("images", entry) for entry in damaged[first : first + 32]]
            answer = client.post("/colocalize", files=files, data={"heatmap": "overlay"})
            assert answer.status_code == 200, answer.text
            images = answer.json()["images"]
            assert [image["name"] for image in images] == [name for name, _ in damaged[first : first + 32]]
            for image in images:
                assert (image["heatmap"] is None) == (image["error"] is not None)
