"""Comparing what things cost on a noisy machine: in turn, many times, by medians of the ratios of each round."""

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

__all__ = ["interleave", "ratio"]

Times = dict[str, list[float]]


def interleave(
    calls: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    seldom: Sequence[str] = (),
    every: int = 10,
    seconds: float = float("inf"),
) -> Times:
    """Time calls in turn, in an order that is drawn anew each round.

    Args:
        calls: What to time, by name; each is called three times beforehand, since ONNX Runtime plans its memory in the
            first run and takes it in the second.
        rounds: How often.
        seldom: Names that take part in one of `every` rounds only, because they are slow and of less interest.
        every: See `seldom`.
        seconds: Stop after so long, although there are rounds left.

    Returns:
        Seconds of each call, by name; NaN for the rounds that it took no part in.
    """
    for _ in range(3):
        for call in calls.values():
            call()
    order = np.random.default_rng(0)
    times: Times = {name: [] for name in calls}
    begin = time.perf_counter()
    for index in range(rounds):
        if time.perf_counter() - begin > seconds:
            break
        for name in order.permutation(list(calls)):
            if name in seldom and index % every != every // 2:
                times[name].append(float("nan"))
                continue
            started = time.perf_counter()
            calls[name]()
            times[name].append(time.perf_counter() - started)
    return times


def ratio(
    times: Times, name: str, base: str, *, block: int = 1, draws: int = 2000
) -> dict[str, float | int | list[float]]:
    """Median of one call's time over another's in the same round, with a 95 % bootstrap interval over the rounds.

    Args:
        times: What `interleave` gives; several of one length may be joined.
        name: The one call.
        base: The other.
        block: Rounds in a row that have something in common, such as their sessions, and are drawn together.
        draws: Bootstrap samples.

    Returns:
        `ratio`, `interval` (two values), `rounds`, and the medians in milliseconds, `ms` and `base_ms`.
    """
    above, below = np.asarray(times[name]), np.asarray(times[base])
    both = ~(np.isnan(above) | np.isnan(below))
    ratios = above[both] / below[both]
    blocks = (above / below).reshape(-1, block)  # NaN for rounds without a part
    drawn = blocks[np.random.default_rng(0).integers(len(blocks), size=(draws, len(blocks)))].reshape(draws, -1)
    low, high = np.nanpercentile(np.nanmedian(drawn, axis=1), (2.5, 97.5))
    return {
        "ratio": round(float(np.median(ratios)), 5),
        "interval": [round(float(low), 5), round(float(high), 5)],
        "rounds": int(both.sum()),
        "ms": round(float(np.median(above[both])) * 1e3, 3),
        "base_ms": round(float(np.median(below[both])) * 1e3, 3),
    }
