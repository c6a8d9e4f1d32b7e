"""Taking turns."""

from service.inference.fair_queue import FairQueue


def filled() -> FairQueue[str, int]:
    queue: FairQueue[str, int] = FairQueue()
    for owner, item in (("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)):
        queue.push(owner, item)
    return queue


def test_owners_are_served_in_turn_and_each_line_in_order() -> None:
    queue = filled()
    assert [queue.pop() for _ in range(6)] == [("a", 1), ("b", 4), ("c", 5), ("a", 2), ("b", 6), ("a", 3)]
    assert queue.pop() is None


def test_owner_that_comes_late_waits_one_turn_and_not_a_whole_line() -> None:
    queue: FairQueue[str, int] = FairQueue()
    for item in range(1000):
        queue.push("long", item)
    queue.push("short", -1)
    assert [queue.pop() for _ in range(2)] == [("long", 0), ("short", -1)]


def test_owner_that_is_passed_over_keeps_its_place() -> None:
    queue = filled()
    assert queue.pop(lambda owner: owner == "c") == ("c", 5)
    assert queue.pop(lambda owner: owner == "c") is None
    assert queue.pop() == ("a", 1)


def test_what_is_put_back_is_first_of_its_line_again() -> None:
    queue = filled()
    assert queue.pop() == ("a", 1)
    queue.put_back("a", 1)
    assert len(queue) == 6
    assert [queue.pop() for _ in range(6)] == [("b", 4), ("c", 5), ("a", 1), ("b", 6), ("a", 2), ("a", 3)]
    queue.put_back("a", 3)
    assert [queue.pop(), queue.pop()] == [("a", 3), None]


def test_dropping_an_owner() -> None:
    queue = filled()
    assert (queue.drop("a"), queue.drop("a"), len(queue)) == (3, 0, 3)
    assert [queue.pop() for _ in range(3)] == [("b", 4), ("c", 5), ("b", 6)]
