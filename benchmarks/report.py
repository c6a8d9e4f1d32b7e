"""Writes the benchmarks' part of docs/performance.md, and its plot, from docs/records/benchmark-*.json."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from benchmarks.parts import Part, read_parts
from benchmarks.ray_tables import ray_section
from benchmarks.run_notes import measured_table, run_note
from colocalization.cores import MOST_LANES
from experiments.records import Record
from experiments.report.text import table

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

_WHO = {"theirs": "before", "auto": "now", "fp32": "now, fp32"}

_COLUMNS = ("ptap", "gated", "topk", "given", "product")


def write_report() -> None:
    """Write the part between the markers; add them at the end of the file where there are none."""
    parts = [_BEGIN, "", "## The network, folders and checkpoints", ""]
    for name, write in _SECTIONS.items():
        path = RECORDS / f"benchmark-{name}.json"
        if path.is_file():
            parts += [*write(path), ""]
    parts.append(_END)
    text = _TARGET.read_text("utf-8") if _TARGET.is_file() else "# Performance\n"
    before, found, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2] if found else "\n"
    _TARGET.write_text(before.rstrip() + "\n\n" + "\n".join(parts) + after, "utf-8")


def _whole(write: Callable[[Record], Iterator[str]]) -> Callable[[Path], Iterator[str]]:
    """A section of a record that one run wrote."""

    def section(path: Path) -> Iterator[str]:
        record = json.loads(path.read_text("utf-8"))
        yield from write(record)
        yield ""
        yield run_note(record)

    return section


def _against(path: Path) -> Iterator[str]:
    parts = read_parts(path)
    figure = ROOT / "docs" / "figures" / "speed.svg"
    _plot_speed(parts, figure)
    yield "### Images a second"
    yield ""
    yield "![Images that a second of CPU time scores, before and now](figures/speed.svg)"
    yield ""
    yield (
        "`colocalize score` in a process of its own, start included, on JPEG files of 640 x 480; commit "
        f"`{parts[0]['run']['settings']['commit']}` and this one take turns. *Now* is what runs without any option: "
        "int8, on a processor with 8-bit dot products. *Times*: by how much less CPU time it takes, the median of the "
        "rounds, with the lowest and the highest. Where other work runs on the machine the clock says less than that."
    )
    yield ""
    rows: list[list[object]] = []
    for part in parts:
        times = "{:.2f} [{:.2f}, {:.2f}]".format(*part["times"])
        rows.append([part["mode"], _WHO[part["who"]], part["count"], part["cpu_ms"], times])
        rows[-1] += [part["images_per_second"], part["peak_memory_mb"]]
    head = ["mode", "", "images", "CPU ms an image", "times", "images/s by the clock", "peak memory, MB"]
    yield from measured_table(head, rows, parts)


def _plot_speed(parts: list[Part], path: Path) -> None:
    figure, axes = plt.subplots(figsize=(9, 0.45 * len(parts) + 1), layout="constrained")
    colours = {"theirs": "tab:gray", "fp32": "tab:orange", "auto": "tab:blue"}
    for row, part in enumerate(parts):
        rate = 1e3 / part["cpu_ms"]
        axes.barh(row, rate, height=0.7, color=colours[part["who"]])
        axes.annotate(f"{rate:.1f}", (rate, row), (3, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(parts)), [f"{part['mode']}, {_WHO[part['who']]}" for part in parts])
    axes.invert_yaxis()
    axes.set_xlabel("images for a second of CPU time")
    _save(figure, path)


def _pooling(path: Path) -> Iterator[str]:
    parts = read_parts(path)
    yield "### What PTAP adds to the forward pass"
    yield ""
    yield (
        "Forward time of the whole graph over that of the same graph with a plain channel mean (`ReduceMean`, as torch "
        "exports it): median of the ratios of each round, with a 95 % interval; all take "
        f"turns in one process.{_sessions(parts)} *Rounds*: those that PTAP, k = 0.7 of the channels, takes part in, "
        "and those of the others. *Positive*: share of positive features, "
        "and the largest of a pixel; where that is at most k no search is needed. The mean as a matrix product is what "
        "`colocalize export` writes for a network without PTAP: the strictest baseline. *Thresholds given*: each "
        "pixel's threshold is a constant, and what is left is the sum over it and the count that proves it right: the "
        "least that an exact PTAP costs in plain operators where some pixel has more than k positive features."
    )
    yield ""
    rows = []
    for part in parts:
        features, ratios = part["features"], part["poolings"]
        row: list[object] = [part["case"], f"{features['positive']:.2f} / {features['most_positive']:.2f}"]
        row += [part["device"], part["batch"], part["threads"], _rounds(ratios), f"{ratios['ptap']['base_ms']:.1f}"]
        row += [_ratio(ratios[name]) if name in ratios else "" for name in _COLUMNS]  # older rows may lack one
        rows.append(row)
    head = ["network and features", "positive, mean / most", "device", "batch", "threads", "rounds"]
    head += ["with the mean, ms", *(_LABELS[name] for name in _COLUMNS)]
    yield from measured_table(head, rows, parts)
    yield ""
    _plot(parts, ROOT / "docs" / "figures" / "pooling.svg")
    yield "![Forward time over that with a plain mean](figures/pooling.svg)"


def _sessions(parts: list[Part]) -> str:
    """A sentence on the sessions, if it holds for every part."""
    made = {part.get("sessions") for part in parts}
    anew = made.pop() if len(made) == 1 else None
    return (
        f" Within a row all sessions are made anew {anew} times, and the rounds shared out among them." if anew else ""
    )


def _rounds(ratios: dict[str, Any]) -> str:
    others = sorted({ratio["rounds"] for name, ratio in ratios.items() if name != "ptap"})
    return f"{ratios['ptap']['rounds']} / {' to '.join(str(count) for count in dict.fromkeys((others[0], others[-1])))}"


def _ratio(ratio: dict[str, Any]) -> str:
    return f"{ratio['ratio']:.4f} [{ratio['interval'][0]:.4f}, {ratio['interval'][1]:.4f}]"


def _plot(parts: list[Part], path: Path) -> None:
    names = ("topk", "gated", "ptap")
    several = len({part["device"] for part in parts}) > 1
    rows = [
        (f"{part['case']}, batch {part['batch']}{', ' + part['device'] if several else ''}", part["poolings"])
        for part in parts
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
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mpl.rcParams["svg.hashsalt"] = "colocalize"
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _equality(record: Record) -> Iterator[str]:
    total = sum(result["cases"] for result in record["results"].values())
    yield "### Exactness"
    yield ""
    yield (
        f"The graph against float64 numpy on {total} generated feature maps (sparse, dense, negative, constant, tied, "
        "skewed, offset, with the channels that are left out far below, of magnitudes from 1e-30 to 1e36, 3 to 1280 "
        "channels, k from 0.02 to 1). Error relative to the feature map's largest magnitude, with PTAP to the largest "
        "of the k values that the pixel's result is the mean of; float32 resolves 6e-8."
    )
    yield ""
    yield from table(
        ["pooling", "feature maps", "worst error"],
        [[kind, result["cases"], f"{result['worst']:.1e}"] for kind, result in record["results"].items()],
    )


def _precision(path: Path) -> Iterator[str]:
    for index, part in enumerate(read_parts(path)):
        if index:
            yield ""
        yield from _precision_on(part)


def _precision_on(part: Part) -> Iterator[str]:
    precision, settings = part["precision"], part["run"]["settings"]
    yield "### " + {"int8": "8-bit integers", "fp16": "16-bit floats on CUDA"}[precision]
    yield ""
    yield (
        ("The int8 file of the model in the box" if precision == "int8" else "`colocalize export --precision fp16`")
        + f". Speed over fp32 on {part['device']}, medians of {settings['rounds']} interleaved rounds"
        + (f" on {settings['threads'] or 'as many threads as cores'}" if part["device"] == "cpu" else "")
        + (" thread: " if settings["threads"] == 1 and part["device"] == "cpu" else ": ")
        + "; ".join(f"batch {batch}: {_ratio(ratio)}" for batch, ratio in part["speed"].items())
        + f". File: {part['bytes'] / 1e6:.1f} MB. CorLoc with default settings, on "
        + (f"at most {settings['limit']}" if settings["limit"] else "all")
        + " images of each set:"
    )
    yield ""
    rows: list[list[object]] = []
    for name in part["scores"]["fp32"]:
        both = [part["scores"][kind][name]["corloc"] for kind in ("fp32", precision)]
        cells = [f"{score['0.3']:.1f} / {score['0.5']:.1f} / {score['0.7']:.1f}" for score in both]
        rows.append([name, *cells, f"{both[1]['0.5'] - both[0]['0.5']:+.2f}"])
    yield from table(["set", "fp32, 0.3 / 0.5 / 0.7", precision, "difference at 0.5"], rows)
    yield ""
    yield run_note(part["run"])


def _folder(path: Path) -> Iterator[str]:
    parts = read_parts(path)
    yield "### Whole folders"
    yield ""
    yield (
        "`colocalize score` in a process of its own, start included, on JPEG files of 640 x 480. *Bare*: the network "
        "alone, measured before and after, in one session with a thread for each core, and as `score` runs it, a run "
        f"on each core side by side, at most {MOST_LANES}. *Share*: of the bare network; in mode `common`, which takes "
        "two runs an image and a GrabCut, of half of it."
    )
    yield ""
    ways = ("one session", "side by side")
    rows: list[list[object]] = []
    for part in parts:
        bare = [part[kind][way] for way in ways for kind in ("bare_per_second", "share")]
        rate = part["images_per_second"]
        rows.append([part["mode"], part["count"], rate, *bare, round(1e3 / rate, 1), part.get("peak_memory_mb", "")])
    head = [title for way in ways for title in (f"{way}, /s", "share")]
    head = ["mode", "images", "images/s", *head, "ms an image", "peak memory, MB"]
    yield from measured_table(head, rows, parts)


def _checkpoint(record: Record) -> Iterator[str]:
    told = record["results"]
    export = told["export"].replace("pictures", "images")  # their name when the record was made
    yield "### A trained checkpoint, from torch to `colocalize score`"
    yield ""
    yield (
        f'Exported ("{export}"), then scored with `colocalize score --mode attention` on {told["images"]} '
        f"test images of {record['settings']['data']}: {told['identical']} boxes are torch's to the last bit, "
        f"the others differ by at most {told['worst_side_px']} pixels (least IoU {told['least_iou']}). "
        "CorLoc at 0.3 / 0.5 / 0.7: "
        f"{told['corloc']['0.3']} / {told['corloc']['0.5']} / {told['corloc']['0.7']}."
    )


def _options(record: Record) -> Iterator[str]:
    settings = record["settings"]
    yield "### Options of the session"
    yield ""
    yield (
        "A run of the model in the box, one image, on the CPU with one option changed, over the run with the options "
        "in use: all optimisations, operators one after the other, arena and memory pattern, threads that sleep while "
        "they wait (spinning ones would take the cores from decoding and from other runs), "
        f"{settings['threads'] or 'as many as cores'}. Medians of {settings['rounds']} interleaved rounds, with a 95 % "
        "interval. How many runs go on side by side, and with how many threads: *Whole folders*, above."
    )
    yield ""
    yield from table(
        ["changed", "time over that in use"], [[name, _ratio(ratio)] for name, ratio in record["results"].items()]
    )


def _limits(record: Record) -> Iterator[str]:
    told = record["results"]
    yield "### The physical limit"
    yield ""
    yield (
        f"The model in the box takes {told['multiply_adds'] / 1e9:.2f} G multiply-adds an image. In a product of two "
        f"1024 x 1024 matrices a core of this machine does {told['matrix_product_giga_per_second']:.0f} G a second; at "
        f"that rate an image would take {told['least_ms']:.1f} ms. It takes {told['network_ms']:.1f} ms "
        f"({told['network_giga_per_second']:.0f} G a second): depthwise convolutions reuse little of what they read. "
        "By operator, in ms: " + ", ".join(f"{name} {value:.2f}" for name, value in told["operators_ms"].items()) + "."
    )


_SECTIONS: dict[str, Callable[[Path], Iterator[str]]] = {
    "against": _against,
    "pooling": _pooling,
    "equality": _whole(_equality),
    "precision": _precision,
    "folder": _folder,
    "ray": ray_section,
    "sessions": _whole(_options),
    "limits": _whole(_limits),
    "checkpoint": _whole(_checkpoint),
}
