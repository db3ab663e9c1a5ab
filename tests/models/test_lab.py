"""Lightness and colours: published values, OpenCV's as an oracle, and lightness that stays where chroma is reduced."""

import cv2
import numpy as np
import pytest
import torch

from cnnviz import read_photo
from cnnviz.models.lab import from_linear, lightness, linear_colours, shown_colours, to_linear
from cnnviz.models.preprocess import to_inputs
from tests.conftest import PHOTOS

# L*, a*, b* of sRGB's primaries, at its white of D65.
PRIMARIES = {(1, 0, 0): (53.24, 80.09, 67.20), (0, 1, 0): (87.73, -86.18, 83.18), (0, 0, 1): (32.30, 79.19, -107.86),
             (1, 1, 1): (100, 0, 0), (0, 0, 0): (0, 0, 0)}  # fmt: skip


@pytest.mark.parametrize(("rgb", "lab"), PRIMARIES.items())
def test_the_primaries_have_their_published_colours(rgb, lab):
    pixel = torch.tensor(rgb, dtype=torch.float64).view(3, 1, 1)
    assert float(lightness(pixel)) == pytest.approx(lab[0], abs=0.01)
    light, *ab = torch.tensor(lab, dtype=torch.float64).view(3, 1)
    back = from_linear(linear_colours(light[None], torch.stack(ab)))
    torch.testing.assert_close(back[:, 0], torch.tensor(rgb, dtype=torch.float64), atol=0.01, rtol=0)


def test_colours_are_those_of_opencv():
    rgb = np.random.default_rng(0).random((40, 50, 3), np.float32)
    lab = torch.from_numpy(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)).permute(2, 0, 1)
    own = torch.from_numpy(rgb).permute(2, 0, 1)
    torch.testing.assert_close(lightness(own), lab[:1], atol=0.3, rtol=0)  # by tables
    shown, kept = shown_colours(lightness(own).flatten(1), lab[1:].flatten(1))
    assert float((shown - own.flatten(1)).abs().max()) < 0.02
    assert float(kept.min()) > 0.99


def test_the_curve_of_srgb_and_its_inverse():
    values = torch.linspace(0, 1, 256, dtype=torch.float64)
    torch.testing.assert_close(from_linear(to_linear(values)), values, atol=1e-6, rtol=0)


def test_greys_have_no_colour():
    light = torch.linspace(0, 100, 101, dtype=torch.float64)[None]
    shown, kept = shown_colours(light, torch.zeros(2, 101, dtype=torch.float64))
    assert float((shown - shown[:1]).abs().max()) < 1e-9
    assert kept.min() == 1


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
def test_lightness_stays_within_a_level_whatever_the_colours(name):
    light = lightness(to_inputs([read_photo(PHOTOS / f"{name}.jpg")])[0]).flatten(1)
    ab = (torch.rand(2, light.shape[1], generator=torch.Generator().manual_seed(0)) - 0.5) * 220
    shown, kept = shown_colours(light, ab)
    written = (255 * shown).round() / 255
    assert float((lightness(written[..., None])[..., 0] - light).abs().max()) / 100 <= 1 / 255
    assert 0 < float((kept < 1).float().mean()) < 1


def test_no_more_chroma_is_taken_away_than_must_be():
    light, ab = torch.tensor([[60.0]]), torch.tensor([[90.0], [90.0]])
    _, kept = shown_colours(light, ab)
    assert 0 < float(kept) < 1
    assert float(linear_colours(light, ab * kept * 1.01).max()) > 1 or float(
        linear_colours(light, ab * kept * 1.01).min()) < 0  # fmt: skip
