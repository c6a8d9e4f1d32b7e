"""Writes the benchmarks' part of docs/performance.md, and its plot, from docs/records/benchmark-*.json."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

__all__ = ["RECORDS", "write_report"]

ROOT = Path(__file__).resolve().parents[1]
RECORDS = ROOT / "docs" / "records"
_TARGET = ROOT / "docs" / "performance.md"
_BEGIN, _END = "<!-- benchmarks: begin, written by `python -m benchmarks report` -->", "<!-- benchmarks: end -->"
_LABELS = {
    "product": "the mean as a matrix product",
    "ptap": "PTAP",
    "gated": "PTAP with a gate",
    "topk": "a plain TopK",
    "given": "thresholds given",
}

_COLUMNS = ("ptap", "gated", "topk", "given", "product")

Record = dict[str, Any]


def write_report() -> None:
    """Write the part between the markers; add them at the end of the file where there are none."""
    parts = [_BEGIN, "", "## The network, folders and checkpoints", ""]
    for name, write in _SECTIONS.items():
        path = RECORDS / f"benchmark-{name}.json"
        if path.is_file():
            record = json.loads(path.read_text("utf-8"))
            parts += [*write(record), "", *_how(record), ""]
    parts.append(_END)
    text = _TARGET.read_text("utf-8") if _TARGET.is_file() else "# Performance\n"
    before, found, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2] if found else "\n"
    _TARGET.write_text(before.rstrip() + "\n\n" + "\n".join(parts) + after, "utf-8")


def _how(record: Record) -> Iterator[str]:
    machine, versions = record["machine"], record["versions"]
    cuda = record["settings"].get("cuda")
    yield (
        f"`{record['command']}`, {record['date'][:10]}, commit {record['commit'][:10]}, {machine['cores']} cores of "
        f"{machine['processor']}, ONNX Runtime {versions.get('onnxruntime', '')}.{f' CUDA: {cuda}.' if cuda else ''}"
    )


def _table(head: list[str], rows: list[list[object]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|---|" + "---:|" * (len(head) - 1)
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"


def _pooling(record: Record) -> Iterator[str]:
    yield "### What PTAP adds to the forward pass"
    yield ""
    yield (
        "Forward time of the whole graph over that of the same graph with a plain channel mean (`ReduceMean`, as torch "
        "exports it): median of the ratios of each round, with a 95 % interval; all take turns in one process. "
        "PTAP, k = 0.7 of the channels, takes part in "
        f"{record['settings']['rounds']} rounds, the others in fewer. *Positive*: share of positive features, "
        "and the largest of a pixel; where that is at most k no search is needed. The mean as a matrix product is what "
        "`colocalize export` writes for a network without PTAP: the strictest baseline. *Thresholds given*: each "
        "pixel's threshold is a constant, and what is left is the sum over it and the count that proves it right: the "
        "least that an exact PTAP costs in plain operators where some pixel has more than k positive features."
    )
    yield ""
    rows = []
    for case, told in record["results"].items():
        features = told["features"]
        for batch, measured in told["batches"].items():
            ratios = measured["poolings"]
            row: list[object] = [case, f"{features['positive']:.2f} / {features['most_positive']:.2f}", batch]
            row += [measured["threads"], f"{ratios['ptap']['base_ms']:.1f}"]
            row += [_ratio(ratios[name]) if name in ratios else "" for name in _COLUMNS]  # older rows may lack one
            rows.append(row)
    head = ["network and features", "positive, mean / most", "batch", "threads", "with the mean, ms"]
    yield from _table([*head, *(_LABELS[name] for name in _COLUMNS)], rows)
    yield ""
    _plot(record, ROOT / "docs" / "figures" / "pooling.svg")
    yield "![Forward time over that with a plain mean](figures/pooling.svg)"


def _ratio(one: dict[str, Any]) -> str:
    return f"{one['ratio']:.4f} [{one['interval'][0]:.4f}, {one['interval'][1]:.4f}]"


def _plot(record: Record, path: Path) -> None:
    names = ("topk", "gated", "ptap")
    rows = [
        (f"{case}, batch {batch}", measured["poolings"])
        for case, told in record["results"].items()
        for batch, measured in told["batches"].items()
    ]
    figure, axes = plt.subplots(figsize=(9, 0.6 * len(rows) + 1.2), layout="constrained")
    for index, name in enumerate(names):
        places = [row + (index - 1) * 0.22 for row in range(len(rows))]
        percent = [100 * (ratios[name]["ratio"] - 1) for _, ratios in rows]
        axes.barh(places, percent, height=0.2, label=_LABELS[name])
    axes.set_yticks(range(len(rows)), [label for label, _ in rows])
    axes.axvline(0, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("added to the forward time with a plain channel mean, %")
    axes.legend()
    path.parent.mkdir(parents=True, exist_ok=True)
    mpl.rcParams["svg.hashsalt"] = "colocalize"
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _equality(record: Record) -> Iterator[str]:
    total = sum(one["cases"] for one in record["results"].values())
    yield "### Exactness"
    yield ""
    yield (
        f"The graph against float64 numpy on {total} generated feature maps (sparse, dense, negative, constant, tied, "
        "skewed, offset, of magnitudes from 1e-30 to 1e36, 3 to 1280 channels, k from 0.02 to 1). Error relative to "
        "the feature map's largest magnitude; float32 resolves 6e-8."
    )
    yield ""
    yield from _table(
        ["pooling", "feature maps", "worst error"],
        [[kind, one["cases"], f"{one['worst']:.1e}"] for kind, one in record["results"].items()],
    )


def _precision(record: Record) -> Iterator[str]:
    results = record["results"]
    yield "### 8-bit integers"
    yield ""
    yield (
        "`colocalize export --precision int8`, calibrated on the example photographs. Speed over fp32, medians of "
        f"{record['settings']['rounds']} interleaved rounds on {record['settings']['threads']} thread: "
        + "; ".join(f"batch {batch}: {_ratio(one)}" for batch, one in results["speed"].items())
        + f". File: {results['bytes'] / 1e6:.1f} MB. CorLoc with default settings, on "
        + (f"at most {record['settings']['limit']}" if record["settings"]["limit"] else "all")
        + " pictures of each set:"
    )
    yield ""
    rows: list[list[object]] = []
    for name in results["scores"]["fp32"]:
        both = [results["scores"][precision][name]["corloc"] for precision in ("fp32", "int8")]
        cells = [f"{one['0.3']:.1f} / {one['0.5']:.1f} / {one['0.7']:.1f}" for one in both]
        rows.append([name, *cells, f"{both[1]['0.5'] - both[0]['0.5']:+.2f}"])
    yield from _table(["set", "fp32, 0.3 / 0.5 / 0.7", "int8", "difference at 0.5"], rows)


def _folder(record: Record) -> Iterator[str]:
    yield "### Whole folders"
    yield ""
    yield (
        "`colocalize score` in a process of its own, start included, on JPEG files of 640 x 480. *Bare*: the network "
        "alone, measured before and after, in one session with a thread for each core, and as `score` runs it, a run "
        "on each core side by side. *Share*: of the bare network; in mode `common`, which takes two runs a picture and "
        "a GrabCut, of half of it."
    )
    yield ""
    ways = ("one session", "side by side")
    rows: list[list[object]] = []
    for mode, counts in record["results"].items():
        for count, one in counts.items():
            bare = [one[kind][way] for way in ways for kind in ("bare_per_second", "share")]
            rate = one["pictures_per_second"]
            rows.append([mode, count, rate, *bare, round(1e3 / rate, 1), one.get("peak_memory_mb", "")])
    head = [title for way in ways for title in (f"{way}, /s", "share")]
    yield from _table(["mode", "pictures", "pictures/s", *head, "ms a picture", "peak memory, MB"], rows)


def _checkpoint(record: Record) -> Iterator[str]:
    told = record["results"]
    yield "### A trained checkpoint, from torch to `colocalize score`"
    yield ""
    yield (
        f'Exported ("{told["export"]}"), then scored with `colocalize score --mode attention` on {told["pictures"]} '
        f"test pictures of {record['settings']['data']}: {told['identical']} boxes are torch's to the last bit, "
        f"the others differ by at most {told['worst_side_px']} pixels (least IoU {told['least_iou']}). "
        "CorLoc at 0.3 / 0.5 / 0.7: "
        f"{told['corloc']['0.3']} / {told['corloc']['0.5']} / {told['corloc']['0.7']}."
    )


def _limits(record: Record) -> Iterator[str]:
    told = record["results"]
    yield "### The physical limit"
    yield ""
    yield (
        f"The model in the box takes {told['multiply_adds'] / 1e9:.2f} G multiply-adds a picture. In a product of two "
        f"1024 x 1024 matrices a core of this machine does {told['matrix_product_giga_per_second']:.0f} G a second; at "
        f"that rate a picture would take {told['least_ms']:.1f} ms. It takes {told['network_ms']:.1f} ms "
        f"({told['network_giga_per_second']:.0f} G a second): depthwise convolutions reuse little of what they read. "
        "By operator, in ms: " + ", ".join(f"{name} {value:.2f}" for name, value in told["operators_ms"].items()) + "."
    )


_SECTIONS: dict[str, Callable[[Record], Iterator[str]]] = {
    "pooling": _pooling,
    "equality": _equality,
    "precision": _precision,
    "folder": _folder,
    "limits": _limits,
    "checkpoint": _checkpoint,
}
