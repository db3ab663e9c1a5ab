"""The figure of one photo's projections: boxes on the photo, patches in their colours, projections beside them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from cnnviz.features.deconvnet import Projection
from cnnviz.features.figures.projections import (
    ProjectionView,
    colour_of,
    draw_projections,
    group_boxes,
    overlap,
    separated,
)
from cnnviz.features.projections import ProjectedUnit, UnitRegion
from cnnviz.figures.page import INNER, Rect
from cnnviz.figures.style import CATEGORIES, OTHERS, Look
from tests.support.figures import patches, pictures, words
from tests.support.networks import two_layers

NETWORK = two_layers()
LOGITS = torch.tensor([0.0, 1.0])


def photo(high: int = 100, wide: int = 100) -> np.ndarray:
    return np.tile(np.array([0.4, 0.6, 0.2], np.float32)[:, None, None], (1, high, wide))  # shown as (102, 153, 51)


def unit(
    channel: int, box: tuple[int, int, int, int], level: float = 0.2, effective: bool = False, size: int = 100
) -> ProjectedUnit:
    """A unit with a patch of one grey, and a projection that is 1 on the left, -1 on the right."""
    part = np.ones((3, 8, 8), np.float32)
    part[:, :, 4:] = -1
    found = Projection(torch.zeros(1, 3, size, size), "deep", channel, (6, 11), 33.61)
    return ProjectedUnit(found, UnitRegion(box, effective), np.full((3, 8, 8), level, np.float32), part)


def outputs(count: int) -> list[ProjectedUnit]:
    """Units of the network's last layer."""
    units = [unit(n, (10 * n, 0, 10 * n + 9, 9)) for n in range(count)]
    return [replace(one, projection=replace(one.projection, layer="last")) for one in units]


def draw(units: list[ProjectedUnit], view: ProjectionView = ProjectionView("guided"), **more):
    return draw_projections(more.pop("image", photo()), NETWORK, LOGITS, units, view, **more)


def boxes(figure) -> list[tuple[str, tuple[float, ...]]]:
    """Colour and edges (top, left, bottom, right) of the rectangles on the photo, their white rims left out."""
    drawn = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    return [
        (to_hex(p.get_edgecolor()), (p.get_y(), p.get_x(), p.get_y() + p.get_height(), p.get_x() + p.get_width()))
        for p in drawn
        if to_hex(p.get_edgecolor()) != "#ffffff"
    ]


def test_a_patch_stands_left_of_its_projection_which_is_grey():
    shown = pictures(draw([unit(7, (10, 20, 40, 50))]))
    assert [tuple(image[5, 5]) for image in shown] == [(102, 153, 51), (51,) * 3, (255,) * 3]
    assert (shown[2][5, -5] == 0).all()


def test_a_box_is_drawn_where_it_is_on_the_photo_and_frames_its_patch():
    figure = draw([unit(7, (10, 20, 40, 50)), unit(9, (60, 60, 90, 90))])
    assert [colour for colour, _ in boxes(figure)] == list(CATEGORIES[:2])
    assert np.allclose([edges for _, edges in boxes(figure)], [(10, 20, 40, 50), (60, 60, 90, 90)])
    frames = [to_hex(axes.patches[0].get_edgecolor()) for axes in figure.axes[1::2]]
    assert frames == list(CATEGORIES[:2])


def test_a_box_that_reaches_beyond_the_photo_ends_there_and_the_note_says_so():
    figure = draw([unit(7, (-30, 60, 30, 400))])
    assert np.allclose(boxes(figure)[0][1], (0, 60, 30, 100))
    assert "beyond the photo" in " ".join(words(figure))
    assert not boxes(draw([unit(7, (-30, 10, -5, 60))]))[1:]


def test_boxes_that_nearly_coincide_are_one_in_one_colour_named_by_all_its_channels():
    figure = draw([unit(51, (10, 10, 50, 50)), unit(29, (60, 60, 99, 99)), unit(7, (14, 12, 54, 52))])
    assert len(boxes(figure)) == 2
    assert [to_hex(axes.patches[0].get_edgecolor()) for axes in figure.axes[1::2]] == [
        CATEGORIES[0], CATEGORIES[1], CATEGORIES[0]
    ]  # fmt: skip
    assert {"51, 7", "29", "channel 51", "channel 7", "channel 29"} <= set(words(figure))
    many = [unit(channel, (10, 10, 50, 50)) for channel in range(9)]
    assert "0, 1, 2, 3…" in words(draw(many))


