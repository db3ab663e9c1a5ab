"""What the network is given, and the way back onto the photograph."""

import dataclasses
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode

from cnnviz import Network
from cnnviz.errors import MethodError
from cnnviz.models import preprocess
from cnnviz.models.preprocess import Geometry, resampling_matrix
from tests.support import corpus


def network(size=(24, 24), resize=28, interpolation="bilinear", mean=(0.2, 0.4, 0.6)):
    """Return a network that does nothing, with an input preprocessing."""
    plain = Network.from_module(torch.nn.Identity(), size=size, mean=mean, std=(1, 1, 1))
    preprocessing = dataclasses.replace(plain.preprocessing, resize=resize, interpolation=interpolation)
    return dataclasses.replace(plain, preprocessing=preprocessing)


# What the network is given

SIZES = [(60, 84), (61, 84), (84, 61), (200, 33), (33, 200), (28, 28), (25, 97), (301, 299), (29, 1000)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("crop", "resize"), [((24, 24), 28), ((23, 23), 28), ((24, 20), 27)])
def test_crop_is_torchvisions_own_to_the_bit(size, interpolation, crop, resize):
    photo = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    inputs, geometry = preprocess.fit(photo, network(crop, resize, interpolation))
    oracle = transforms.Compose([
        transforms.Resize(resize, InterpolationMode(interpolation)),
        transforms.CenterCrop(crop),
        transforms.PILToTensor(),
    ])  # fmt: skip
    expected = oracle(Image.fromarray(photo))[None].float() / 255
    assert inputs.dtype == torch.float32
    assert inputs.shape == (1, 3, *crop)
    assert torch.equal(inputs, expected)
    assert geometry.photo == size
    assert geometry.size == crop


def test_squash_takes_all_of_the_photograph():
    photo = corpus.smooth("squash")
    inputs, geometry = preprocess.fit(photo, network(), "squash")
    expected = np.asarray(Image.fromarray(photo).resize((24, 24), Image.Resampling.BILINEAR))
    assert np.array_equal(inputs[0].permute(1, 2, 0).mul(255).round().byte().numpy(), expected)
    assert geometry.box() == (0, 0, 84, 60)


@pytest.mark.parametrize(("height", "width"), [(60, 84), (84, 60), (50, 50), (1, 5000), (5000, 1)])
def test_pad_keeps_the_shape_and_fills_with_the_mean(height, width):
    photo = np.full((height, width, 3), 255, np.uint8)
    inputs, geometry = preprocess.fit(photo, network(), "pad")
    seen = (inputs[0] == 1).all(0)
    rows, columns = seen.any(1).sum(), seen.any(0).sum()
    assert max(rows, columns) == 24
    assert min(rows, columns) == max(1, round(24 * min(height, width) / max(height, width)))
    filled = inputs[0][:, ~seen]
    assert torch.equal(filled, (torch.tensor([51, 102, 153.0]) / 255)[:, None].expand_as(filled))
    assert geometry.box() == (0, 0, width, height)


def test_whole_takes_every_pixel_as_it_is():
    photo = corpus.smooth("whole", 37, 53)
    inputs, geometry = preprocess.fit(photo, network(), "whole")
    assert np.array_equal(inputs[0].permute(1, 2, 0).mul(255).round().byte().numpy(), photo)
    maps = np.random.default_rng(0).random((2, 37, 53), np.float32)
    assert np.array_equal(geometry.to_photo(maps), maps)


def test_a_photograph_too_narrow_for_a_crop_is_refused_and_squash_takes_it():
    line = corpus.smooth("line", 5000, 1)
    with pytest.raises(MethodError, match=r"is too narrow \(1x5000\).*--fit pad or squash"):
        preprocess.fit(line, network())
    assert preprocess.fit(line, network(), "squash")[0].shape == (1, 3, 24, 24)


def test_a_photograph_without_pixels_is_refused():
    with pytest.raises(MethodError, match="has no pixels"):
        preprocess.fit(np.zeros((0, 5, 3), np.uint8), network())


# The way back


