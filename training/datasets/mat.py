"""MATLAB files of data sets, read by the names of their fields."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from training.datasets.base import Source

__all__ = ["read_records", "read_strings"]


def _load(source: Source, path: Path, variable: str) -> Any:
    expected = f"a MATLAB file (before version 7.3) with the variable {variable!r}"
    if not path.is_file():
        raise source.missing(path, expected)
    try:
        content = loadmat(path, squeeze_me=True, variable_names=[variable])
    except (MatReadError, ValueError, TypeError, NotImplementedError, OSError, EOFError) as error:
        raise source.damaged(path, expected, str(error)) from error
    if variable not in content:
        raise source.damaged(path, expected, "a file without it")
    return content[variable]


def read_records(source: Source, path: Path, variable: str, fields: tuple[str, ...]) -> list[dict[str, Any]]:
    """Records of a structure array.

    Args:
        source: For errors.
        path: The file.
        variable: Name of the structure array.
        fields: Fields that every record must have; further ones are left out.

    Raises:
        DatasetError: The file, the variable or a field is missing, or the file cannot be read.
    """
    array = np.atleast_1d(_load(source, path, variable))
    names = array.dtype.names or ()
    if not set(fields) <= set(names):
        raise source.damaged(path, f"{variable} with the fields {', '.join(fields)}", ", ".join(names) or "no fields")
    return [{field: record[field].item() if hasattr(record[field], "item") else record[field] for field in fields}
            for record in array]  # fmt: skip


def read_strings(source: Source, path: Path, variable: str) -> list[str]:
    """A cell array of texts.

    Raises:
        DatasetError: The file or the variable is missing, or holds something else.
    """
    values = np.atleast_1d(_load(source, path, variable))
    texts = [value for value in values.tolist() if isinstance(value, str)]
    if len(texts) != values.size:
        raise source.damaged(path, f"{variable}, a cell array of texts", values.dtype)
    return texts
