"""Writes the part of docs/performance.md that is about the service, and its plots, from docs/records/service-*.json.

python -m tests.load.report
"""

import json
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from tests.load.records import RECORDS, ROOT

_TARGET = ROOT / "docs" / "performance.md"
_BEGIN, _END = "<!-- service: begin, written by tests/load/report.py -->", "<!-- service: end -->"

Record = dict[str, Any]


def main() -> None:
    """Write the part between the markers; add them at the end of the file where there are none."""
    parts = [_BEGIN, "", "## The service", ""]
    for kind, write in _SECTIONS.items():
        path = RECORDS / f"{kind}.json"
        if path.exists():
            record = json.loads(path.read_text(encoding="utf-8"))
            parts += [*write(record), "", *_how(record), ""]
    parts.append(_END)
    text = _TARGET.read_text(encoding="utf-8") if _TARGET.exists() else "# Performance\n"
    before, found, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2] if found else "\n"
    _TARGET.write_text(before.rstrip() + "\n\n" + "\n".join(parts) + after, encoding="utf-8")


def _how(record: Record) -> Iterator[str]:
    machine, versions = record["machine"], record["versions"]
    yield (
        f"`{record['command']}`, {record['date'][:10]}, commit {record['commit']}, {machine['cores']} cores of "
        f"{machine['processor']}, load average before {record['load_average_before']:.1f}, "
        f"ONNX Runtime {versions.get('onnxruntime') or versions.get('onnxruntime-gpu')}."
    )


