"""Parquet: a row an image, for tools that read tables of any size."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO, cast

from scoring.predictions import Prediction

__all__ = ["need_pyarrow", "read_parquet", "read_parquet_note", "write_parquet"]

_ROWS = 10_000
"""Rows of a row group, which is what a writer or reader holds at a time."""

_NOTE = b"colocalize"


def need_pyarrow() -> None:
    """Check that Parquet can be written.

    Raises:
        OSError: The package is missing; the message names the extra that brings it.
    """
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise OSError(
            "Parquet needs the package 'pyarrow'; install it with: pip install 'colocalize[parquet]'"
        ) from None


def write_parquet(
    stream: BinaryIO, predictions: Iterable[Prediction], note: Mapping[str, object] | None = None
) -> None:
    r"""Write the rows; what stands in a line of `predictions.jsonl` stands in a row, by the same names.

    Bytes of a name that are not UTF-8, which Parquet cannot hold, are written as escapes (`\udcff`).

    Args:
        stream: Where to write.
        predictions: The predictions, in order; ten thousand are held at a time.
        note: What else the file is to say of itself, as JSON can hold it.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = _schema(pa)
    if note is not None:
        schema = schema.with_metadata({_NOTE: json.dumps(note).encode()})
    source = iter(predictions)
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        while rows := [{**row, "path": _utf8(row["path"])} for row in islice(source, _ROWS)]:
            writer.write_table(pa.Table.from_pylist(cast(Sequence[Any], rows), schema=schema))


def read_parquet(stream: BinaryIO) -> Iterator[Prediction]:
    """Read the rows that `write_parquet` has written.

    Raises:
        ValueError: It is no such file.
    """
    import pyarrow.parquet as pq

    for batch in pq.ParquetFile(stream).iter_batches(_ROWS):
        yield from cast(list[Prediction], batch.to_pylist())


def read_parquet_note(stream: BinaryIO) -> dict[str, Any] | None:
    """The note that a file was written with; None where there is none, or it is no Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(stream).metadata or {}
        note = json.loads(metadata[_NOTE])
    except (pa.ArrowException, KeyError, ValueError):
        return None
    return note if isinstance(note, dict) else None


def _schema(pa: Any) -> Any:
    box = pa.struct([(name, pa.float64()) for name in ("x0", "y0", "x1", "y1", "score")])
    said = pa.struct([("code", pa.string()), ("message", pa.string())])
    return pa.schema(
        [
            pa.field("path", pa.string(), nullable=False),
            pa.field("width", pa.int32(), nullable=False),
            pa.field("height", pa.int32(), nullable=False),
            pa.field("boxes", pa.list_(box), nullable=False),
            pa.field("confidence", pa.float64(), nullable=False),
            pa.field("contains_common_object", pa.bool_()),
            pa.field("error", said),
            pa.field("warning", said),
        ]
    )


def _utf8(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode()
