"""What docs/service.md says about settings and problems is what the code says.

`python -m tests.test_docs` writes the table of settings anew.
"""

import inspect
import re
from pathlib import Path

from pydantic import SecretStr

from service.http.problems import PROBLEM_TYPES
from service.process.command import serve
from service.settings import Settings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "service.md"
BEGIN, END = "<!-- settings: begin, checked by tests/test_docs.py -->\n", "<!-- settings: end -->"


def settings_table() -> str:
    rows = ["| setting | default | |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        hidden = field.default in (None, (), "") or isinstance(field.default, SecretStr)
        default = "" if hidden else f"`{field.default}`"
        rows.append(f"| `{name}` | {default} | {field.description} |")
    return "\n".join(rows) + "\n"


def test_settings_are_documented_as_they_are() -> None:
    written = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert written == settings_table()


def test_problems_are_documented_with_their_status() -> None:
    documented = {
        code: int(status)
        for status, codes in re.findall(r"^\| (\d{3}) \| (.*?) \|", PAGE.read_text(), re.MULTILINE)
        for code in re.findall(r"`(\w+)`", codes)
    }
    assert documented == {code: kind.status for code, kind in PROBLEM_TYPES.items() if code != "bad_request"}


def test_the_settings_that_have_flags_are_documented() -> None:
    sentence = re.search(r"^Settings are environment variables,.*?:$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert sentence is not None
    documented = set(re.findall(r"`(\w+)`", sentence[0])) & set(Settings.model_fields)
    assert documented == set(inspect.signature(serve).parameters)


if __name__ == "__main__":
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + settings_table() + END + rest.partition(END)[2])
