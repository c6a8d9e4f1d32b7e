"""The engine `ray` over an S3 server that is slow and busy."""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import boto3

from benchmarks.folder import resized_copies
from benchmarks.parts import Part
from benchmarks.process_tree import watch
from benchmarks.ray_output import check_status, colocalize, ray_role, read_finished
from benchmarks.ray_speed import steady_state
from scoring.engines.part_files import PARTS_FILE
from tests.scoring.stores.s3_server import Bucket, Faults, serving_s3

__all__ = ["measure_store"]


def measure_store(
    images: Sequence[Path], count: int, workers: int, delay: float, share: float, part: int, note: Callable[[str], None]
) -> Part:
    """Score images that lie in a store into that store, beside the local engine and `ray` over files.

    Args:
        images: Photographs, made JPEG files of 640 x 480 and repeated under new names.
        count: Number of images.
        workers: Workers of the engine.
        delay: Seconds that every request takes longer.
        share: Share of the requests that are answered 503.
        part: Images in a part of the set, on average.
        note: Is told how it goes.

    Returns:
        The `rows` of the store and how many `different` names they have, whether they are byte for byte those of the
        local engine (`same`), how many `requests` the server had and how many of them it `refused`; the images a second
        while all workers have work, and the seconds of the whole run, for the store and, `over_files`, for files.

    Raises:
        TrainingError: A run fails.
    """
    with tempfile.TemporaryDirectory() as place, serving_s3() as (environment, faults):
        folder, fitted = Path(place, "images"), Path(place, "object.npz")
        resized_copies(images, Path(place, "originals"), folder, count)
        check_status(watch([*colocalize("fit"), str(folder), "--out", str(fitted)], every=60))
        options = ["--object", str(fitted), "--device", "cpu", "--format", "jsonl"]
        on_ray = ["--engine", "ray", "--ray-workers", str(workers), "--ray-part", str(part)]
        local = Path(place, "local")
        check_status(watch([*colocalize("score"), str(folder), "--out", str(local), *options], every=60))
        expected = (local / "predictions.jsonl").read_bytes()
        files = Path(place, "files")
        over_files = watch([*colocalize("score"), str(folder), "--out", str(files), *options, *on_ray], every=60)
        check_status(over_files)
        client = boto3.client(
            "s3",
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
            region_name=environment["AWS_DEFAULT_REGION"],
        )
        bucket = Bucket(client, "birds", faults, environment)
        for path in sorted(folder.iterdir()):
            bucket.put(f"images/{path.name}", path.read_bytes())
        faults.requests.clear()
        faults.times.clear()
        faults.delay, faults.share = delay, share
        run = watch(
            [*colocalize("score"), f"{bucket.url}/images", "--out", f"{bucket.url}/out", *options, *on_ray],
            every=1.0,
            role=ray_role,
            environment=environment,
        )
        requests = len(faults.requests)
        faults.mend()
        check_status(run)
        finished = _written(faults, bucket)
        steady = steady_state(run, [(at - run.began, number) for at, number in finished], workers)
        on_files = steady_state(over_files, read_finished(files, over_files.began), workers)
        lines = bucket.get("out/predictions.jsonl").splitlines(keepends=True)
        told: Part = {
            "what": "store",
            "mode": "common",
            "way": f"workers: {workers}",
            "images": count,
            "workers": workers,
            "delay_ms": round(1e3 * delay),
            "share": share,
            "rows": len(lines),
            "different": len({json.loads(line)["path"] for line in lines}),
            "same": b"".join(lines) == expected,
            "parts": len(finished),
            "requests": requests,
            "refused": faults.refused,
            "images_per_second": round(steady.per_second, 2),
            "seconds": round(run.seconds, 1),
            "over_files": {
                "images_per_second": round(on_files.per_second, 2),
                "seconds": round(over_files.seconds, 1),
            },
        }
        client.close()
        note(f"store: {told}")
        return told


def _written(faults: Faults, bucket: Bucket) -> list[tuple[float, int]]:
    """When each part came in the end, in seconds since the epoch, and how many images it has; in that order."""
    parts = [json.loads(line) for line in bucket.get(f"out/{PARTS_FILE}").splitlines()]
    images = {one["part"]: one["images"] for one in parts}
    came: dict[str, float] = {}
    for request, at in zip(faults.requests, faults.times, strict=True):
        method, _, path = request.partition(" ")
        name = path.rpartition("/")[2]
        if method == "PUT" and name in images:
            came[name] = at
    return sorted((at, images[name]) for name, at in came.items())
