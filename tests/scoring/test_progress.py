import io

import pytest
from rich.console import Console

from scoring.progress import PlainProgress, TerminalProgress, progress_on


def test_plain_lines_come_every_five_seconds_and_at_the_end() -> None:
    lines: list[str] = []
    now = 100.0

    def clock() -> float:
        return now

    with PlainProgress(lines.append, clock=clock).phase("Scoring", 10, 2) as advance:
        for _ in range(8):
            now += 2.0
            advance()
    assert lines == [
        "Scoring: 5/10 images, 0.5/s, 0:00:10 left",  # after 6 seconds: three of them, besides the two before
        "Scoring: 8/10 images, 0.5/s, 0:00:04 left",
        "Scoring: 10/10 images, 0.5/s",
    ]


@pytest.mark.parametrize(("terminal", "kind"), [(True, TerminalProgress), (False, PlainProgress)])
def test_the_console_decides(terminal: bool, kind: type) -> None:
    assert isinstance(progress_on(Console(file=io.StringIO(), force_terminal=terminal)), kind)


def test_a_terminal_shows_count_rate_and_time_left() -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=120)
    with TerminalProgress(console).phase("Scoring", 3) as advance:
        for _ in range(3):
            advance()
    shown = screen.getvalue()
    assert "Scoring" in shown
    assert "3/3" in shown
    assert "/s" in shown
    assert "left" in shown


def test_plain_lines_keep_brackets_in_text() -> None:
    screen = io.StringIO()
    with progress_on(Console(file=screen)).phase("[bold]", 1) as advance:
        advance()
    assert screen.getvalue().startswith("[bold]: 1/1 images")


def test_what_nobody_knows_the_number_of_is_counted_in_plain_lines_every_five_seconds() -> None:
    lines: list[str] = []
    times = iter([0.0, 2.0, 4.0, 6.0, 8.0])
    with PlainProgress(lines.append, clock=lambda: next(times)).count("Listing") as advance:
        for _ in range(4):
            advance()
    assert lines == ["Listing: 3 images"]


def test_a_terminal_counts_too() -> None:
    screen = io.StringIO()
    with TerminalProgress(Console(file=screen, force_terminal=True, width=120)).count("Listing") as advance:
        for _ in range(7):
            advance()
    assert "7 images" in screen.getvalue()
