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


@pytest.mark.parametrize("text", ["{", "", "nan,", "[" * 100_000])
def test_no_json(text: str) -> None:
    with pytest.raises(ModelError, match="damaged"):
        ModelMetadata.from_properties({METADATA_KEY: text})


@pytest.mark.parametrize("text", ["[1, 2]", "null", '"text"'])
def test_no_object(text: str) -> None:
    with pytest.raises(ModelError, match="not a JSON object"):
        ModelMetadata.from_properties({METADATA_KEY: text})


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("name", 5, "name must be text, got 5"),
        ("licence", None, "licence must be text, got None"),
        ("training_data", "\ud800", r"training_data must be text, got '\\ud800'"),  # could not be sent as UTF-8
        ("pooling", "ptop", "pooling must be one of 'ptap', 'channel', 'max', 'avg', got 'ptop'"),
        ("precision", "fp99", "precision must be one of 'fp32', 'fp16', 'int8', got 'fp99'"),
        ("precision", ["fp32"], r"precision must be one of 'fp32', 'fp16', 'int8', got \['fp32'\]"),
        ("resize", "crop", "resize must be one of 'squash', got 'crop'"),
        ("k", "1", "k must be a number, got '1'"),
        ("k", True, "k must be a number, got True"),
        ("k", float("nan"), "k must be a number, got nan"),
        ("k", 10**400, "k must be a number, got 1000"),
        ("k", 0, r"k must be in \(0, 1\], got 0"),
        ("k", 1.5, r"k must be in \(0, 1\], got 1.5"),
        ("gate", 1, "gate must be true or false, got 1"),
        ("input_size", "320", "input_size must be a whole number, got '320'"),
        ("input_size", 320.0, "input_size must be a whole number, got 320.0"),
        ("input_size", True, "input_size must be a whole number, got True"),
        ("input_size", 0, "size must be at least 1 pixel, got 0"),
        ("channels", 0, "channels must be at least 1, got 0"),
        ("map_size", -1, "map_size must be at least 1, got -1"),
        ("mean", "abc", "mean must be a list of three numbers, got 'abc'"),
        ("mean", None, "mean must be a list of three numbers, got None"),
        ("mean", [0, 0, "0"], r"mean must be a list of three numbers, got \[0, 0, '0'\]"),
        ("mean", [0, 0, 2], r"every mean must be in \[0, 1\]"),
        ("std", [1, 1], r"std must be a list of three numbers, got \[1, 1\]"),
        ("std", [1, 1, float("inf")], r"std must be a list of three numbers, got \[1, 1, inf\]"),
        ("std", [1, 1, 0], "every std must be positive"),
    ],
)
def test_entries_that_cannot_be_are_named(name: str, value: object, told: str) -> None:
    with pytest.raises(ModelError, match=rf"^the model's metadata is damaged: {told}"):
        ModelMetadata.from_properties(properties(**{name: value}))


def test_long_values_are_told_in_short() -> None:
    with pytest.raises(ModelError, match="precision must be") as caught:
        ModelMetadata.from_properties(properties(precision="x" * 10_000))
    assert len(caught.value.message) < 300


def test_whole_numbers_count_as_numbers() -> None:
    found = ModelMetadata.from_properties(properties(k=1, mean=[0, 0, 1]))
    assert (found.k, found.mean) == (1.0, (0.0, 0.0, 1.0))
    assert isinstance(found.k, float)
