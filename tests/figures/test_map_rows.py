"""The photo beside rows of maps: how many stand in a row, letters in reading order, bars below."""

import numpy as np
import pytest
from torch import nn

from cnnviz import Network, fit
from cnnviz.figures.map_rows import Drawn, Layout, MapPanel, draw_map_rows, per_row
from cnnviz.figures.maps import Crop
from cnnviz.figures.page import Page
from cnnviz.figures.scale import Scale
from tests.support.figures import words

NETWORK = Network.from_module(nn.Flatten(), (20, 20), (0,) * 3, (1,) * 3)


def rows_of(count: int, size: tuple[int, int] = (30, 40), **layout) -> tuple[Page, Drawn]:
    photo = np.full((*size, 3), 90, np.uint8)
    geometry = fit(photo, NETWORK)[1]
    page, crop = Page(), Crop.of(photo, geometry)
    panel = MapPanel("Map", np.zeros(crop.image.shape[:2], np.float32), Scale(-1, 1), "below")
    return page, draw_map_rows(page, photo, geometry, crop, [panel] * count, Layout(2.5, **layout))


def tops(drawn: Drawn) -> list[int]:
    """How many maps stand in each row."""
    places = [round(box.y, 3) for _, box in drawn.maps]
    return [places.count(place) for place in dict.fromkeys(places)]


@pytest.mark.parametrize(("count", "rows"), [(1, [1]), (2, [2]), (3, [3]), (4, [2, 2]), (6, [3, 3]), (7, [3, 4])])
def test_rows_are_of_about_one_length_with_the_photo_first(count: int, rows: list[int]) -> None:
    page, drawn = rows_of(count)
    assert tops(drawn) == rows
    assert drawn.whole == (count <= 2)
    texts = words(page.finish())
    assert [text for text in texts if len(text) == 1 and text.isalpha()] == list("abcdefgh"[: count + 1])
    assert texts.count("against") == texts.count("below") == count


def test_a_wide_photo_has_a_row_of_its_own() -> None:
    page, drawn = rows_of(2, (20, 90))
    assert drawn.whole
    assert "Photo, input framed" in words(page.finish())
    assert max(box.y for _, box in drawn.maps) > 1


def test_heads_begin_rows_and_are_written_above_them() -> None:
    page, drawn = rows_of(4, heads=["cat", "dog"])
    assert tops(drawn) == [2, 2]
    assert {"cat", "dog"} <= {*words(page.finish())}


def test_wide_crops_are_fewer_in_a_row() -> None:
    assert [per_row(Crop(np.zeros((10, wide, 3), np.uint8), np.zeros(1), np.zeros(1))) for wide in (10, 30, 90)] == [
        4, 2, 1
    ]  # fmt: skip
