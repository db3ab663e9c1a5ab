"""Exit statuses of errors, and of several."""

import pytest

from cnnviz.errors import (
    CnnvizError,
    InvalidRequest,
    MethodError,
    PhotoError,
    Status,
    WeightsError,
    final_status,
    internal_error,
)


@pytest.mark.parametrize(
    ("statuses", "final"),
    [
        (set(), 0),
        ({Status.OK, Status.MISSED}, 4),
        ({Status.MISSED, Status.FAILED}, 1),
        ({Status.FAILED, Status.WEIGHTS}, 3),
        ({Status.WEIGHTS, Status.INTERRUPTED, Status.OK}, 130),
    ],
)
def test_the_gravest_of_several_statuses(statuses, final):
    assert final_status(statuses) == final


def test_statuses_of_errors():
    kinds = {InvalidRequest: 2, PhotoError: 1, MethodError: 1, WeightsError: 3, CnnvizError: 1}
    assert {kind: int(kind.status) for kind in kinds} == kinds


def test_an_unforeseen_error_is_one_line():
    text = internal_error(ValueError("first\nsecond"))
    assert text == "internal error: ValueError: first (--debug shows where)"
