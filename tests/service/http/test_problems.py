"""Problems as exceptions."""

from service.http.problems import Problem


def test_problem_is_hashable_and_itself_alone() -> None:
    first, second = Problem("no_images", "a"), Problem("no_images", "a")
    assert len({first, second, first}) == 2
    assert first != second
    assert (first.status, str(first.body("mine")["request_id"])) == (422, "mine")
