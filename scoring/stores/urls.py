"""What is a URL, and what of it may be shown: keys and signatures are nobody's business but the store's."""

import re

from scoring.errors import InputError

__all__ = ["check_url", "is_url", "joined", "redacted", "without_secrets"]

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_SECRET_PAIR = re.compile(
    r"(?i)\b((?:aws_)?(?:secret|session|account|access)[a-z_]*|sig|token|password)(\s*[=:]\s*)\S+"
)
_QUERY = re.compile(r"(://[^\s?#'\"]+)\?[^\s'\"]+")
_USER = re.compile(r"(://)[^\s/@:'\"]*:[^\s/@'\"]*@")


def is_url(text: object) -> bool:
    r"""Whether a path is one of a store.

    Example:
        >>> is_url("s3://bucket/birds"), is_url("birds/a.jpg"), is_url("C:\\birds")
        (True, False, False)
    """
    return isinstance(text, str) and _URL.match(text) is not None


def check_url(url: str) -> None:
    """Refuse a URL with a password in it: it would end up in results and in the list of processes.

    Raises:
        InputError: It has one, or names nothing.
    """
    scheme, _, rest = url.partition("://")
    if _USER.search(url):
        raise InputError(
            f"the URL {redacted(url)!r} has a password in it; give it by the environment, or by the file of settings "
            "of the store's library"
        )
    if not rest.strip("/"):
        raise InputError(f"{scheme}:// names no bucket; give one, such as {scheme}://bucket/birds")


def joined(url: str, name: str) -> str:
    """The URL of what a name, relative with forward slashes, is below a URL."""
    return f"{url.rstrip('/')}/{name}"


def redacted(url: str) -> str:
    """A URL as it may be shown.

    Example:
        >>> redacted("https://me:secret@host/a.jpg?X-Amz-Signature=1234")
        'https://***@host/a.jpg?***'
    """
    return _QUERY.sub(r"\1?***", _USER.sub(r"\1***@", url))


def without_secrets(message: str) -> str:
    r"""What a library says, on one line and without what looks like a key.

    Example:
        >>> without_secrets("refused:\n  aws_secret_access_key=abc at https://h/x?sig=12")
        'refused: aws_secret_access_key=*** at https://h/x?***'
    """
    return _SECRET_PAIR.sub(r"\1\2***", redacted(" ".join(message.split())))
