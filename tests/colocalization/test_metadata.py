"""What a model file says about itself: round trip, and refusal of what is damaged."""

import json
from dataclasses import asdict, replace

import pytest

from colocalization.errors import ModelError
from colocalization.metadata import METADATA_KEY, ModelMetadata
from tests.dummy_engine import METADATA


def properties(**changes: object) -> dict[str, str]:
    return {METADATA_KEY: json.dumps({**asdict(METADATA), **changes}), "other": "ignored"}


def test_round_trip() -> None:
    metadata = replace(METADATA, k=0.7, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), licence="© é 鳥")
    assert ModelMetadata.from_properties({METADATA_KEY: metadata.to_json()}) == metadata


def test_entries_of_later_versions_are_ignored() -> None:
    assert ModelMetadata.from_properties(properties(invented_later=1)) == METADATA


def test_transform() -> None:
    transform = replace(METADATA, input_size=48, mean=(0.1, 0.2, 0.3)).transform()
    assert (transform.size, transform.mean, transform.std) == (48, (0.1, 0.2, 0.3), (1.0, 1.0, 1.0))


def test_missing_metadata() -> None:
    with pytest.raises(ModelError, match="no 'colocalize' metadata; expected a file written by `colocalize export`"):
        ModelMetadata.from_properties({"other": "1"})


def test_missing_entries_are_named() -> None:
    values = asdict(METADATA)
    del values["mean"], values["backbone"]
    with pytest.raises(ModelError, match=r"lacks backbone, mean$"):
        ModelMetadata.from_properties({METADATA_KEY: json.dumps(values)})


@pytest.mark.parametrize("text", ["{", "", "nan,"])
def test_no_json(text: str) -> None:
    with pytest.raises(ModelError, match="damaged"):
        ModelMetadata.from_properties({METADATA_KEY: text})


@pytest.mark.parametrize("text", ["[1, 2]", "null", '"text"'])
def test_no_object(text: str) -> None:
    with pytest.raises(ModelError, match="not a JSON object"):
        ModelMetadata.from_properties({METADATA_KEY: text})


@pytest.mark.parametrize(
    "changes",
    [
        {"input_size": 0},
        {"input_size": "320"},
        {"std": [1, 1, 0]},
        {"std": [1, 1]},
        {"mean": "abc"},
        {"mean": None},
        {"resize": "crop"},
    ],
)
def test_entries_that_cannot_be(changes: dict[str, object]) -> None:
    with pytest.raises(ModelError, match="damaged"):
        ModelMetadata.from_properties(properties(**changes))