@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
@pytest.mark.parametrize("size", [(60, 84), (97, 61), (240, 240), (501, 333), (19, 25)])
def test_to_photo_undoes_fit(fit, size):
    """A ramp stays a ramp under resizing, but at the border, where the filter has nothing to lean on."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    ramp = 3 * x + 2 * y
    net = network((48, 48), 56)
    _, geometry = preprocess.fit(np.zeros((*size, 3), np.uint8), net, fit)
    resized = geometry.resized[1], geometry.resized[0]
    small = np.asarray(Image.fromarray(ramp).resize(resized, Image.Resampling.BILINEAR))
    full = np.full((48 + 200, 48 + 600), np.nan, np.float32)
    full[100 : 100 + len(small), 100 : 100 + small.shape[1]] = small
    top, left = 100 + geometry.offset[0], 100 + geometry.offset[1]
    back = geometry.to_photo(full[top : top + 48, left : left + 48])
    assert back.shape == size
    assert back.dtype == np.float32
    scale = max(size[0] / geometry.resized[0], size[1] / geometry.resized[1], 1)
    edge = int(2 * scale) + 2
    left, top, right, bottom = geometry.box()
    inner = np.s_[top + edge : bottom - edge, left + edge : right - edge]
    assert back[inner].size > 0
    assert np.abs(back[inner] - ramp[inner]).max() < 0.5  # a shift of half a pixel would be 1.25


@pytest.mark.parametrize("size", [(60, 84), (97, 61), (501, 333)])
def test_what_the_network_did_not_see_is_nan_and_nothing_else(size):
    _, geometry = preprocess.fit(np.zeros((*size, 3), np.uint8), network())
    back = geometry.to_photo(np.ones((24, 24)))
    y, x = [(np.arange(n) + 0.5) * r / n for n, r in zip(size, geometry.resized, strict=True)]
    seen_y = (y >= geometry.offset[0]) & (y <= geometry.offset[0] + 24)
    seen_x = (x >= geometry.offset[1]) & (x <= geometry.offset[1] + 24)
    assert np.array_equal(~np.isnan(back), seen_y[:, None] & seen_x)
    assert (back[~np.isnan(back)] == 1).all()
    left, top, right, bottom = geometry.box()
    assert np.isfinite(back[top:bottom, left:right]).all()
    assert np.isfinite(back).sum() == (bottom - top) * (right - left)


def test_strips_are_the_whole():
    geometry = Geometry((101, 67), (42, 28), (9, 2), (24, 24))
    maps = np.random.default_rng(0).random((3, 24, 24), np.float32)
    whole = geometry.to_photo(maps)
    strips = [geometry.to_photo(maps, slice(top, top + 13)) for top in range(0, 101, 13)]
    assert whole.shape == (3, 101, 67)
    assert np.array_equal(np.concatenate(strips, 1), whole, equal_nan=True)


@pytest.mark.parametrize(("side", "resized"), [(24, 24), (72, 24), (120, 24), (56, 232), (70, 30), (40, 24)])
def test_a_missing_value_does_not_spread_to_pixels_that_do_not_touch_it(side, resized):
    """Where a pixel falls on the very centre of a value, it takes that one alone, whatever the rounding."""
    geometry = Geometry((side, side), (resized, resized), (0, 0), (resized, resized))
    places = [Fraction(2 * pixel + 1, 2) * Fraction(resized, side) - Fraction(1, 2) for pixel in range(side)]
    whole = [pixel for pixel, place in enumerate(places) if place.denominator == 1]
    assert whole
    for pixel in whole:
        maps = np.full((resized, resized), np.nan, np.float32)
        maps[int(places[pixel]), int(places[whole[0]])] = 5
        assert geometry.to_photo(maps)[pixel, whole[0]] == 5


def test_a_pixel_comes_back_where_it_was():
    """One bright pixel of the input, carried back, is brightest where the photograph made it."""
    photo = np.zeros((120, 180, 3), np.uint8)
    photo[52:57, 77:82] = 255
    inputs, geometry = preprocess.fit(photo, network((48, 48), 56))
    back = geometry.to_photo(inputs[0, 0].numpy())
    weight = np.nan_to_num(back)
    y, x = np.mgrid[:120, :180]
    assert abs((weight * y).sum() / weight.sum() - 54) < 0.3
    assert abs((weight * x).sum() / weight.sum() - 79) < 0.3


# From the photograph to the input


@pytest.mark.parametrize("fit", ["crop", "squash", "pad", "whole"])
@pytest.mark.parametrize("size", [(60, 84), (97, 61), (501, 333), (19, 25)])
def test_to_input_undoes_to_photo(fit, size):
    _, geometry = preprocess.fit(np.zeros((*size, 3), np.uint8), network((48, 48), 56), fit)
    y, x = np.mgrid[: geometry.size[0], : geometry.size[1]].astype(np.float32)
    ramps = np.stack([3 * x + 2 * y, np.full_like(x, -7)])
    back = geometry.to_input(geometry.to_photo(ramps))
    assert back.shape == ramps.shape
    assert back.dtype == np.float32
    known = ~np.isnan(back[0])
    assert np.array_equal(known, ~np.isnan(back[1]))
    assert fit == "pad" or known.all()
    np.testing.assert_allclose(back[1][known], -7, rtol=1e-5)
    inner = known.copy()
    edge = 2 + 2 * max(1, *(r // p for r, p in zip(geometry.resized, size, strict=True)))
    for axis in (0, 1):
        for step in (-edge, edge):
            inner &= np.roll(np.pad(known, edge), step, axis)[edge:-edge, edge:-edge]
    assert np.abs(back[0] - ramps[0])[inner].max(initial=0) < 0.5  # a shift of half a pixel would be 1.25


@pytest.mark.parametrize("fit", ["crop", "squash", "pad"])
def test_to_input_puts_a_map_where_fit_puts_the_photograph(fit):
    photo = corpus.smooth("carried", 90, 140)
    inputs, geometry = preprocess.fit(photo, network((48, 48), 56), fit)
    carried = geometry.to_input(photo[..., 0] / np.float32(255))
    seen = ~np.isnan(carried)
    assert np.abs(carried - inputs[0, 0].numpy())[seen].max() < 1.01 / 255
    assert seen.all() == (fit != "pad")


def test_what_is_unknown_on_the_photograph_weighs_nothing():
    geometry = Geometry((40, 40), (10, 10), (0, 0), (10, 10))
    values = np.ones((40, 40))
    values[:, :20] = np.nan
    carried = geometry.to_input(values)
    assert np.isnan(carried[:, :4]).all()
    assert (carried[:, 6:] == 1).all()
    assert np.isnan(geometry.to_input(np.full((40, 40), np.nan))).all()


@pytest.mark.parametrize("kind", ["bicubic", "bilinear"])
@pytest.mark.parametrize(("old", "new"), [(700, 61), (300, 256), (167, 256), (33, 7), (224, 224)])
def test_the_matrix_of_a_resize_is_pillows(kind, old, new):
    line = np.random.default_rng(0).random((1, old)).astype(np.float32)
    want = np.asarray(Image.fromarray(line).resize((new, 1), Image.Resampling[kind.upper()]))
    assert line @ resampling_matrix(old, new, kind, 0, new).T == pytest.approx(want, abs=1e-5)


@pytest.mark.parametrize("way", ["crop", "squash", "pad", "whole"])
def test_the_way_back_is_the_transpose_of_the_way_there(way):
    draw = np.random.default_rng(0)
    photo = draw.integers(60, 190, (290, 351, 3)).astype(np.uint8)
    _, geometry = preprocess.fit(photo, network((224, 224), 256, "bicubic"), way)
    direction = draw.choice([-40, 40], size=(29, 36, 3)).repeat(10, 0).repeat(10, 1)[:290, :351]
    moved = (photo + direction).astype(np.uint8)
    slope = draw.normal(size=(3, *geometry.size)).astype(np.float32)
    seen = (geometry.see(moved).astype(float) - geometry.see(photo)).transpose(2, 0, 1)
    there, back = (seen * slope).sum(), (direction * geometry.back(slope)).sum()
    assert there == pytest.approx(back, abs=4 * 0.6 * np.sqrt(slope.size))  # each pixel was rounded twice
    assert abs(back) > 4 * 0.6 * np.sqrt(slope.size)


@pytest.mark.parametrize("kind", ["bicubic", "bilinear"])
@pytest.mark.parametrize(
    ("old", "new", "start", "size"), [(33, 90, 20, 24), (90, 33, 5, 24), (24, 24, -3, 30), (40, 40, 8, 24)]
)
def test_a_part_of_a_resize_is_that_part_of_it(kind, old, new, start, size):
    whole = np.zeros((3 + new + 3, old), np.float32)
    whole[3:-3] = resampling_matrix(old, new, kind, 0, new)
    assert np.array_equal(resampling_matrix(old, new, kind, start, size), whole[3 + start : 3 + start + size])


def test_of_a_strip_no_more_is_worked_out_than_is_seen():
    tracemalloc.start()
    resampling_matrix(2200, 14080, "bicubic", 6928, 224)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 << 20  # of all rows it was 1200 MiB


@pytest.mark.parametrize("size", [(60, 84), (84, 60), (50, 50), (7, 90)])
def test_padding_is_where_the_input_has_the_mean_colour(size):
    photo = np.full((*size, 3), 255, np.uint8)
    inputs, geometry = preprocess.fit(photo, network(), "pad")
    assert np.array_equal(geometry.on_photo(), inputs[0].amin(0).numpy() == 1)
    assert preprocess.fit(photo, network(), "squash")[1].on_photo().all()
