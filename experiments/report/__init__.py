"""From records to docs/results.md and its plots."""

from collections.abc import Callable, Iterator
from pathlib import Path

from experiments.records import Record, read_record, record_path
from experiments.report.calibration import calibration_section
from experiments.report.foreground import foreground_section
from experiments.report.grids import grid_section
from experiments.report.hints import hints_section
from experiments.report.kept import kept_section
from experiments.report.pays import training_section
from experiments.report.peers import peers_section
from experiments.report.refusal import refusal_section
from experiments.report.sizes import scale_section, set_size_section
from experiments.report.text import provenance
from experiments.tables import GRIDS

__all__ = ["write_report"]

Section = Callable[[Record, Path], Iterator[str]]
"""Lines of a section from its record; plots go into the folder."""

_SECTIONS: dict[str, Section] = {
    "foreground": foreground_section,
    "training": training_section,
    "calibrate": calibration_section,
    "hints": hints_section,
    "peers": peers_section,
    "background": refusal_section,
    "set-size": set_size_section,
    "kept-object": kept_section,
    "scale": scale_section,
}

_INTRODUCTION = """\
# Results

Written by `python -m experiments report` from the records in `docs/records/`; do not edit.

**Protocol.** One superclass a set, no label. An image is a hit at IoU t when its best predicted box has IoU >= t with
any ground-truth box; an image without a predicted box is a miss. CorLoc is the share of hits in percent, at t = 0.3,
0.5, 0.7, and their mean. No method is shown a box: cuts and epochs are chosen without. Images of PASCAL07-6x2 are
localized in each view (left, right) alone and the two averaged; means over sets weigh each set alike. Brackets are 95 %
bootstrap intervals over images. *Legacy* is how PsyNet counts: images without a contour are left out. MaxBoxAccV2
(Choe et al. 2020) takes the best cut for each set of maps on the boxes, so it judges maps, not boxes. Numbers of the
paper are marked as the paper's: another network, and the full data sets.

**Development sets.** cub_birds_10, pets_cats, raccoon and the three of PASCAL07-6x2: some forty variants of the method
were compared on them. The eight others came later; what was settled while looking at them is said with each table.
"""


def write_report(records: Path, out: Path) -> None:
    """Write the text and its plots.

    Args:
        records: Folder of the records; sections without one are left out.
        out: The text; its plots go into the folder `figures` beside it.

    Raises:
        TrainingError: A record is damaged.
    """
    parts = [_INTRODUCTION]
    figures = out.parent / "figures"
    figures.mkdir(parents=True, exist_ok=True)
    for name, section in _SECTIONS.items():
        labelled = sorted(records.glob(record_path(records, f"{name}-*").name))
        for path in (record_path(records, name), *labelled):
            if path.is_file():
                record = read_record(path)
                parts += ["\n".join([*section(record, figures), "", provenance(record), ""])]
    for grid in GRIDS:
        for path in sorted(records.glob(record_path(records, f"{grid}-*").name)):
            record = read_record(path)
            parts += ["\n".join([*grid_section(record, figures), "", provenance(record), ""])]
    if record_path(records, "peers-fourteen").is_file():
        parts.append(_FAILURES)
    for name, text in _FIGURES2.items():
        if (figures / name).is_file():
            parts.append(text)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(parts), "utf-8")


_FAILURES = """\
## What fails now, and why

Of `ours, common`, looked at on 2026-11-29: the four worst of 14 images of seven of the sets, drawn by `python -m
experiments failures`, int8. Of the other sets only the counts were looked at.

- **A part of what dominates** (plates_eu, 14 of 14 below an IoU of 0.5): set and prior agree on the car, with a
  confidence of 0.98 and more. Nothing without a hint says that the plate is meant.
- **Another thing is as common** (blood_white, 14 of 14): a clump of red cells is boxed, in part with the white one.
  The prior, too, sees them.
- **Side by side is one box** (soda_cans 6 of 14; horses, buses): both maps show the cans, horses or buses, and they
  touch. The component is one; so are a bottle and the cans beside it.
- **What stands behind or is drawn by the thing** (buses before buildings; carriages): the prior's map is brightest
  on the bus, the set's takes the facade along. Here more of the prior would help.
- **The set is wrong and the prior right** (elephants 6 of 14: figures and drawings of them): the set was learnt
  from photographs of living ones; its map is nearly empty there, confidence 0, and the box is what is left. The
  images are refused, as they should not be.
- **Small and far** (cars_road 7 of 14): where the prior leads, a kerb or the trees behind are boxed once the car is
  a few cells. Cells and aircraft (14 of 14 each) are smaller than one look shows; that is what effort `thorough` is
  for.
- **Parts** (horses): legs and tail are cut off where the map fades.
"""

_FIGURES2 = {
    "figure2.jpg": """\
## Figure 2

Heat maps of example photographs, ground truth in red, prediction in green: the model in the box, mode `common`. Drawn
by `python -m experiments figure2 --out docs/figures/figure2.jpg`.

![Heat maps with boxes](figures/figure2.jpg)
""",
    "figure2-trained.jpg": """\
As the paper's figure: the attention maps of a trained network, one look at one image. The network is one of preset
`small`, trained on 40 birds of CUB-200-2011, exported, and drawn by `python -m experiments figure2 --model FILE --mode
attention --out docs/figures/figure2-trained.jpg`.

![Attention maps with boxes](figures/figure2-trained.jpg)
""",
}
