"""How far a job is: each transition by hand."""

import numpy as np
import pytest

from colocalization.advice import advise
from colocalization.errors import ImageError
from colocalization.hints import HintError, ImageHints
from colocalization.images import DecodedImage
from colocalization.localizer import FittedSet, Localizer, PreparedImage
from colocalization.results import Mode
from service.inference.job import STAGES, Answer, Job, JobOptions, StageTimes

EMPTY = ImageError("empty_file", "the file has 0 bytes")


def job(localizer: Localizer, sources: list[bytes | ImageError], mode: Mode = "common") -> Job:
    return Job(sources, localizer=localizer, options=JobOptions(mode), render=lambda *_: b"", request_id="mine")


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
    made.answered(made.images[1], Answer(b"there", 0.8))
    made.unlocalizable(made.images[0], EMPTY)
    assert (made.answers, made.errors, made.unanswered) == ([b"", b"there"], {0: EMPTY}, 0)
    assert made.advice == advise(0.8, 1)


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


def hinted(localizer: Localizer, sources: list[bytes | ImageError], hints: dict[int, ImageHints]) -> Job:
    return Job(sources, localizer=localizer, names=["a.jpg", "b.jpg", "c.jpg"], options=JobOptions(hints=hints))


def test_hints_go_with_the_images_that_are_held(dummy_localizer: Localizer) -> None:
    first, third = ImageHints(((0, 0, 1, 1),)), ImageHints(())
    made = hinted(dummy_localizer, [b"a", b"b", b"c"], {0: first, 2: third})
    made.unreadable(made.images[1], EMPTY)
    for image in (made.images[2], made.images[0]):
        made.inferred(image)
    made.begin_fit()
    made.check_held_hints()
    assert made.held_hints() == {0: first, 1: third}


def test_hint_is_checked_against_its_image(dummy_localizer: Localizer) -> None:
    made = hinted(dummy_localizer, [b"a", b"b"], {1: ImageHints(((0, 0, 9, 8),))})
    prepared = PreparedImage(DecodedImage(np.zeros((8, 9, 3), np.uint8), 9, 8), np.zeros(0, np.float32))
    smaller = PreparedImage(DecodedImage(np.zeros((8, 8, 3), np.uint8), 8, 8), np.zeros(0, np.float32))
    made.check_hint(made.images[0], smaller)
    made.check_hint(made.images[1], prepared)
    with pytest.raises(HintError, match=r"the hint 0,0,9,8 does not lie in 'b.jpg', which is 8 x 8 pixels"):
        made.check_hint(made.images[1], smaller)


@pytest.mark.parametrize(
    ("hints", "fails"),
    [
        ({0: ImageHints(((0, 0, 1, 1),))}, True),
        ({0: ImageHints(())}, False),  # that it shows nothing needs no pixels
        ({0: ImageHints(((0, 0, 1, 1),)), 1: ImageHints(((0, 0, 1, 1),))}, False),
    ],
)
def test_hints_of_images_that_cannot_be_read(
    dummy_localizer: Localizer, hints: dict[int, ImageHints], fails: bool
) -> None:
    made = hinted(dummy_localizer, [EMPTY, b"b", b"c"], hints)
    if fails:
        with pytest.raises(HintError, match=r"'a.jpg', which cannot be used: the file has 0 bytes"):
            made.check_held_hints()
    else:
        made.check_held_hints()


def test_known_object_is_looked_for_without_waiting_for_a_set(dummy_localizer: Localizer) -> None:
    common = object()
    made = Job([b"a", b"b"], localizer=dummy_localizer, options=JobOptions(common=common))  # type: ignore[arg-type]
    assert made.inferred(made.images[1]) == [made.images[1]]
    assert (made.awaits_fit, made.mode, made.common) == (False, "common", common)


@pytest.mark.parametrize("stage", STAGES)
def test_times_have_every_stage(stage: str) -> None:
    assert getattr(StageTimes(), stage) == 0.0
