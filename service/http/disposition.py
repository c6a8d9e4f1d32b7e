"""What a part of a multipart body says about itself, in the forms that clients in the wild write.

RFC 7578 wants `form-data; name="a"; filename="b"`, in UTF-8. Clients also send names without quotes (.NET), a quotation
mark as `%22` (browsers, curl) or behind a backslash, a second name `filename*=utf-8''...` (.NET, RFC 5987) that then is
the true one, words of e-mail headers (`=?utf-8?B?...?=`, PowerShell), and whole paths of Windows.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message

__all__ = ["Disposition", "read_disposition"]

_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary"})
_ENCODED_WORDS = re.compile(r"(=\?[^?\s]+\?[BbQq]\?[^?]*\?=\s*)+")


@dataclass(frozen=True, slots=True)
class Disposition:
    """Whose content a part is.

    Attributes:
        name: Name of the form's field.
        file_name: Name of the file; None where the part is no file.
    """

    name: str
    file_name: str | None


def read_disposition(headers: Mapping[str, str]) -> Disposition:
    """Read the headers of a part.

    Args:
        headers: Values by name in lower case.

    Raises:
        ValueError: The part is not a form's, its name is missing or there are two, or its content is encoded or is
            itself made of parts.

    Example:
        >>> read_disposition({"content-disposition": "form-data; name=images; filename*=utf-8''%C3%A4.jpg"})
        Disposition(name='images', file_name='ä.jpg')
    """
    (kind, _), *parameters = _parameters(headers.get("content-disposition", ""))
    if kind.strip().lower() != "form-data":
        raise ValueError("every part must be form-data with a name")
    given: dict[str, list[str | tuple[str | None, str | None, str]]] = {"name": [], "filename": []}
    for name, content in parameters:
        if name.lower() in given:
            given[name.lower()].append(content)
    for name, contents in given.items():
        forms = Counter(isinstance(content, tuple) for content in contents)
        if max(forms.values(), default=0) > 1:
            raise ValueError(f"a part has its {name} twice")
    if not given["name"]:
        raise ValueError("every part must be form-data with a name")
    if (encoding := headers.get("content-transfer-encoding", "").strip().lower()) not in _PLAIN_ENCODINGS:
        raise ValueError(f"a part is encoded as {encoding[:80]!r}; send its bytes as they are")
    if headers.get("content-type", "").strip().lower().startswith("multipart/"):
        raise ValueError("a part is itself made of parts; send each file in a part of its own")
    file_names = sorted(given["filename"], key=lambda content: isinstance(content, str))  # the extended form first
    return Disposition(_text(given["name"][0]), _base_name(_text(file_names[0])) if file_names else None)


def _parameters(value: str) -> list[tuple[str, str | tuple[str | None, str | None, str]]]:
    """The value and its parameters, whose own values are texts, or (charset, language, text) in the extended form."""
    message = Message()
    message["content-type"] = " ".join(value.split("\r\n")) or ";"
    return list(message.get_params([("", "")]))


def _text(content: str | tuple[str | None, str | None, str]) -> str:
    if isinstance(content, tuple):
        charset, _, text = content
        try:
            return text.encode("latin-1").decode(charset or "utf-8")
        except (UnicodeError, LookupError):
            return text
    if _ENCODED_WORDS.fullmatch(content):
        try:
            return str(make_header(decode_header(content)))
        except (HeaderParseError, UnicodeError, LookupError):
            return content
    return content.replace("%22", '"')


def _base_name(name: str) -> str:
    """Without the folders of a Windows path, which old browsers send."""
    return name.rsplit("\\", 1)[-1] if name[1:3] == ":\\" or name.startswith("\\\\") else name
