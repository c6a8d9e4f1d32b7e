"""How far a job is: each transition by hand."""

import pytest

from colocalization.errors import ImageError
from colocalization.localizer import FittedSet, Localizer
from colocalization.results import Mode
from service.inference.job import STAGES, Job, StageTimes

EMPTY = ImageError("empty_file", "the file has 0 bytes")


def job(localizer: Localizer, sources: list[bytes | ImageError], mode: Mode = "common") -> Job:
    return Job(sources, localizer=localizer, mode=mode, max_boxes=1, render=lambda *_: b"", request_id="mine")


def test_what_did_not_come_whole_is_refused_from_the_start(dummy_localizer: Localizer) -> None:
    made = job(dummy_localizer, [b"a", EMPTY, b"b"])
    assert ([image.index for image in made.images], made.unanswered, made.errors) == ([0, 2], 2, {1: EMPTY})
    assert not made.awaits_fit


def test_set_is_fitted_once_all_that_can_be_read_is_through_the_network(dummy_localizer: Localizer) -> None:
    made = job(dummy_localizer, [b"a", b"b", b"c"])
    first, second, third = made.images
    assert made.inferred(third) == []
    assert (made.inferred(first), made.awaits_fit) == ([], False)
    made.unreadable(second, EMPTY)
    assert made.awaits_fit
    made.begin_fit()
    assert (made.awaits_fit, made.held) == (False, [first, third])  # once
    assert made.fitted(FittedSet(None, {1: {}})) == [first, third]
    assert (made.mode, made.held, first.looks, third.looks) == ("attention", [], None, {})


def test_last_image_that_cannot_be_read_leaves_a_set_without_one(dummy_localizer: Localizer) -> None:
    made = job(dummy_localizer, [b"a"])
    made.unreadable(made.images[0], EMPTY)
    assert (made.awaits_fit, made.unanswered) == (False, 0)


def test_in_attention_mode_nothing_is_held(dummy_localizer: Localizer) -> None:
    made = job(dummy_localizer, [b"a", b"b"], "attention")
    assert made.inferred(made.images[1]) == [made.images[1]]
    assert not made.awaits_fit


def test_answers_and_refusals_count_down(dummy_localizer: Localizer) -> None:
    made = job(dummy_localizer, [b"a", b"b"])
    made.answered(made.images[1], b"there")
    made.unlocalizable(made.images[0], EMPTY)
    assert (made.answers, made.errors, made.unanswered) == ([b"", b"there"], {0: EMPTY}, 0)


def test_images_in_hand_are_counted_and_timed(dummy_localizer: Localizer) -> None:
    made = job(dummy_localizer, [b"a", b"b"])
    made.begin(2)
    assert made.working == 2
    made.end("postprocess", 0.5, 2)
    assert (made.working, made.times.postprocess) == (0, 0.5)


def test_closed_job_holds_nothing(dummy_localizer: Localizer) -> None:
    made = job(dummy_localizer, [b"a", b"b"])
    made.inferred(made.images[0])
    made.close()
    assert (made.closed, made.held) == (True, [])


@pytest.mark.parametrize("stage", STAGES)
def test_times_have_every_stage(stage: str) -> None:
    assert getattr(StageTimes(), stage) == 0.0
