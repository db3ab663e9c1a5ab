"""The line on a terminal that is erased before anything else is printed."""

import sys

import pytest

from cnnviz.app.status_line import ERASE, STOPPING, StatusLine, is_lively
from tests.app.test_console import terminal


def test_a_text_is_shown_until_its_block_ends_and_then_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, line = terminal(monkeypatch), StatusLine()
    with line.showing("reading"), line.showing("loading"):
        assert shown.getvalue() == f"reading{ERASE}loading"
    assert shown.getvalue() == f"reading{ERASE}loading{ERASE}reading{ERASE}"


def test_erasing_leaves_an_empty_line_and_is_done_once(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, line = terminal(monkeypatch), StatusLine()
    with line.showing("reading"):
        line.erase()
        line.erase()
    assert shown.getvalue() == f"reading{ERASE}"


def test_a_long_text_stays_on_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)
    monkeypatch.setenv("COLUMNS", "10")
    with StatusLine().showing("a name of many words"):
        assert shown.getvalue() == "a name of"


def test_once_the_work_is_being_stopped_nothing_else_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, line = terminal(monkeypatch), StatusLine()
    line.stop()
    with line.showing("drawing"):
        assert line.words("drawing") == STOPPING
    assert shown.getvalue() == ERASE.join([STOPPING] * 3)


def test_a_pipe_gets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with StatusLine().showing("reading"):
        assert not is_lively()
    assert capsys.readouterr() == ("", "")


def test_a_closed_terminal_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal(monkeypatch).close()
    assert not is_lively()
    monkeypatch.setattr(sys, "stderr", None)
    assert not is_lively()
