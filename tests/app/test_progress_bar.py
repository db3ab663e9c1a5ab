"""The time that is left, and what a bar shows."""

import io
import math

import pytest
from rich.console import Console

from cnnviz.app.progress_bar import UNKNOWN, TimeLeft, progress_bar, show


def test_the_first_unit_gives_an_estimate_that_then_runs_down() -> None:
    left = TimeLeft(begun=100.0)
    assert left.seconds(105.0) == math.inf
    left.report(1, 10, 102.0)  # 2 seconds a unit
    assert left.seconds(102.0) == 18
    assert left.seconds(107.0) == 13
    assert left.seconds(200.0) == 0


def test_from_the_second_report_on_what_came_before_the_first_does_not_count() -> None:
    left = TimeLeft(begun=0.0)
    left.report(50, 100, 30.0)  # an earlier run did 49 of them
    left.report(51, 100, 31.0)
    assert left.seconds(31.0) == 49


def test_a_report_of_no_unit_begins_the_measurement() -> None:
    left = TimeLeft(begun=0.0)
    left.report(0, 4, 60.0)
    assert left.seconds(61.0) == math.inf
    left.report(1, 4, 62.0)
    assert left.seconds(62.0) == 6


@pytest.mark.parametrize("total", [40, 8])
def test_a_second_part_is_measured_by_itself(total: int) -> None:
    left = TimeLeft(begun=0.0)
    for done in (1, 2, 8):
        left.report(done, 8, float(done))
    left.report(1, total, 13.0)  # 5 seconds a unit
    assert left.seconds(13.0) == 5 * (total - 1)


@pytest.mark.parametrize(("unit", "count"), [("pixels", "25%"), ("steps", " 50/200 steps"), ("bytes", "50/200 bytes")])
def test_units_are_counted_and_pixels_are_a_share(unit: str, count: str) -> None:
    left = TimeLeft(begun=0.0)
    bar = progress_bar(unit, left)
    show(bar, 50, 200, "a [bold]name")
    text = io.StringIO()
    Console(file=text, width=120).print(bar.get_renderable())
    assert count in text.getvalue()
    assert "a [bold]name" in text.getvalue()
    assert UNKNOWN in text.getvalue()
