"""The sheet of classes: one tile each; the source of the probabilities changes the caption alone."""

import numpy as np
import torch

from cnnviz.synthesis.figures import class_sheet
from cnnviz.synthesis.held_out import HeldOutRank
from cnnviz.synthesis.inceptionism import ClassVisualization


def test_a_sheet_shows_every_image_and_whose_probability(monkeypatch):
    captions = []
    draw_grid = class_sheet.grid.draw_grid
    monkeypatch.setattr(
        class_sheet.grid, "draw_grid", lambda *words, **more: captions.append(words) or draw_grid(*words, **more)
    )
    colours = (0.2, 0.8)
    results = [
        ClassVisualization(torch.full((1, 3, 64, 64), c), 0, torch.zeros(2), torch.zeros(2), 1, 1) for c in colours
    ]
    sheet = class_sheet.draw(results, ["a", "b"], "net")
    assert sheet.dtype == np.uint8
    for colour in (51, 204):
        assert ((sheet == colour).all(-1)).sum() >= 64 * 64
    ranks = [HeldOutRank("other", 1, 0.25, [])] * 2
    class_sheet.draw(results, ["a", "b"], "net", ranks)
    assert [tile.value for tile in captions[0][0] + captions[1][0]] == ["50%", "50%", "25%", "25%"]
    assert "judged by itself" in captions[0][3]
    assert "probability by other, held out" in captions[1][3]
