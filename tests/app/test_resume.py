"""Ctrl-C asks for an end, a second one forces it; unfinished work is kept for the same recipe alone."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from cnnviz.app.console import Console
from cnnviz.app.records import Record, field
from cnnviz.app.resume import (
    find_partial,
    finished_numbers,
    keep_partial,
    keeps_work,
    partial_path,
    remove_partial,
    stop_on_interrupt,
)
from cnnviz.errors import MethodError
from cnnviz.io.write import write_image


@dataclass(frozen=True, kw_only=True)
class Stopped(Record):
    n: int | None = field("Steps done.", default=None, progress_of="of")


RECIPE = {"recipe": 1, "command": "x", "options": {}, "seed": 0, "versions": {}, "network": {}, "input": None}


def test_the_first_interrupt_asks_and_the_second_ends():
    with stop_on_interrupt() as stop:
        assert not stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        assert stop.interrupted
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_before_there_is_anything_to_keep_the_first_interrupt_ends():
    reports = []
    with stop_on_interrupt(begun=False) as stop:
        report = stop.noticing(lambda *words: reports.append(words))
        report(0, 2, "planning")
        assert not keeps_work(signal.getsignal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        report(1, 2)
        assert keeps_work(signal.getsignal(signal.SIGINT))
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.interrupted
    assert reports == [(0, 2, "planning"), (1, 2, "")]
    assert not keeps_work(signal.getsignal(signal.SIGINT))


def test_a_time_limit_stops_without_an_interrupt():
    with stop_on_interrupt(0.0) as stop:
        assert stop()
        assert not stop.interrupted


def test_kept_work_is_found_for_the_same_recipe_alone(tmp_path: Path, capsys):
    place = partial_path(str(tmp_path / "a.png"))
    assert partial_path("-") is None
    keep_partial(place, {"rows": np.arange(3)}, RECIPE)
    assert find_partial(place, RECIPE, Console(), ("rows",))["rows"].tolist() == [0, 1, 2]
    assert find_partial(place, RECIPE | {"seed": 1}, Console(), ("rows",)) is None
    assert "other settings" in capsys.readouterr().err
    with pytest.raises(MethodError, match="remove it"):
        find_partial(place, RECIPE, Console(), ("rows", "columns"))
    remove_partial(place)
    assert find_partial(place, RECIPE, Console(), ("rows",)) is None


def test_a_file_of_somebody_else_is_not_removed(tmp_path: Path):
    other = tmp_path / "a.png.partial.npz"
    other.write_bytes(b"mine")
    remove_partial(other)
    assert other.exists()


def test_numbers_of_finished_results_of_the_same_recipe(tmp_path: Path):
    path = str(tmp_path / "a.png")
    write_image(path, np.zeros((2, 2, 3), np.uint8), RECIPE | {"numbers": {"n": 1}})
    assert finished_numbers(path, RECIPE, Record) == {"n": 1}
    assert finished_numbers(path, RECIPE, Stopped) is None
    assert finished_numbers(path, RECIPE | {"seed": 1}, Record) is None
    assert finished_numbers("-", RECIPE, Record) is None
