"""What a computation is given by default: nothing that it can notice."""

from cnnviz.control import Control


def test_by_default_nothing_is_reported_and_nothing_stops():
    control = Control()
    control.report(1, 2, "half")
    control.note("a remark")
    assert control.stopped() is False


def test_callbacks_are_called():
    seen = []
    control = Control(lambda done, total, text="": seen.append((done, total, text)), lambda: True, seen.append)
    control.report(1, 2)
    control.note("x")
    assert seen == [(1, 2, ""), "x"]
    assert control.stopped()
