"""The figure of attribution maps: methods side by side, classes in rows, one scale."""

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz import Network, fit
from cnnviz.attribution.backprop import Attribution
from cnnviz.attribution.figures.attribution_maps import draw


@pytest.mark.parametrize(
    ("methods", "classes", "size"),
    [(1, 1, (1, 1)), (2, 1, (1, 2)), (1, 2, (1, 2)), (2, 2, (2, 2)), (5, 1, (2, 3)), (1, 6, (2, 3))],
)
def test_panels_in_rows(methods: int, classes: int, size: tuple[int, int]) -> None:
    network = Network.from_module(nn.Flatten(), (20, 20), (0,) * 3, (1,) * 3)
    photo = np.full((30, 40, 3), 90, np.uint8)
    _, geometry = fit(photo, network)
    one = Attribution(torch.rand(classes, 20, 20), False, tuple(range(classes)), torch.zeros(9))
    names = ["gradient", "guided", "deconvnet", "grad-cam", "deeplift"][:methods]
    figure = draw(photo, geometry, network, dict.fromkeys(names, one), colormap="signed", bare=True)
    assert figure.shape == (size[0] * 30, size[1] * 40, 3)
