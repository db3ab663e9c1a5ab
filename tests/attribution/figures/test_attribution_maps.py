"""The figure of attribution maps: a panel for each method and class, each on its own scale."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from cnnviz import Network, fit
from cnnviz.attribution.backprop import Attribution
from cnnviz.attribution.figures.attribution_maps import draw_attributions
from cnnviz.figures.output import render
from cnnviz.figures.style import Look
from tests.support.figures import words

PHOTO = np.full((30, 40, 3), 90, np.uint8)
NETWORK = replace(
    Network.from_module(nn.Flatten(), (20, 20), (0,) * 3, (1,) * 3), name="resnet18", classes=("cat", "dog", "猫")
)  # fmt: skip
NAMES = ["grad-cam", "guided", "deconvnet", "gradient", "deeplift"]


def attribution(classes: int, signed: bool = False, **more) -> Attribution:
    torch.manual_seed(0)
    maps = torch.rand(classes, 20, 20) - 0.5 * signed
    return Attribution(maps, signed, tuple(range(classes)), torch.zeros(9), **more)


def drawn(found: dict[str, Attribution], **options) -> Figure:
    return draw_attributions(PHOTO, fit(PHOTO, NETWORK)[1], NETWORK, found, **options)


@pytest.mark.parametrize(("methods", "classes"), [(1, 1), (2, 1), (1, 2), (2, 3), (5, 1), (5, 2), (1, 6)])
def test_a_letter_a_picture_and_a_bar_for_each_map(methods: int, classes: int) -> None:
    figure = drawn(dict.fromkeys(NAMES[:methods], attribution(classes)))
    assert len(figure.axes) == 1 + 2 * methods * classes  # photo; map and bar
    letters = [text for text in words(figure) if len(text) == 1 and text.isalpha()]
    assert letters == [chr(ord("a") + n) for n in range(1 + methods * classes)]


def test_signed_maps_are_for_and_against() -> None:
    found = {"grad-cam": attribution(1, layer="layer4"), "deeplift": attribution(1, signed=True, gaps=(0.107,))}
    texts = words(drawn(found))
    assert {"Grad-CAM", "DeepLIFT", "layer layer4", "completeness error 10.7 %", "against", "for", "most"} <= {*texts}
    assert texts[0] == "Pixels that “cat” depends on"
    assert texts[1].startswith("ResNet-18: cat 11.1 %. Red: raises the logit, blue: lowers it; orange")
    assert any("Gaussian, σ = 1.2 input px" in text for text in texts)


def test_classes_begin_rows_and_names_without_glyphs_become_numbers() -> None:
    texts = words(drawn(dict.fromkeys(NAMES[:2], attribution(3)), look=Look("dark")))
    assert [text for text in texts if "11.1 %" in text] == ["cat, 11.1 %", "dog, 11.1 %", "class 2, 11.1 %"]
    assert texts.count("Grad-CAM") == 3


def test_one_method_is_titled_by_its_classes() -> None:
    texts = words(drawn({"grad-cam": attribution(2)}, score="probability"))
    assert {"cat, 11.1 %", "dog, 11.1 %"} <= {*texts}
    assert texts[0] == "Regions that “cat” and “dog” depend on"
    assert not any("Gaussian" in text for text in texts)


def test_the_strongest_place_is_darkest() -> None:
    maps = torch.zeros(1, 20, 20)
    maps[0, :, 15:] = 1
    figure = drawn({"grad-cam": Attribution(maps, False, (0,), torch.zeros(9))})
    image = render(figure).astype(int)
    box = figure.axes[1].get_window_extent()
    y = round(len(image) - (box.y0 + box.y1) / 2)
    left, right = (image[y, round(box.x0 + part * box.width)] for part in (0.3, 0.95))
    assert np.ptp(left) <= 1  # grey: nothing
    assert right[0] > right[2] + 20  # brown
    assert right.sum() < left.sum()
