"""Thousands of damaged images through the service.

    python -m tests.load.fuzz_images --count 10000

Writes docs/records/service-fuzz.json: results by code, answers that are 5xx (there must be none), the worst time of one
image, the highest memory.
"""

import argparse
import time
from collections import Counter

from colocalization.client import Client, ProblemError, Retries
from tests.load.mutations import mutated
from tests.load.records import write_record
from tests.load.servers import Server, colocalize_server, serving


def _send_all(server: Server, count: int, seed: int) -> dict[str, object]:
    codes: Counter[str] = Counter()
    server_errors = 0
    slowest = (0.0, "")
    with Client(f"http://127.0.0.1:{server.port}", retries=Retries(seconds=0)) as client:
        for name, content in mutated(count, seed):
            began = time.monotonic()
            try:
                (found,) = client.localize([content])
                code = "ok" if found.error is None else str(found.error.code)
            except ProblemError as problem:
                code = problem.code
                server_errors += problem.status >= 500
            codes[code] += 1
            slowest = max(slowest, (time.monotonic() - began, name))
    return {
        "inputs": count,
        "codes": dict(codes.most_common()),
        "server_errors": server_errors,
        "slowest": {"seconds": round(slowest[0], 3), "name": slowest[1]},
        "peak_mib": round(server.peak_mib(), 1),
    }


def main() -> None:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with serving(*colocalize_server()) as server:
        results = _send_all(server, options.count, options.seed)
    print(write_record("service-fuzz", {"count": options.count, "seed": options.seed}, results))  # noqa: T201


if __name__ == "__main__":
    main()
