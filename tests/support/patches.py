"""A scene for patches whose best texture is known."""

import numpy as np
import torch
from torch import nn

from cnnviz import Network
from cnnviz.adversarial.patch_scene import PatchScene, polygon_placement
from cnnviz.models.preprocess import fit


def color_network(side: int = 64) -> Network:
    """A network whose logits are the mean red, green and blue, ten times."""
    colors = nn.Conv2d(3, 3, 1, bias=False)
    colors.weight.data = 10 * torch.eye(3).view(3, 3, 1, 1)
    body = nn.Sequential(colors, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return Network.from_module(body, (side, side), (0.0,) * 3, (1.0,) * 3, ["red", "green", "blue"])


def color_scene() -> PatchScene:
    """A red photo with a slanted region, to be seen as green."""
    network, photo = color_network(), np.random.default_rng(0).integers(0, 60, (100, 140, 3)).astype(np.uint8)
    photo[..., 0] += 150
    placement = polygon_placement([(40, 20), (100, 30), (95, 80), (35, 70)], (100, 140))
    return PatchScene(photo, placement, fit(photo, network)[1], network, 1)
