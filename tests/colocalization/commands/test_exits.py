import pytest
import typer

from colocalization.commands.exits import errors_reported
from colocalization.errors import ColocalizeError, ModelError, ProviderError


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ColocalizeError("x", "cannot be worked on"), 2, "cannot be worked on"),
        (ModelError("no model"), 3, "no model"),
        (ProviderError("no GPU"), 3, "no GPU"),
        (OSError(28, "No space left on device", "out/a"), 3, "No space left on device 'out/a'"),
        (MemoryError(), 3, "not enough memory"),
        (RuntimeError("can't start new thread"), 3, "the machine gives no further thread"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_errors_that_users_can_meet_are_one_line_and_a_code(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    with pytest.raises(typer.Exit) as caught, errors_reported():
        raise error
    assert caught.value.exit_code == code
    told = capsys.readouterr().err
    assert told.startswith(f"error: {said}")
    assert told.count("\n") == 1


@pytest.mark.parametrize("error", [RuntimeError("a bug"), ValueError("a bug"), BrokenPipeError()])
def test_others_keep_their_traceback(error: Exception) -> None:
    with pytest.raises(type(error)), errors_reported():
        raise error
