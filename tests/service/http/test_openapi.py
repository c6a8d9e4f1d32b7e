"""Examples in the OpenAPI document are what this very service would answer."""

from starlette.testclient import TestClient

from colocalization.localizer import Localizer
from service.http.openapi import example_answer
from service.http.schemas import ColocalizeResponse, ModelDetails


def example(client: TestClient, path: str, method: str) -> dict[str, object]:
    document = client.get("/openapi.json").json()
    return document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["example"]


def test_examples_name_the_model_in_use_and_its_size(client: TestClient) -> None:
    answer = ColocalizeResponse.model_validate(example(client, "/colocalize", "post"))
    assert (answer.model.name, answer.model.sha256, answer.model.input_size) == ("dummy", "0" * 64, (32, 32))
    assert (
        ModelDetails.model_validate(example(client, "/model", "get")).model_dump(mode="json")
        == client.get("/model").json()
    )


def test_example_of_the_shipped_model_is_of_its_file() -> None:
    engine = Localizer.load(device="cpu", threads=1).engine
    model = example_answer(engine)["model"]
    about = engine.metadata
    assert model == {
        "name": about.name, "sha256": engine.sha256, "backbone": about.backbone,
        "input_size": [about.input_size, about.input_size], "prior": None,
    }  # fmt: skip
