"""What is said on standard error."""

import io
import re
import sys

import pytest

from cnnviz.app.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal in the place of standard error (not a fixture: pytest's own capture comes after those)."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return shown


def test_what_is_said_is_one_line_without_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    Console().note("a\x1b[2Jb\rc\x9bd\u202ee [bold]x[/bold] é")
    Console().error("two\nlines")
    assert capsys.readouterr() == (
        "",
        "cnnviz: a\\x1b[2Jb\\rc\\x9bd\\u202ee [bold]x[/bold] é\ncnnviz: two\nlines\n",
    )


def test_once_is_once(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    for text in ("a note", "another", "a note"):
        console.once(text)
    assert capsys.readouterr().err == "cnnviz: a note\ncnnviz: another\n"


def test_quiet_leaves_errors_alone(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(quiet=True)
    console.note("a note")
    console.error("an error")
    assert capsys.readouterr().err == "cnnviz: an error\n"


def test_debug_shows_where_an_error_arose_and_only_then(capsys: pytest.CaptureFixture[str]) -> None:
    Console(debug=True).error("no exception")
    try:
        raise KeyError("the reason")
    except KeyError:
        Console().error("plain")
        assert capsys.readouterr().err == "cnnviz: no exception\ncnnviz: plain\n"
        Console(debug=True).error("debugged")
    said = capsys.readouterr().err
    assert said.startswith("Traceback")
    assert said.endswith("KeyError: 'the reason'\ncnnviz: debugged\n")


def test_a_closed_standard_error_is_nobody_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    monkeypatch.setattr(sys, "stderr", closed)
    Console().error("nobody hears this")
    Console().note("nor this")


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("NO_COLOR", "1")])
def test_no_progress_where_it_is_not_wanted(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)
    assert Console().lively
    assert not Console(quiet=True).lively
    monkeypatch.setenv(name, value)
    assert not Console().lively
    with Console().progress("occluding", "positions") as control:
        control.report(1, 2)
    assert shown.getvalue() == ""


def test_an_empty_no_color_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "")  # no-color.org: "when present and not an empty string"
    assert Console().lively


def test_the_control_of_a_computation_notes(capsys: pytest.CaptureFixture[str]) -> None:
    with Console().progress("working") as control:
        control.note("a remark")
        assert not control.stopped()
    assert capsys.readouterr().err == "cnnviz: a remark\n"


def test_no_progress_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with Console().progress("occluding", "positions") as control:
        control.report(1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("unit", "total", "count"), [("positions", 8, "3/8 positions"), ("bytes", 0, "3/? bytes")])
def test_progress_shows_once_it_is_told_something(
    unit: str, total: int, count: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = terminal(monkeypatch)
    with Console().progress("label [bold]\x1b[2J", unit) as control:
        assert stream.getvalue() == r"label [bold]\x1b[2J"
        control.report(3, total)
    shown = re.sub(r"\x1b\[[\d;]*m", "", stream.getvalue())  # colours
    assert "label [bold]\\x1b[2J" in shown
    assert count in shown
    assert "\x1b[2J" not in shown
    assert shown.endswith("\x1b[2K")  # nothing of it stays
