"""The errors of export that a user can do something about."""

from colocalization.errors import ColocalizeError

__all__ = ["ExportError", "ParityError"]


class ExportError(ColocalizeError):
    """The network cannot be exported; the message says what was given and what is allowed."""

    def __init__(self, message: str) -> None:
        super().__init__("export_error", message)


class ParityError(ColocalizeError):
    """The exported file does not give what torch gives; it was not written."""

    def __init__(self, message: str) -> None:
        super().__init__("parity_error", message)
