"""The options of inceptionism: either classes or a draw, and nothing of robust with plain."""

from dataclasses import fields

import click
import pytest
from torch import nn

from cnnviz import Network
from cnnviz.errors import InvalidRequest
from cnnviz.synthesis.commands.inceptionism_options import Options, Range


def options(**changes) -> Options:
    values = {item.name: item.default for item in fields(Options) if "option" in item.metadata}
    return Options(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "give either --class or --random"),
        ({"targets": ("1",), "random": 2}, "give either --class or --random"),
        ({"targets": ("1",), "method": "plain", "blur": 1.0}, "--blur does not apply to --method plain"),
        ({"targets": ("1",), "save_every": 1, "output": "-"}, "--save-every writes files"),
    ],
)
def test_what_does_not_fit_is_refused(changes, words):
    with pytest.raises(InvalidRequest, match=words):
        options(**changes)


def test_defaults_of_robust_go_with_plain():
    assert options(targets=("1",), method="plain").blur == 3.0


def test_a_range_is_two_numbers_or_one():
    assert Range().convert("0.9,2", None, None) == (0.9, 2.0)
    assert Range().convert("1.5", None, None) == (1.5, 1.5)
    for text in ("2,1", "0,1", "a", "1,2,3"):
        with pytest.raises(click.BadParameter):
            Range().convert(text, None, None)


def test_classes_are_taken_once_and_drawn_by_the_seed():
    body = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = Network.from_module(body, (8, 8), (0.0,) * 3, (1.0,) * 3, ["Red fox", "b", "c"], name="net")
    assert options(targets=("c", "0", "2")).choose_classes(network) == [2, 0]
    assert options(targets=("all",)).choose_classes(network) == [0, 1, 2]
    draws = [options(random=2, seed=seed).choose_classes(network) for seed in (1, 1, 2, 3, 4)]
    assert draws[0] == draws[1]
    assert len({tuple(draw) for draw in draws}) > 1
    with pytest.raises(InvalidRequest, match="--random 4: net has 3 classes"):
        options(random=4).choose_classes(network)
