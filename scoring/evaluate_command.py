"""The command `colocalize evaluate`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from colocalization.commands.exits import errors_reported, warn

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def evaluate(
    predictions: Annotated[Path, typer.Argument(help="A predictions.jsonl.")],
    boxes: Annotated[Path, typer.Option(help="CSV with the header file,x0,y0,x1,y1, in pixels.")],
    files: Annotated[Path | None, typer.Option(help="Score only the files named in this file, one a line.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object in place of text.")] = False,
) -> None:
    """Print CorLoc of predictions, and AP50 and recall over all boxes, in percent.

    CorLoc: the share of images whose first box is right. Right at a threshold: intersection over union with any of the
    file's boxes is at least that. A file without a prediction, or without a predicted box, counts as wrong.

    AP50: average precision at 0.5 as COCO computes it, over all boxes of all files; they are ordered by their score
    times the confidence of their image. Recall: the share of the files' boxes that any predicted box finds. Both mean
    little unless all boxes were asked for (score --max-boxes 0).
    """
    from scoring.evaluation import evaluate as score_predictions

    with errors_reported():
        result = score_predictions(predictions, boxes, files)
        if result.unknown:
            warn(f"{len(result.unknown)} of the files asked for have no boxes, such as {result.unknown[0]!r}")
        if result.unpredicted:
            warn(f"{len(result.unpredicted)} files have no prediction, such as {result.unpredicted[0]!r}: wrong")
        scores = result.scores
        if as_json:
            corloc = {f"{threshold:g}": value for threshold, value in scores.at.items()}
            record = {
                "images": scores.images,
                "without_box": scores.missing,
                "corloc": corloc,
                "mean": scores.mean,
                "ap50": result.boxes.average_precision,
                "recall": result.boxes.recall,
                "boxes": result.boxes.truth,
                "predicted_boxes": result.boxes.predicted,
            }
            typer.echo(json.dumps(record))
        else:
            typer.echo(str(scores))
            typer.echo(str(result.boxes))
