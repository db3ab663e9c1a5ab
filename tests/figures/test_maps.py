"""Maps over a crop: crops at the photo's places, colour bars."""

import numpy as np
import pytest
from matplotlib.contour import ContourSet
from matplotlib.text import Text
from torch import nn

from cnnviz import Network, fit
from cnnviz.figures.maps import Crop, Words, bar_below, draw_map, draw_photo, has_contour
from cnnviz.figures.output import render
from cnnviz.figures.page import Page
from cnnviz.figures.scale import Scale, map_ground, rgb

RNG = np.random.default_rng(0)


@pytest.fixture
def crop() -> Crop:
    network = Network.from_module(nn.Flatten(), (20, 20), (0,) * 3, (1,) * 3)
    photo = np.zeros((40, 80, 3), np.uint8)
    photo[:, 20:60] = (10, 100, 200)  # the square in the middle
    return Crop.of(photo, fit(photo, network)[1])


def test_a_crop_shows_the_networks_input_at_its_places(crop: Crop) -> None:
    assert crop.image.shape == (900, 900, 3)
    assert crop.aspect == 1
    assert (crop.image[450, 450] == (10, 100, 200)).all()
    assert crop.ys[0] == pytest.approx(-0.25, abs=0.3)
    assert crop.ys[-1] == pytest.approx(19.25, abs=0.3)
    assert (np.diff(crop.xs) >= 0).all()
    values = np.add.outer(np.zeros(20), np.arange(20.0))
    np.testing.assert_allclose(crop.sample(values)[5], crop.xs.clip(0, 19), atol=1e-5)
    assert set(np.unique(crop.nearest(values))) == set(range(20))


def test_a_smaller_crop_shows_the_same_places(crop: Crop) -> None:
    small = crop.at_most(90)
    assert small.image.shape == (90, 90, 3)
    np.testing.assert_allclose(small.ys, crop.ys.reshape(90, 10).mean(1), atol=1e-6)
    assert crop.at_most(5000).image.shape == (900, 900, 3)


@pytest.mark.parametrize("known", [True, False])
def test_a_map_is_drawn_in_its_colours_over_the_grey_crop(crop: Crop, known: bool) -> None:
    page, scale = Page(), Scale(-2.0, 2.0)
    (box,) = page.row([1.0], ["map"], height=2.0)
    values = np.full((900, 900), 1.5, np.float32)
    values[:450] = -1.5 if known else np.nan
    axes = draw_map(page, box, crop, values, scale)
    image = render(page.finish())
    y, x = round((box.y + 1.6) * 200), round((box.x + 1.0) * 200)
    wanted = scale.over(map_ground(crop.image)[600:601, 450:451], values[600:601, 450:451])[0, 0]
    assert np.abs(image[y, x].astype(int) - wanted).max() <= 2
    assert bool(axes.collections) != known  # hatched where unknown


def test_a_colour_bar_has_the_colours_of_the_scale_and_its_words() -> None:
    page, scale = Page(), Scale(0.0, 4.0)
    (box,) = page.row([1.0], [""], height=2.0)
    bar_below(page, box, box.bottom + 0.1, scale, Words([(0, "0"), (4, "most")], unit="logits"))
    figure = page.finish()
    image = render(figure)
    y = round((box.bottom + 0.16) * 200)
    for part in (0.02, 0.5, 0.98):
        shown = image[y, round((box.x + part * box.width) * 200)].astype(int)
        assert np.abs(shown - scale.bar(1000)[0, round(1000 * part)]).max() <= 4
    assert {"0", "most", "logits"} <= {text.get_text() for text in figure.findobj(Text)}


def test_the_photo_is_faded_outside_the_crop() -> None:
    network = Network.from_module(nn.Flatten(), (20, 20), (0,) * 3, (1,) * 3)
    photo = np.full((40, 80, 3), 100, np.uint8)
    page = Page()
    (box,) = page.row([2.0], ["photo"], height=2.0)
    draw_photo(page, box, photo, fit(photo, network)[1])
    image = render(page.finish())
    inside, outside = (image[round((box.y + 1) * 200), round((box.x + x) * 200)] for x in (2.0, 0.3))
    assert (inside == 100).all()
    assert np.abs(outside.astype(int) - round(0.45 * 100 + 0.55 * rgb(page.theme.paper)[0])).max() <= 1


def test_a_crop_of_a_small_photo_reaches_the_border_of_the_input() -> None:
    """The whole of a photo of 8 pixels is an input of 64: its outermost pixels cover 8 rows each."""
    network = Network.from_module(nn.Flatten(), (64, 64), (0,) * 3, (1,) * 3)
    photo = np.zeros((8, 8, 3), np.uint8)
    crop = Crop.of(photo, fit(photo, network)[1])
    step = 64 / len(crop.ys)
    np.testing.assert_allclose(crop.ys, (np.arange(len(crop.ys)) + 0.5) * step - 0.5)
    values = np.zeros((64, 64))
    values[0] = 1
    assert crop.sample(values).max() == 1


def test_a_line_at_half_of_the_scale_lies_between_the_pixels(crop: Crop) -> None:
    page = Page()
    (box,) = page.row([1.0], ["map"], height=2.0)
    values = np.zeros((900, 900))
    values[:, 450:] = 2
    axes = draw_map(page, box, crop, values, Scale(-2.0, 2.0), contour=True)
    assert has_contour(axes)
    (line,) = [found for found in axes.collections if isinstance(found, ContourSet)]
    np.testing.assert_allclose(line.allsegs[0][0][:, 0], 450)
    many = np.kron(np.eye(30) * 2, np.ones((30, 30)))
    assert not has_contour(draw_map(page, box, crop, many, Scale(-2.0, 2.0), contour=True))