def test_overlap_is_intersection_over_union():
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (0, 5, 10, 15)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (20, 0, 30, 10)) == overlap((0, 0, 10, 10), (20, 20, 30, 30)) == 0
    assert group_boxes([(0, 0, 10, 10), (0, 5, 10, 15), (0, 4, 10, 14)]) == [0, 1, 0]


def test_boxes_with_a_common_edge_are_drawn_apart():
    first, second = separated([Rect(0, 0, 2, 2), Rect(0, 1, 2, 2)])
    assert first == Rect(0, 0, 2, 2)
    assert second.x > 0
    assert second.right < 2
    assert (second.y, second.bottom) == (1, 3)
    tiny = Rect(0, 0, 0.05, 0.05)
    assert separated([tiny, tiny])[1] == tiny


def test_colours_run_out_into_grey():
    assert [colour_of(group) for group in (0, 5, 6, 40)] == [CATEGORIES[0], CATEGORIES[5], OTHERS, OTHERS]


def test_words_name_the_channels_and_how_they_were_projected():
    units = [unit(3 * n, (10 * n, 0, 10 * n + 9, 9), effective=n > 2) for n in range(6)]
    said = words(draw(units))
    assert "What activates the 6 strongest channels of deep" in said
    assert said.count("33.6") == 6
    assert "EfficientNet-Lite0: kind 1 73.1 %. deep (layer 1 of 2, stride 2 px). Left: the patch" in " ".join(said)
    assert any("guided projection" in line for line in said)
    assert any("95 %" in line for line in said)
    assert [line for line in said if len(line) == 1 and line.isalpha()] == list("abcdefg")
    assert "What activates 6 channels of deep" in words(draw(units, ProjectionView("guided", strongest=False)))
    assert "What activates channel 3 of deep" in words(draw(units[1:2]))


def test_channels_of_the_last_layer_are_named_by_their_classes():
    said = words(draw(outputs(2)))
    assert {"kind 0 (0)", "kind 1 (1)", "What activates the 2 strongest channels of last"} <= set(said)
    assert any("last (layer 2 of 2)." in line for line in said)
    assert "What activates kind 0 (0) of last" in words(draw(outputs(1)))


def test_rows_below_the_photo_continue_the_columns_beside_it():
    figure = draw([unit(n, (n, n, n + 8, n + 8)) for n in range(13)])
    lefts = [round(axes.get_position().x0, 4) for axes in figure.axes]
    photo, pairs = lefts[0], lefts[1::2]
    assert pairs[:6] == pairs[:3] * 2
    assert pairs[6:] == [photo, *pairs[:3], photo, *pairs[:2]]


def test_in_colours_the_projection_keeps_them():
    one = unit(7, (10, 20, 40, 50))
    one.part[:] = np.array([1.0, 0.0, -1.0])[:, None, None]
    grey, coloured = (patches(draw([one], ProjectionView("guided", colours=c)))[2] for c in (False, True))
    assert len(set(grey)) == 1
    assert np.abs(np.array(coloured) - (255, 128, 0)).max() <= 1


@pytest.mark.parametrize("shape", [(60, 360), (360, 60), (20, 30)])
@pytest.mark.parametrize("count", [1, 3, 12])
def test_every_pair_is_on_the_page_whatever_the_photos_shape(shape, count):
    units = [unit(n, (n, n, n + 8, n + 8)) for n in range(count)]
    figure = draw(units, image=photo(*shape), look=Look("dark"))
    assert len(figure.axes) == 1 + 2 * count
    width = figure.get_size_inches()[0]
    places = [axes.get_position() for axes in figure.axes]
    assert all(0 < p.x0 < p.x1 < 1 and 0 < p.y0 < p.y1 < 1 for p in places)
    drawn = [p.width * width for p in places[1:]]
    assert min(drawn) > 0.8
    assert max(drawn) < INNER / 2
    for index, one in enumerate(places):
        assert not any(
            one.x0 < two.x1 - 1e-6 and two.x0 < one.x1 - 1e-6 and one.y0 < two.y1 - 1e-6 and two.y0 < one.y1 - 1e-6
            for two in places[index + 1 :]
        )
