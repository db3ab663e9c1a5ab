"""The preview of a patch."""

import numpy as np

from cnnviz.adversarial.figures.patch import POSES, draw_views
from cnnviz.adversarial.patch import PatchResult, PatchView
from cnnviz.adversarial.results import PatchRates
from cnnviz.adversarial.target import QueryCount
from tests.support.patches import color_scene


def test_a_row_for_each_print_a_column_for_each_view():
    rates = {name: PatchRates(0.5, 0.5, []) for name in ("sticker", "grey", "noise", "clean")}
    result = PatchResult(color_scene(), {}, rates, 0, 0.2, 7, QueryCount())
    colors = {"sticker": (250, 0, 0), "grey": (0, 250, 0), "noise": (0, 0, 250), "clean": (250, 250, 0)}
    views = {name: [PatchView(np.full((64, 64, 3), color, np.uint8), name, 0.5)] * (POSES + 1)
             for name, color in colors.items()}  # fmt: skip
    image = draw_views(result, views).astype(int)
    counts = [int((np.abs(image - color).sum(2) == 0).sum()) for color in colors.values()]
    assert len(set(counts)) == 1
    assert counts[0] >= 64 * 64 * (POSES + 1)
