"""Figure 2: patches and projections in the same order, a page for a map and a sheet of many."""

import numpy as np
import pytest

from cnnviz.features.figures.top_images import (
    CHANNELS,
    SMALLEST,
    MapTiles,
    SearchedLayer,
    draw_sheet,
    draw_top_images,
)
from cnnviz.features.projections import UnitRegion
from cnnviz.features.top_images import TopImage
from cnnviz.figures.output import render
from cnnviz.figures.style import Look
from tests.support.figures import patches, words
from tests.support.networks import two_layers

NETWORK = two_layers()
PLACED = "EfficientNet-Lite0, deep (layer 1 of 2, stride 2 px)"
SEARCHED = SearchedLayer("deep", 80, 120, "guided")


def hit(level: int, strength: float, activation: float = 5.0, effective: bool = False) -> TopImage:
    patch = np.full((3, 16, 16), level / 255, np.float32)
    projection = np.full((3, 16, 16), strength, np.float32)
    return TopImage(0, (1, 2), activation, UnitRegion((0, 0, 9, 9), effective), patch, projection)


def tiles(count: int, channel: int = 7) -> MapTiles:
    return MapTiles.of(channel, [hit(10 * (n + 1), 1 - 0.1 * n, 33.6 - n) for n in range(count)])


def test_projections_of_a_map_have_one_scale_so_that_a_weak_one_looks_weak():
    made = MapTiles.of(3, [hit(40, 2.0), hit(80, 1.0, effective=True), hit(120, -2.0)])
    assert [int(image[0, 0, 0]) for image in made.patches] == [40, 80, 120]
    assert [int(image[0, 0, 0]) for image in made.projections] == [255, 191, 0]
    assert made.effective
    assert made.patches[0].dtype == made.projections[0].dtype == np.uint8
    assert not MapTiles.of(3, [hit(40, 0.0)]).effective


def test_a_page_has_patches_left_and_their_projections_right_in_the_same_order():
    figure = draw_top_images(NETWORK, tiles(9), SEARCHED)
    middles = patches(figure)
    assert [colour[0] for colour in middles[:9]] == [10 * (n + 1) for n in range(9)]
    assert [colour[0] for colour in middles[9:]] == sorted((colour[0] for colour in middles[9:]), reverse=True)
    places = [axes.get_position() for axes in figure.axes]
    for patch, projection in zip(places[:9], places[9:], strict=True):
        assert patch.y0 == pytest.approx(projection.y0)
        assert patch.x1 < 0.5 < projection.x0
    assert places[0].y0 == places[2].y0 > places[3].y0


def test_a_page_says_what_is_seen():
    said = words(draw_top_images(NETWORK, tiles(9), SEARCHED))
    assert "What activates channel 7 of deep" in said
    assert f"{PLACED}: the 9 strongest of 120 photos, activations 33.6 to 25.6, the largest first." in said
    assert {"Patches", "Guided projections"} <= set(said)
    one = words(draw_top_images(NETWORK, tiles(1), SEARCHED))
    assert f"{PLACED}: 1 of 120 photos, activation 33.6." in one


@pytest.mark.parametrize("count", [1, 2, 9, 25, 40])
def test_tiles_of_a_page_are_never_too_small(count):
    figure = draw_top_images(NETWORK, tiles(count), SEARCHED)
    assert min(axes.get_position().width * 9.6 for axes in figure.axes) >= SMALLEST - 0.01


@pytest.mark.parametrize(("hits", "per_row"), [(9, 3), (5, 3), (4, 4), (3, 3), (1, 4)])
def test_a_sheet_has_three_or_four_maps_in_a_row_and_tiles_of_80_pixels(hits, per_row):
    maps = [tiles(hits, channel) for channel in range(5)]
    figure = draw_sheet(NETWORK, maps, SEARCHED)
    heads = [text for text in figure.texts if text.get_text().startswith("channel ")]
    assert [text.get_text() for text in heads] == [f"channel {channel}" for channel in range(5)]
    rows = [text.get_position()[1] for text in heads]
    assert rows.count(rows[0]) == per_row
    assert {"What activates 5 channels of deep", "33.6"} <= set(words(figure))
    assert min(axes.get_position().width * 1920 for axes in figure.axes) >= 80


def test_a_sheet_ends_after_its_first_maps_and_says_how_many_there_are():
    maps = [tiles(1, channel) for channel in range(CHANNELS + 3)]
    figure = draw_sheet(NETWORK, maps, SEARCHED, Look("dark"))
    said = words(figure)
    assert f"channel {CHANNELS - 1}" in said
    assert f"channel {CHANNELS}" not in said
    assert any(f"{CHANNELS} of 80 channels, searched in 120 photos." in line for line in said)
    assert render(figure).shape[1] == 1920
