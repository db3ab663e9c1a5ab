"""The figure of an occlusion: measured values at the cells' centres, one scale, words that say what was done."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz import Network, fit
from cnnviz.attribution.figures.occlusion_maps import MapStyle, draw_occlusion
from cnnviz.attribution.occlusion import Occlusion, occlusion
from cnnviz.figures.output import render
from cnnviz.io.color import Photo
from cnnviz.models.preprocess import Geometry
from tests.support.figures import pictures, words
from tests.support.layout import faults

Case = tuple[Network, Photo, Geometry, Occlusion]


def occluded(size: tuple[int, int] = (60, 90), targets: tuple[int, ...] = (0, 1), stride: int = 4) -> Case:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 5, 4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 7 * 7, 3))
    network = replace(Network.from_module(module, (32, 32), (0.5,) * 3, (0.25,) * 3), classes=("cat", "dog", "cow"))
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    inputs, geometry = fit(photo, network)
    return network, photo, geometry, occlusion(network, inputs, window=8, stride=stride, targets=targets)


@pytest.mark.parametrize("size", [(60, 90), (30, 180), (180, 30), (20, 30)], ids=["photo", "wide", "tall", "tiny"])
def test_a_panel_for_each_class_on_one_scale(size: tuple[int, int]) -> None:
    network, photo, geometry, result = occluded(size)
    figure = draw_occlusion(photo, geometry, network, result, MapStyle("blur", "probability"))
    texts = words(figure)
    shares = result.clean_logits.double().softmax(0)
    assert "Regions that “cat” and “dog” depend on" in texts
    assert len(figure.axes) == 1 + 2 + 1  # photo, two maps, one bar
    assert any(text.startswith("cat") for text in texts)
    if size == (60, 90):
        assert f"cat, {100 * float(shares[0]):.1f} %" in texts
        assert {"points", "a", "b", "c"} <= {*texts}
    assert render(figure).shape[1] == 1920
    assert not faults(figure)


@pytest.mark.parametrize("size", [(60, 90), (20, 90)], ids=["photo", "wide"])
def test_many_classes_fill_several_rows_without_a_fault(size: tuple[int, int]) -> None:
    network, photo, geometry, result = occluded(size, targets=(0, 1, 2))
    six = replace(result, maps=result.maps.repeat(2, 1, 1), targets=(0, 1, 2) * 2)
    figure = draw_occlusion(photo, geometry, network, six, MapStyle("blur", "probability"))
    assert not faults(figure)
    assert len(figure.axes) == 1 + 6 + 1
    assert len({round(axes.get_position().y1, 6) for axes in figure.axes[:-1]}) == (2 if size == (60, 90) else 3)


def test_more_than_two_classes_stand_in_one_row_beside_the_crop() -> None:
    network, photo, geometry, result = occluded(targets=(0, 1, 2))
    figure = draw_occlusion(photo, geometry, network, result, MapStyle("blur", "probability"))
    texts = words(figure)
    assert len({round(axes.get_position().y1, 6) for axes in figure.axes[:4]}) == 1
    assert "Photo, input only" in texts
    assert any("red: covering lowers it, blue: raises it" in text for text in texts)


def test_one_class_is_titled_by_what_is_drawn() -> None:
    network, photo, geometry, result = occluded(targets=(2,))
    texts = words(draw_occlusion(photo, geometry, network, result, MapStyle("noise", "logit", cells=True)))
    assert "Drop of the logit" in texts
    assert "logits" in texts
    assert any("a noisy 8 px window" in text for text in texts)
    assert any("not interpolated" in text for text in texts)


def test_what_no_window_covers_is_hatched_and_the_rest_drawn_as_measured() -> None:
    network, photo, geometry, result = occluded(targets=(0,), stride=12)
    figure = draw_occlusion(photo, geometry, network, result, MapStyle("blur", "probability"))
    assert any("Hatched: covered by no window." in text for text in words(figure))
    share = float(np.isnan(result.maps[0].numpy()).mean())
    assert 0.2 < share < 0.9
    colourful = np.ptp(pictures(figure)[1].astype(int), axis=2) > 1
    assert colourful.mean() > 0.5 * (1 - share)
