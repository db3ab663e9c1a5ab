"""The maps of an evaluation: the pointing game in words, the mask's border, the peaks."""

import numpy as np
import pytest
from matplotlib.contour import ContourSet
from matplotlib.figure import Figure

from tests.attribution.figures.test_evaluation import draw
from tests.support.figures import words


@pytest.mark.parametrize(
    ("maps", "top", "verdict"), [(1, (5, 5), "inside"), (2, (5, 5), "inside"), (1, (18, 18), "outside")]
)
def test_the_pointing_game_in_plain_words(maps: int, top: tuple[int, int], verdict: str) -> None:
    mask = np.zeros((60, 80), bool)
    mask[5:30, 12:40] = True
    said = " ".join(words(draw(maps, mask=mask, top=top)))
    assert f"Pointing game: {'hit' if verdict == 'inside' else 'miss'}, the peak is {verdict} the box" in said
    assert "of the map’s" in said
    assert "% of the area)" in said or "of the area)" in said
    assert "orange: the box" in said


def test_a_mask_that_is_no_rectangle_is_called_a_mask() -> None:
    mask = np.zeros((60, 80), bool)
    mask[10:30, 15:40] = mask[30:50, 20:30] = True
    assert "orange: the mask" in " ".join(words(draw(1, mask=mask)))
    mask[30:] = False
    assert "orange: the box" in " ".join(words(draw(1, mask=mask)))


PADDING = "on the photo; its highest value lies in the padding"


def crosses(figure: Figure) -> list[tuple[float, float]]:
    """Where the crosses are, y and x as shares of their pictures."""
    return [
        (line.get_ydata()[0] / axes.get_ylim()[0], line.get_xdata()[0] / axes.get_xlim()[1])
        for axes in figure.axes for line in axes.lines if line.get_marker() == "+"
    ]  # fmt: skip


@pytest.mark.parametrize("masked", [False, True])
def test_a_peak_in_the_padding_is_not_drawn_on_the_photo(masked: bool) -> None:
    """The photo of 60 x 80 fills rows 2 to 16 of the input of 20: the highest value is in row 0, or on the photo."""
    mask = np.zeros((60, 80), bool)
    mask[5:30, 12:40] = True
    inside, outside = (draw(1, top=(row, 14), mode="pad", mask=mask if masked else None) for row in (12, 0))
    assert crosses(inside) == [pytest.approx(((12 - 2.5 + 0.5) / 15, 14.5 / 20), abs=0.06)]
    assert PADDING not in " ".join(words(inside))
    assert PADDING in " ".join(words(outside))
    assert 0 < crosses(outside)[0][0] < 1  # the highest of the other values
    assert "the highest values of b, c lie in the padding" in " ".join(words(draw(2, top=(0, 14), mode="pad")))


@pytest.mark.parametrize("rows", [slice(0, 60), slice(0, 20), slice(40, 60), slice(20, 40)])
def test_the_border_of_a_mask_is_closed_along_the_photos(rows: slice) -> None:
    mask = np.zeros((60, 80), bool)
    mask[rows] = True
    photo = draw(1, mask=mask).axes[0]
    (line,) = (found for found in photo.collections if isinstance(found, ContourSet))
    (path,) = line.allsegs[0]
    assert (path[0] == path[-1]).all()
    (x1, y1), (x2, y2) = path.min(0), path.max(0)
    high, wide = photo.get_ylim()[0], photo.get_xlim()[1]
    expected = (0, rows.start / 60 * high, wide, rows.stop / 60 * high)
    assert (x1, y1, x2, y2) == pytest.approx(expected, abs=3)


def test_a_mask_of_one_pixel_of_a_large_photo_does_not_vanish() -> None:
    mask = np.zeros((60, 80), bool)
    mask[31, 41] = True
    assert any(isinstance(found, ContourSet) for found in draw(1, mask=mask).axes[0].collections)


def test_the_cross_is_at_the_peak() -> None:
    (cross,) = (line for axes in draw(1, top=(5, 14)).axes for line in axes.lines if line.get_marker() == "+")
    assert cross.get_xdata()[0] == pytest.approx(900 * 14.5 / 20, abs=25)
    assert cross.get_ydata()[0] == pytest.approx(900 * 5.5 / 20, abs=25)
