"""Work that overlaps: images are read and decoded while the network runs and earlier ones are finished.

A chain of generators, each with a bounded number of calls in flight in a thread pool. The last one pulls; what it asks
for makes the ones before it go on. So order is kept, memory is bounded by the sum of what may be in flight, and an
exception in any stage, or in the consumer, ends the whole chain: nothing further is begun, what has begun is waited
for, and the exception reaches the caller. Threads are enough, since Pillow, ONNX Runtime, OpenCV and file access
release the interpreter's lock while they work.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import TypeVar

__all__ = ["PipelineSizes", "ordered_map", "run_pipeline"]

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")
Inferred = TypeVar("Inferred")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class PipelineSizes:
    """How much is done at once.

    Attributes:
        batch: Images in one run of the network.
        lanes: Runs of the network at the same time. The pipeline bounds those of its own; the engine given to it must
            bound those that `finish` makes.
        workers: Threads that decode and finish.
    """

    batch: int = 1
    lanes: int = 1
    workers: int = 2

    def __post_init__(self) -> None:
        for name in ("batch", "lanes", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def prepared_ahead(self) -> int:
        """Most images that are being decoded or wait decoded: the next batch and one for each thread."""
        return self.batch + self.workers

    @property
    def batches_ahead(self) -> int:
        """Most batches in the network, waiting for it, or done and waiting to be taken."""
        return self.lanes + 1  # one behind those in the lanes, so that none waits for the thread that hands out work

    @property
    def finished_ahead(self) -> int:
        """Most images that are being finished or wait finished: enough to take up a batch as it comes."""
        return max(self.batch, 2 * self.workers)

    @property
    def in_flight(self) -> int:
        """Most images anywhere in the pipeline, the one at the consumer included."""
        # Besides the batches in flight, one is being gathered and one taken apart.
        return self.prepared_ahead + (self.batches_ahead + 2) * self.batch + self.finished_ahead + 1


def ordered_map(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
) -> Generator[Result, None, None]:
    """Call a function on every item in a pool, and give the results in the order of the items.

    Args:
        pool: Where the calls run.
        function: Called once for each item.
        items: Read in the caller's thread, and never further than `ahead` items before the result given last.
        ahead: Most calls that are running, waiting to run, or done and waiting to be taken.

    Yields:
        The results. An exception of a call is raised in its place and ends the generator.
    """
    source = iter(items)
    calls: deque[Future[Result]] = deque()
    try:
        while True:
            calls.extend(pool.submit(function, item) for item in islice(source, ahead - len(calls)))
            if not calls:
                return
            yield calls.popleft().result()
    finally:
        for call in calls:
            call.cancel()


def run_pipeline(
    items: Iterable[Item],
    prepare: Callable[[Item], Prepared],
    infer: Callable[[Sequence[Prepared]], Sequence[Inferred]],
    finish: Callable[[Inferred], Result],
    sizes: PipelineSizes,
) -> Generator[Result, None, None]:
    """Prepare, infer and finish every item; the three overlap, and results come in the order of the items.

    Close the generator (`contextlib.closing`) when its results may be left unread: that stops the work at once.

    Args:
        items: What to work on; read only as fast as the work goes.
        prepare: Called in the worker threads.
        infer: Called in `sizes.lanes` threads of its own, on up to `sizes.batch` prepared items; gives one value for
            each.
        finish: Called in the worker threads.
        sizes: How much is done at once.

    Yields:
        The finished items. An exception of any stage is raised here after the stages have stopped.
    """
    with (
        ThreadPoolExecutor(sizes.workers, "worker") as workers,
        ThreadPoolExecutor(sizes.lanes, "network") as network,
        closing(ordered_map(workers, prepare, items, ahead=sizes.prepared_ahead)) as prepared,
        closing(ordered_map(network, infer, _batches(prepared, sizes.batch), ahead=sizes.batches_ahead)) as inferred,
        closing(ordered_map(workers, finish, chain.from_iterable(inferred), ahead=sizes.finished_ahead)) as finished,
    ):
        yield from finished


def _batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch
