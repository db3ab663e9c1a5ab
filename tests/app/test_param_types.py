"""Values on the command line beside plain numbers and words."""

import click
import pytest
from torchvision.models import alexnet

from cnnviz import __version__
from cnnviz.app.param_types import (
    ChannelRange,
    Finite,
    ModelName,
    Names,
    Rectangle,
    Shape,
    Sizes,
    Triple,
    complete_class,
    expand_channels,
    layer_names,
)
from cnnviz.errors import InvalidRequest


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Triple(), "0.5", (0.5, 0.5, 0.5)),
        (Triple(), "0.1,0.2,0.3", (0.1, 0.2, 0.3)),
        (Rectangle(), "40,60,200,120", (40, 60, 200, 120)),
        (Finite(0), "2.5", 2.5),
        (Sizes(32), "320, 448,320", (320, 448)),
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
        (Triple(), "1,2"), (Triple(), "a"), (Rectangle(), "1,2,3"), (Rectangle(), "1,2,0,4"),
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
    assert complete_class(None, None, "LYN") == ["lynx"]
    assert "vgg16" in [item.value for item in ModelName().shell_complete(None, None, "vgg")]


@pytest.fixture
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_layer_names_are_the_modules_and_are_kept(cache):
    names = [name for name, _ in alexnet(weights=None).named_modules() if name]
    kept = cache / "cnnviz" / __version__ / "layers-alexnet.txt"
    assert layer_names("alexnet") == names
    assert kept.read_text("utf-8").splitlines() == names
    kept.write_text("from.the.cache", "utf-8")
    assert layer_names("alexnet") == ["from.the.cache"]


def test_an_unknown_network_and_a_cache_that_cannot_be_written(cache):
    assert layer_names("resnet19") == []
    (cache / "cnnviz").write_text("a file, not a folder")
    assert "features.0" in layer_names("alexnet")


def test_the_layer_names_of_any_network_are_in_one_folder(cache):
    kept = cache / "cnnviz" / __version__ / "layers-timm%3Aa%2Fb.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("x", "utf-8")
    assert layer_names("timm:a/b") == ["x"]


def test_names_are_separated_by_commas_and_taken_once() -> None:
    kind = Names(["guided", "gradient", "smoothgrad"], "method")
    assert kind.convert("guided, gradient,guided", None, None) == ("guided", "gradient")
    with pytest.raises(click.BadParameter, match=r"no method is named 'smoothgard'.*did you mean smoothgrad"):
        kind.convert("smoothgard", None, None)


def test_completion_continues_after_the_last_comma() -> None:
    context = click.Context(click.Command("attribute"))
    items = Names(["guided", "smoothgrad"], "method").shell_complete(context, click.Option(["--x"]), "guided,smo")
    assert [item.value for item in items] == ["guided,smoothgrad"]


def test_a_shape_is_width_to_height() -> None:
    assert Shape().convert("16:9", None, None) == Shape().convert((16, 9), None, None) == (16, 9)
    for word in ("16", "16:0", "1:2:3", "a:b"):
        with pytest.raises(click.BadParameter, match="width to height"):
            Shape().convert(word, None, None)
