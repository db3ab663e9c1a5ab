"""The figure of feature maps: their colours, scales and words, and maps where they belong on the photo."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from cnnviz.features.activations import Activations
from cnnviz.features.figures.activations import MapGrid, draw_activations
from cnnviz.figures.scale import color_table
from cnnviz.figures.style import Look
from cnnviz.models.preprocess import Geometry
from tests.support.figures import pictures, words
from tests.support.networks import two_layers

CIVIDIS = color_table("cividis").astype(int)
NETWORK = two_layers()
MAPS = torch.tensor([[[0.0, 1.0], [2.0, 1.0]], [[0.0, 0.0], [0.0, 4.0]]])


def found(maps: torch.Tensor) -> Activations:
    strengths = maps.double().clamp(min=0).sum((1, 2))
    order = strengths.argsort(descending=True, stable=True)
    return Activations("deep", maps, strengths, order, torch.tensor([0.0, 1.0]))


def draw(maps: torch.Tensor, grid: MapGrid, look: Look = Look(), shape: tuple[int, int] = (64, 64)):
    photo = np.full((*shape, 3), 128, np.uint8)
    return draw_activations(photo, Geometry(shape, shape, (0, 0), shape), NETWORK, found(maps), grid, look)


def corners(image: np.ndarray) -> np.ndarray:
    """The colours in the quarters of a picture."""
    ys, xs = ([side // 4, 3 * side // 4] for side in image.shape[:2])
    return image[np.ix_(ys, xs)].astype(int)


def test_each_map_has_its_own_scale_or_all_one_that_ends_at_a_round_number():
    own, common = (pictures(draw(MAPS, MapGrid([1, 0], common=common)))[1:3] for common in (False, True))
    for image, ends in ((own, (4, 2)), (common, (4, 4))):
        for drawn, values, end in zip(image, MAPS[[1, 0]].numpy(), ends, strict=True):
            assert np.abs(corners(drawn) - CIVIDIS[np.rint(values / end * 255).astype(int)]).max() <= 1


def test_one_negative_value_anywhere_makes_the_scale_signed():
    negative = torch.stack([MAPS[1], -MAPS[0]])
    figure = draw(negative, MapGrid([0]))
    zero, largest = corners(pictures(figure)[1])[[0, 1], [0, 1]]
    assert np.ptp(zero) == 0
    assert largest[0] > largest[1:].max() + 50  # red
    assert {"−max", "0", "max", "max ±4.0"} <= set(words(figure))
    assert any("max: its largest magnitude" in line for line in words(figure))
    low = words(draw(negative, MapGrid([0, 1], common=True)))
    assert {"−4", "4", "channel 1", "max ±4.0", "max ±2.0"} <= set(low)  # of 0 to 4, and of −2 to 0


def test_words_say_what_is_drawn_and_how_it_was_chosen():
    said = words(draw(torch.cat([MAPS, MAPS]), MapGrid([0, 1, 2])))
    assert "Where the 3 strongest channels of deep are active" in said
    place = "deep (layer 1 of 2, stride 2 px): 3 of 4 channels; 2 × 2 values each."
    assert f"EfficientNet-Lite0: kind 1 73.1 %. {place}" in said
    assert {"channel 1", "channel 0", "max 4.0", "max 2.0"} <= set(said)
    panels = {"a", "Network input", "b", "Feature maps, the strongest first"}
    assert panels <= set(said)
    chosen = words(draw(torch.cat([MAPS, MAPS]), MapGrid([0, 2])))
    assert "Where 2 channels of deep are active" in chosen
    assert "Feature maps" in chosen
    assert not any("Strength" in line for line in chosen)
    assert any(line.endswith("max: its largest activation. One square is one value.") for line in chosen)
    assert "Where channel 0 of deep is active" in words(draw(MAPS, MapGrid([0])))


def test_many_maps_have_the_number_of_their_channel_alone():
    said = words(draw(MAPS.repeat(20, 1, 1), MapGrid(range(40))))
    assert {str(channel) for channel in range(40)} <= set(said)
    assert not any(line.startswith("channel") for line in said)


def test_maps_of_the_last_layer_are_named_by_their_classes():
    last = replace(found(MAPS), layer="last")
    geometry = Geometry((64, 64), (64, 64), (0, 0), (64, 64))
    said = words(draw_activations(np.zeros((64, 64, 3), np.uint8), geometry, NETWORK, last, MapGrid([0, 1])))
    assert {"kind 0 (0)", "kind 1 (1)"} <= set(said)


def test_over_the_photo_a_map_lies_where_it_belongs():
    """Hot in its left half: so is the photo, within the crop that the network sees."""
    photo = np.full((200, 400, 3), 128, np.uint8)
    geometry = Geometry((200, 400), (200, 400), (0, 100), (200, 200))
    maps = torch.tensor([[[1.0, 1.0, 0.0, 0.0]] * 4])
    figure = draw_activations(photo, geometry, NETWORK, found(maps), MapGrid([0], overlay=True))
    seen, drawn, _ = pictures(figure)
    assert seen.shape[0] == seen.shape[1]
    hot, cold = corners(drawn)[0]
    assert hot[0] > cold[0] + 80
    assert hot[2] < cold[2]
    middle = drawn[len(drawn) // 2].astype(int)
    assert (np.diff(middle[:, 0]) <= 1).all()  # linear between the cells


def test_values_that_share_a_pixel_are_counted():
    said = words(draw(torch.rand(1, 2000, 2000), MapGrid([0])))
    high, wide = pictures(draw(torch.rand(1, 2000, 2000), MapGrid([0])))[1].shape[:2]
    assert any(f"Reduced: one pixel stands for {2000 * 2000 / (high * wide):.3g} values." in line for line in said)


def test_maps_over_the_photo_are_made_at_the_size_of_their_tiles():
    maps = torch.rand(400, 4, 4)
    tracemalloc.start()
    try:
        draw(maps, MapGrid(range(400), overlay=True))
        assert tracemalloc.get_traced_memory()[1] < 400 * 900 * 900 * 3 / 5
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(60, 360), (360, 60), (20, 30)])
@pytest.mark.parametrize("count", [1, 5, 20])
def test_shapes_of_photos_and_numbers_of_maps(shape, count):
    maps = torch.rand(24, max(1, shape[0] // 8), max(1, shape[1] // 8))
    figure = draw(maps, MapGrid(range(count)), Look("dark"), shape)
    assert len(pictures(figure)) == count + 2


def test_padding_is_part_of_the_input_that_is_shown():
    photo = np.full((50, 100, 3), 200, np.uint8)
    geometry = Geometry((50, 100), (50, 100), (-25, 0), (100, 100))
    seen = pictures(draw_activations(photo, geometry, NETWORK, found(MAPS), MapGrid([0])))[0]
    assert seen[len(seen) // 10, 50].max() == 0
    assert seen[len(seen) // 2, 50].min() == 200