def _table(head: list[str], rows: list[list[object]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + " --- |" * len(head)
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"


def _spread(values: list[float], digits: int = 2) -> str:
    ordered = sorted(values)
    return f"{statistics.median(values):.{digits}f} ({ordered[0]:.{digits}f} to {ordered[-1]:.{digits}f})"


def _latency(told: Record) -> list[object]:
    return [told["latency_ms"].get(q, "") for q in ("p50", "p95", "p99")]


def _throughput(record: Record) -> Iterator[str]:
    results = record["results"]
    yield "### Throughput, and more load than it can take"
    yield ""
    bare, settings = results["bare_images_per_s"], record["settings"]
    yield (
        f"The bare network in {settings['threads_alone']} threads, one run after the other: "
        f"{_spread(bare['one session'])} images/s (median, lowest to highest). As the service runs it, "
        f"{settings['lanes']} runs side by side, threads for each: {settings['threads']}: {_spread(bare['lanes'])}."
    )
    yield ""
    rows: list[list[object]] = [
        [
            size, _spread([one["goodput_images_per_s"] for one in told]),
            *(_spread(results["share_of_bare"][name][size]) for name in bare),
        ]
        for size, told in results["service"].items()
    ]  # fmt: skip
    head = ["images a request", "service, images/s", "share of the bare network", "of the bare network in lanes"]
    yield from _table(head, rows)
    yield ""
    yield "Open loop (Poisson arrivals, single images; latency of accepted requests, from when they were due):"
    yield ""
    steps = results["open_loop"]
    best = max(step["goodput_images_per_s"] for step in steps)
    rows = [
        [
            f"{step['factor']:g} x", step["offered_images_per_s"], step["goodput_images_per_s"],
            f"{step['goodput_images_per_s'] / best:.2f}", *_latency(step), f"{100 * step['share_429']:.1f} %",
            step["other_errors"],
        ]
        for step in steps
    ]  # fmt: skip
    head = ["load", "offered/s", "goodput/s", "of the best", "p50 ms", "p95 ms", "p99 ms", "429", "other errors"]
    yield from _table(head, rows)
    yield ""
    yield _plot_open_loop(steps)


def _plot_open_loop(steps: list[Record]) -> str:
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    offered = [step["offered_images_per_s"] for step in steps]
    left.plot(offered, [step["goodput_images_per_s"] for step in steps], "o-", label="answered")
    left.plot(offered, offered, ":", color="0.5", label="offered")
    left.set(
        xlabel="offered images/s", ylabel="images/s", ylim=(0, 1.4 * max(s["goodput_images_per_s"] for s in steps))
    )
    left.legend()
    for quantile in ("p50", "p95", "p99"):
        right.plot(offered, [step["latency_ms"].get(quantile, float("nan")) for step in steps], "o-", label=quantile)
    right.set(xlabel="offered images/s", ylabel="latency of accepted requests, ms", ylim=(0, None))
    right.legend()
    with mpl.rc_context({"svg.hashsalt": "service-open-loop"}):  # the same records give the same file
        figure.savefig(RECORDS / "service-open-loop.svg", metadata={"Date": None})
    plt.close(figure)
    return "![Goodput and latency over the offered load](records/service-open-loop.svg)"


def _comparison(record: Record) -> Iterator[str]:
    results = record["results"]
    ours, bare = results["images_per_s"]["colocalize"], statistics.median(results["bare_images_per_s"])
    precision = record["settings"].get("precision", "fp32")
    yield "### Against LitServe and BentoML" + ("" if precision == "fp32" else f", with the {precision} model")
    yield ""
    yield (
        "Same model file, images, pre- and postprocessing; single images, attention mode. Each peer once as it "
        f"comes, one worker with all {record['settings']['threads']} threads and batches of up to "
        f"{record['settings']['batch']}, and once with a worker for each core, a thread each. "
        f"Latency at {results['open_loop_rate']:.1f} images/s, 0.7 times the throughput of the slowest. The bare "
        f"network, which all of them run, gives {bare:.1f} images/s: a server that costs nothing would reach so "
        "many, and *bare over it* is the most by which any server could be faster than this one."
    )
    yield ""
    rows: list[list[object]] = [
        [
            name, _spread([one["goodput_images_per_s"] for one in told]), f"{results['images_per_s'][name] / bare:.2f}",
            f"{ours / results['images_per_s'][name]:.2f}", f"{bare / results['images_per_s'][name]:.2f}",
            *_latency(results["open_loop"][name]), results["open_loop"][name]["other_errors"], results["mib"][name],
        ]
        for name, told in results["closed_loop"].items()
    ]  # fmt: skip
    head = [
        "server", "images/s", "of the bare network", "ours over it", "bare over it", "p50 ms", "p95 ms", "p99 ms",
        "errors", "memory, MiB",
    ]  # fmt: skip
    yield from _table(head, rows)


def _footprint(record: Record) -> Iterator[str]:
    results = record["results"]
    yield "### Start and memory"
    yield ""
    rows: list[list[object]] = [
        ["start to ready, s", _spread(results["seconds_to_ready"])],
        ["start to first answer, s", _spread(results["seconds_to_first_answer"])],
        ["resident, idle, MiB", results["idle_mib"]],
    ]
    names = {
        "most_images": "64 images, heat maps as arrays",
        "largest_pngs": "4 PNGs of 64 million pixels",
    }
    for key, name in names.items():
        told = results[key]
        rows.append([f"peak, {name} ({told['request_mib']} MiB; status {told['status']}), MiB", told["peak_mib"]])
    yield from _table(["", ""], rows)


def _sigterms(record: Record) -> Iterator[str]:
    results = record["results"]
    yield "### SIGTERM under load"
    yield ""
    yield (
        f"{results['sigterms']} times, four clients: {results['answered']} requests answered, "
        f"{len(results['lost'])} lost; the process left within {results['seconds_to_leave']['max']:.2f} s "
        f"(median {results['seconds_to_leave']['median']:.2f} s)."
    )


def _soak(record: Record) -> Iterator[str]:
    results, samples = record["results"], record["results"]["samples"]
    files, threads = ([sample[kind] for sample in samples] for kind in ("files", "threads"))
    yield "### A long run"
    yield ""
    yield (
        f"{record['settings']['seconds']:g} s at {record['settings']['images_per_s']:g} images/s: resident memory "
        f"grew by {100 * results['growth_after_first_minute']:.1f} % after the first minute, to "
        f"{samples[-1]['mib']} MiB (from one sample to another; the median of the last minute is "
        f"{100 * results['growth_of_medians']:.1f} % above that of the second); "
        f"open files, connections among them, {min(files)} to {max(files)}, threads "
        f"{min(threads)} to {max(threads)}; "
        f"{results['load']['other_errors']} errors."
    )


def _fuzz(record: Record) -> Iterator[str]:
    results = record["results"]
    yield "### Damaged images"
    yield ""
    codes = ", ".join(f"{number} {code}" for code, number in results["codes"].items())
    yield (
        f"{results['inputs']} inputs: {codes}. Answers that are 5xx: {results['server_errors']}. Slowest: "
        f"{results['slowest']['seconds']} s ({results['slowest']['name']}); highest memory {results['peak_mib']} MiB."
    )


def _faults(record: Record) -> Iterator[str]:
    yield "### What is lost when something breaks"
    yield ""
    yield (
        f"{record['settings']['clients']} clients send single images, each on a connection of its own, while it "
        f"happens; {record['settings']['strangers']} strangers where there are any. Not accepted: there was no one to "
        "connect to, or a process said that it was not ready yet. Refused (429): strangers had filled the queue."
    )
    yield ""
    rows: list[list[object]] = []
    for told in record["results"].values():
        after = {
            "seconds_to_ready": "ready again", "seconds_to_refused": "new model refused",
            "seconds_to_nothing_left": "nothing left of it",
        }  # fmt: skip
        rows.append([
            told["what"].rstrip("."), told["answered"], told["refused"], told["lost"],
            told.get("held_by_the_killed", ""), told.get("not_accepted", ""),
            *(f"{text} after {told[key]} s" for key, text in after.items() if key in told),
        ])  # fmt: skip
    head = ["fault", "answered", "refused", "lost", "held by the killed process", "not accepted", ""]
    yield from _table(head, rows)


def _client(record: Record) -> Iterator[str]:
    results, settings = record["results"], record["settings"]
    refused, errors = results["sent"].get("429", 0), sum(results["errors"].values())
    yield "### The client against a service that is full"
    yield ""
    yield (
        f"{settings['programs']} programs ask about {results['requests']} images through `colocalization.client`, one "
        f"a request, in {results['seconds']} s; the service, over a network that takes "
        f"{1000 * settings['delay']:g} ms, takes {settings['pending']} at a time. Answered: {results['answered']}, of "
        f"these about another image: {results['answered_with_another_image']}; refused on the way and sent again: "
        f"{refused}; other errors: {errors}. The service counts {results['counted_by_the_service']['images']} images "
        "that it worked on."
    )


def _page(record: Record) -> Iterator[str]:
    results = record["results"]
    told, corloc = results["walk"], results["walk"]["corloc_of_the_others"]
    weight = told["until_the_page_was_ready"]
    yield "### The page, as a new user walks through it"
    yield ""
    yield (
        f"{told['images']} mixed images, {len(told['steps'])} steps and {told['seconds']} s from opening the page to a "
        f"COCO file with {told['boxes_by_hand_in_the_file']} boxes by hand, driven by a script that aims at once. "
        f"Until it is ready the page takes {weight['requests']} requests and {weight['kib']} KiB. CorLoc of the images "
        f"that were not corrected: {corloc['before']}; after running again with the corrections as hints: "
        f"{corloc['run_again_with_these_hints']}."
    )
    yield ""
    yield from _table(["step", "s"], [[step["what"], step["seconds"]] for step in told["steps"]])
    if one := results.get("one_correction"):
        before, after = one["corloc"]["before"], one["corloc"]["after"]
        yield ""
        yield (
            f"One box in one image of {one['set']} ({one['images']} others): CorLoc at 0.5 {before['0.5']} before, "
            f"{after['0.5']} after; {one['seconds']['before']} and {one['seconds']['after']} s."
        )
    if looked := results.get("accessibility"):
        states = [state for window in looked.values() for state in window.values()]
        wrong = sum(len(state["violations"]) for state in states)
        yield ""
        yield f"axe-core, in {len(states)} states ({'; '.join(looked)}): violations: {wrong}."


def _kept(record: Record) -> Iterator[str]:
    settings = record["settings"]
    yield "### A kept object beside mode attention"
    yield ""
    yield (
        f"One image a request, {settings['connections']} clients, all ways by turns, {settings['rounds']} rounds of "
        f"{settings['seconds']:g} s. With effort `fast` an image against a kept object takes one look, as in mode "
        "`attention`; with `full`, the default, a second one where the prior does not confirm the first. *Without the "
        "service*: the same steps by `Localizer.localize` in a thread for each core. *Over attention*: median of the "
        "rounds' ratios, lowest and highest; *at equal looks*: of the looks a second."
    )
    yield ""
    rows: list[list[object]] = []
    for name, told in record["results"]["ways"].items():
        over, through = told["over_attention"], told["service_over_bare"]
        rows.append([
            name, f"{told['looks']:.2f}", f"{told['service']:.1f}", f"{told['p99_ms']:.0f}", _ratios(over["service"]),
            _ratios(told["at_equal_looks"]), f"{told['bare']:.1f}", _ratios(over["bare"]), _ratios(through),
        ])  # fmt: skip
    head = [
        "", "looks an image", "images/s", "p99 ms", "over attention", "at equal looks", "without the service, images/s",
        "over attention", "service over without",
    ]  # fmt: skip
    yield from _table(head, rows)


def _ratios(three: list[float]) -> str:
    return "{:.2f} ({:.2f} to {:.2f})".format(*three)


def _objects(record: Record) -> Iterator[str]:
    results, settings = record["results"], record["settings"]
    yield "### Kept objects under mixed load"
    yield ""
    yield (
        f"{results['requests']} requests of {settings['clients']} clients to {settings['workers']} workers, engine "
        f"`{settings['engine']}`, {results['killed']} workers killed with kill -9 meanwhile. Wrong answers: "
        f"{len(results['wrong'])}; half-written files: {len(results['half_written'])}; objects lost: "
        f"{len(results['lost'])}, of {results['checked_after_restart']} names looked for after a restart. Status 0: "
        f"the killed worker gave no answer; of {results['cut_off_writes_unknown']} names nobody knows whether such a "
        "write was done."
    )
    yield ""
    counts: dict[str, dict[str, int]] = {}
    for told, number in results["statuses"].items():
        method, status = told.split(" ")
        counts.setdefault(method, {})[status] = number
    statuses = sorted({status for told in counts.values() for status in told})
    yield from _table(
        ["", *statuses], [[method, *(told.get(status, "") for status in statuses)] for method, told in counts.items()]
    )


_SECTIONS: dict[str, Callable[[Record], Iterator[str]]] = {
    "service-throughput": _throughput,
    "service-comparison": _comparison,
    "service-comparison-int8": _comparison,
    "service-footprint": _footprint,
    "service-sigterms": _sigterms,
    "service-faults": _faults,
    "service-soak": _soak,
    "service-fuzz": _fuzz,
    "service-client": _client,
    "service-page": _page,
    "service-kept": _kept,
    "service-objects": _objects,
}


if __name__ == "__main__":
    main()
