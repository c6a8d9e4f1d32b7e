"""Parameters from the query, whatever strangers put into it."""

import time
from collections import Counter

import pytest
from starlette.datastructures import QueryParams

from service.http.parameters import read_fit_parameters, read_parameters
from service.http.problems import Problem


def refusal(query: str) -> Problem:
    with pytest.raises(Problem) as caught:
        read_parameters(QueryParams(query), {}, 10)
    assert (caught.value.code, caught.value.status) == ("invalid_parameter", 422)
    return caught.value


def test_each_parameter_once_is_read() -> None:
    found = read_parameters(QueryParams("mode=attention&max_boxes=3"), {"heatmap": "png"}, 10)
    assert (found.mode, found.max_boxes, found.heatmap) == ("attention", 3, "png")


def test_all_boxes_are_as_many_as_may_be_asked_for() -> None:
    assert read_parameters(QueryParams("max_boxes=0"), {}, 10).max_boxes == 10
    assert "max_boxes is 11; at most 10" in refusal("max_boxes=11").detail


def test_object_is_not_looked_for_in_attention_mode() -> None:
    problem = refusal("object=birds&mode=attention")
    assert problem.detail == "object: object is looked for in mode common, and not in mode attention."
    assert read_parameters(QueryParams("object=birds&mode=common"), {}, 10).object == "birds"


def test_fitting_takes_hints_alone() -> None:
    assert read_fit_parameters(QueryParams(""), {"hints": "[1]"}).hints == "[1]"
    with pytest.raises(Problem, match="mode: there is no such parameter; the parameters are hints"):
        read_fit_parameters(QueryParams("mode=common"), {})


def test_repeated_parameters_are_named() -> None:
    assert refusal("mode=common&max_boxes=1&mode=common&max_boxes=1&a=1").detail == (
        "The query gives 'max_boxes, mode' more than once."
    )


def test_items_at_and_over_the_limit() -> None:
    assert (
        "a15: there is no such parameter; the parameters are heatmap, hints, max_boxes, mode, object, preview."
        in refusal("&".join(f"a{i}=" for i in range(16))).detail
    )
    problem = refusal("&".join(f"a{i}=" for i in range(17)))
    assert problem.detail == "The query has 17 items; at most 16 are allowed."
    assert problem.extra == {"limit": {"name": "query_items", "value": 16}}


@pytest.mark.parametrize("query", ["&".join(f"{i}=" for i in range(20_000)), "&".join(["a=1"] * 20_000)])
def test_long_query_takes_no_time(query: str) -> None:
    parsed = QueryParams(query)
    started = time.perf_counter()
    with pytest.raises(Problem, match="20000 items"):
        read_parameters(parsed, {}, 10)
    assert time.perf_counter() - started < 0.5  # it was seven seconds


@pytest.mark.parametrize("query", ["{0}=1&{0}=2", "{0}=1"])
def test_long_names_are_told_in_short(query: str) -> None:
    assert Counter(refusal(query.format("x" * 50_000)).detail)["x"] < 100
