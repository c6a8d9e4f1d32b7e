import io
from pathlib import Path

import pytest

from scoring.formats.parquet import need_pyarrow, read_parquet, read_parquet_note, write_parquet
from tests.scoring.formats.test_write import PREDICTIONS, write

pq = pytest.importorskip("pyarrow.parquet", reason="the extra 'parquet' is not installed")


def test_a_row_an_image_with_its_boxes_as_a_list(tmp_path: Path) -> None:
    path = write("parquet", tmp_path, keep_unflagged=True)
    assert path == tmp_path / "predictions.parquet"
    table = pq.read_table(path)
    assert table.column("path").to_pylist() == ["birds/a b.jpg", "broken.jpg", "nothing\\udcff.png"]
    assert table.column("boxes")[0].as_py() == PREDICTIONS[0]["boxes"]
    assert table.column("error").to_pylist()[1] == {"code": "truncated", "message": "cut off"}
    assert table.column("warning").null_count == 3
    assert str(table.schema.field("boxes").type).startswith("list<")


def test_what_is_read_is_what_was_written_with_its_note() -> None:
    stream = io.BytesIO()
    write_parquet(stream, PREDICTIONS[:2] * 6000, {"images": 12000})
    assert list(read_parquet(stream)) == PREDICTIONS[:2] * 6000
    assert pq.ParquetFile(stream).num_row_groups == 2
    assert read_parquet_note(stream) == {"images": 12000}


@pytest.mark.parametrize("content", [b"", b"PAR1 and so on PAR1", b"x" * 100])
def test_what_is_no_parquet_has_no_note(content: bytes) -> None:
    assert read_parquet_note(io.BytesIO(content)) is None


def test_the_extra_is_named_where_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(
        OSError, match=r"needs the package 'pyarrow'; install it with: pip install 'colocalize\[parquet\]'"
    ):
        need_pyarrow()
