"""What is in a common object, as a table."""

from rich.table import Table
from rich.text import Text

from colocalization.common_object import CommonObject
from colocalization.scales import scale_of
from scoring.summary import what_hints_did

__all__ = ["object_table"]


def object_table(common: CommonObject, place: str) -> Table:
    """The table.

    Args:
        common: The object.
        place: What its file is called.
    """
    table = Table(show_header=False, title="Common object", title_justify="left")
    table.add_column()
    table.add_column(justify="right", overflow="fold")
    for name, value in _rows(common, place):
        table.add_row(name, Text(str(value)))
    return table


def _rows(common: CommonObject, place: str) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = [("file", place), ("  bytes", len(common.to_bytes())), ("  digest", common.digest)]
    if (origin := common.origin) is not None:
        rows += [
            ("fitted on images", origin.images),
            *([("  hinted", origin.hinted)] if origin.hinted else []),
            *([("  hints", what_hints_did(common))] if origin.hinted else []),
            *([("scale", scale.text)] if (scale := scale_of(common)) else []),
        ]
    rows.append(("agreement of the images", f"{common.agreement:.2f}"))
    if (exemplar := common.exemplar) is not None:
        sides = [100 * size.side for size in exemplar.sizes]
        aspects = [size.aspect for size in exemplar.sizes]
        rows += [
            (
                "instances learnt from" if origin is not None and not origin.hinted else "instances hinted",
                len(exemplar.sizes),
            ),
            ("  root of their share of the image", _range(sides, "{:.1f} %")),
            ("  width by height", _range(aspects, "{:.2f}")),
        ]
    learnt = [
        "one look",
        *(["second looks"] if common.second is not None else []),
        *(["outlines"] if common.outlined is not None else []),
        *([] if exemplar is None else ["its own parts"] if origin is not None and not origin.hinted else ["hints"]),
    ]
    rows.append(("learnt from", ", ".join(learnt)))
    rows.append(("can grow (--add-to)", "no" if common.sums is None else "yes"))
    if origin is not None:
        rows += [
            ("model", origin.model),
            ("  SHA-256", origin.model_sha256),
            *([("prior", f"{origin.prior}, trained with masks")] if origin.prior is not None else []),
            ("effort", origin.effort),
            ("written by", f"Colocalize {origin.version}"),
        ]
    return rows


def _range(values: list[float], form: str) -> str:
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"
