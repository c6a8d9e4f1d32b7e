"""Thousands of damaged images through the service.

    python -m tests.load.fuzz_images --count 10000

Writes docs/records/service-fuzz.json: results by code, answers that are 5xx (there must be none), the worst time of one
image, the highest memory.
"""

import argparse
import asyncio
from collections import Counter

import httpx

from tests.load.mutations import mutated
from tests.load.records import write_record
from tests.load.servers import Server, colocalize_server, serving


async def _send_all(server: Server, count: int, seed: int) -> dict[str, object]:
    codes: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    slowest = (0.0, "")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}", timeout=120) as client:
        for name, content in mutated(count, seed):
            answer = await client.post("/colocalize", files={"images": (name, content)})
            statuses[answer.status_code] += 1
            told = answer.json()
            codes[told["errors"][0]["code"] if answer.status_code == 422 else str(answer.status_code)] += 1
            slowest = max(slowest, (answer.elapsed.total_seconds(), name))
    return {
        "inputs": count,
        "statuses": {str(status): number for status, number in sorted(statuses.items())},
        "codes": dict(codes.most_common()),
        "server_errors": sum(number for status, number in statuses.items() if status >= 500),
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
        results = asyncio.run(_send_all(server, options.count, options.seed))
    print(write_record("service-fuzz", {"count": options.count, "seed": options.seed}, results))  # noqa: T201


if __name__ == "__main__":
    main()
