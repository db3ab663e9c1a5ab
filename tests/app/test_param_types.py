"""Values on the command line beside plain numbers and words."""

import click
import pytest

from cnnviz.app.param_types import Box, ChannelRange, ClassName, Finite, ModelName, Triple, expand_channels
from cnnviz.errors import InvalidRequest


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Triple(), "0.5", (0.5, 0.5, 0.5)),
        (Triple(), "0.1,0.2,0.3", (0.1, 0.2, 0.3)),
        (Box(), "40,60,200,120", (40, 60, 200, 120)),
        (Finite(0), "2.5", 2.5),
        (ModelName(), "vgg16", "vgg16"),
        (ChannelRange(), "3,5-7", "3,5-7"),
        (ChannelRange(), "all", "all"),
    ],
)
def test_values_are_converted(kind, text, value):
    assert kind.convert(text, None, None) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Triple(), "1,2"), (Triple(), "a"), (Box(), "1,2,3"), (Box(), "1,2,0,4"),
        (Finite(0), "nan"), (Finite(0), "inf"), (Finite(0), "-1"), (ModelName(), "resnet5"),
        (ChannelRange(), "7-3"), (ChannelRange(), "x"), (ChannelRange(), ""),
    ],
)  # fmt: skip
def test_other_values_are_refused(kind, text):
    with pytest.raises(click.BadParameter):
        kind.convert(text, None, None)


def test_channels_are_expanded_each_once_and_checked_against_the_layer():
    assert expand_channels(("3", "1-4", "3"), 10, "conv") == [3, 1, 2, 4]
    assert expand_channels(("8-99",), 10, "conv") == [8, 9]
    assert expand_channels(("all",), 3, "conv") == [0, 1, 2]
    assert expand_channels((), 3, "conv") == []
    with pytest.raises(InvalidRequest, match="--channel 10: conv has 10 channels, 0 to 9"):
        expand_channels(("10",), 10, "conv")


def test_names_complete():
    assert [item.value for item in ClassName().shell_complete(None, None, "LYN")] == ["lynx"]
    assert "vgg16" in [item.value for item in ModelName().shell_complete(None, None, "vgg")]
